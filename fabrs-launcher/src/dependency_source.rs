//! Sources of the `fabrs` crates in a generated package.
//!
//! These crates are `fabrs`, and `fabrs-deploy` if the manifest block lists it. The source of each
//! crate is the first of
//!
//! 1. the source in the manifest block;
//! 2. the checkout from which this `fab` was built, if the checkout still has the same version;
//! 3. the registry, with exactly the version of this `fab`.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The keys of a dependency that set its source.
const SOURCE_KEYS: [&str; 4] = ["git", "path", "registry", "version"];

/// The feature of `fabrs` for the hosts of `-H @demo`.
const DEMO_FEATURE: &str = "demo";

/// The crates, each with its folder in a checkout.
const FABRS_CRATES: [(&str, &str); 2] = [("fabrs", ""), ("fabrs-deploy", "fabrs-deploy")];

/// Adds a source to each `fabrs` crate listed without a source, such as `fabrs-deploy = {}`. Also
/// adds `fabrs` itself.
pub(crate) fn add_sources(dependencies: &mut Table) {
    for (name, folder) in FABRS_CRATES {
        // Every tool needs `fabrs`. The other crates are optional.
        let requested = dependencies.remove(name);
        if name == "fabrs" {
            dependencies.insert(name.to_owned(), with_demo(dependency(requested, folder)));
        } else if requested.is_some() {
            dependencies.insert(name.to_owned(), dependency(requested, folder));
        }
    }
}

/// Returns a dependency with a source. `requested` is the value in the manifest block, if any.
fn dependency(requested: Option<Value>, folder: &str) -> Value {
    let mut dependency = match requested {
        None => Table::new(),
        Some(Value::Table(table)) if !SOURCE_KEYS.iter().any(|key| table.contains_key(*key)) => table,
        Some(other) => return other,
    };
    let (key, value) = match checkout_folder() {
        Some(checkout) => ("path", Path::new(checkout).join(folder).to_string_lossy().into_owned()),
        None => ("version", format!("={VERSION}")),
    };
    dependency.insert(key.to_owned(), value.into());
    Value::Table(dependency)
}

/// Adds the feature `demo` to a dependency on `fabrs`, so that every tool accepts `-H @demo`.
///
/// A manifest block with `default-features = false` selects all features explicitly.
fn with_demo(dependency: Value) -> Value {
    let mut table = match dependency {
        Value::Table(table) => table,
        version => Table::from_iter([("version".to_owned(), version)]),
    };
    let has_defaults = table.get("default-features").and_then(Value::as_bool).unwrap_or(true);
    let features = table.entry("features").or_insert_with(|| Value::Array(Vec::new()));
    if let (true, Value::Array(features)) = (has_defaults, &mut *features)
        && !features.iter().any(|feature| feature.as_str() == Some(DEMO_FEATURE))
    {
        features.push(DEMO_FEATURE.into());
    }
    Value::Table(table)
}

/// Returns the checkout from which this program was built, if the checkout still exists.
fn checkout_folder() -> Option<&'static str> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let manifest: Table = toml::from_str(&fs::read_to_string(folder.join("Cargo.toml")).ok()?).ok()?;
    let package = manifest.get("package")?;
    let version = match package.get("version")? {
        Value::String(version) => version.as_str(),
        _ => manifest.get("workspace")?.get("package")?.get("version")?.as_str()?,
    };
    let same = package.get("name")?.as_str()? == "fabrs" && version == VERSION;
    folder.to_str().filter(|_| same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn value(toml: &str) -> Value {
        toml::from_str::<Table>(&format!("fabrs = {toml}")).unwrap()["fabrs"].clone()
    }

    #[test]
    fn the_default_source_is_the_checkout_of_this_version() {
        let mut dependencies = Table::new();
        add_sources(&mut dependencies);
        let path = dependencies["fabrs"].get("path").and_then(Value::as_str).unwrap();
        assert!(Path::new(path).join("fabrs-cli/Cargo.toml").is_file(), "{path}");
        assert!(!dependencies.contains_key("fabrs-deploy"), "only listed crates are added");
    }

    #[test]
    fn fabrs_deploy_has_the_source_of_fabrs() {
        let mut dependencies: Table = toml::from_str("fabrs-deploy = {}\nserde = '1'").unwrap();
        add_sources(&mut dependencies);
        let path = dependencies["fabrs-deploy"].get("path").and_then(Value::as_str).unwrap();
        assert!(path.ends_with("/fabrs-deploy") && Path::new(path).join("Cargo.toml").is_file(), "{path}");
        assert_eq!(dependencies["serde"].as_str(), Some("1"));
    }

    #[test]
    fn a_dependency_with_features_only_gets_a_source() {
        let fabrs = dependency(Some(value("{ features = ['a'] }")), "");
        assert_eq!(fabrs["features"], value("['a']"));
        assert!(fabrs.get("path").or(fabrs.get("version")).is_some());
    }

    #[test]
    fn a_tool_has_demo_hosts_unless_the_block_disables_default_features() {
        let features = |toml: &str| with_demo(value(toml)).get("features").cloned();
        for toml in ["'1.2'", "{ path = '/x' }", "{ version = '1', default-features = true }"] {
            assert_eq!(features(toml), Some(value("['demo']")), "{toml}");
        }
        assert_eq!(features("{ path = '/x', features = ['a'] }"), Some(value("['a', 'demo']")));
        assert_eq!(features("{ path = '/x', features = ['demo'] }"), Some(value("['demo']")));
        let own = "{ path = '/x', default-features = false, features = ['cli'] }";
        assert_eq!(features(own), Some(value("['cli']")));
        assert_eq!(with_demo(value("'1.2'"))["version"].as_str(), Some("1.2"));
    }

    #[test]
    fn a_source_in_the_manifest_block_has_priority() {
        for requested in ["'1.2'", "{ path = '/x' }", "{ git = 'https://example.com/fabrs' }", "{ version = '1' }"] {
            assert_eq!(dependency(Some(value(requested)), ""), value(requested));
        }
    }
}
