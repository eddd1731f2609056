//! Where the crate `fabrs` of a tool comes from.
//!
//! What the manifest block says wins; else it is the checkout that this `fab` was built from, as long as that is of
//! the same version; else the registry, in exactly this version.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Keys by one of which a dependency says where it comes from.
const SOURCES: [&str; 4] = ["git", "path", "registry", "version"];

/// Returns the dependency on `fabrs`, given what the block says of it: nothing, all of it, or only its features.
pub(super) fn fabrs(asked: Option<Value>) -> Value {
    let mut dependency = match asked {
        None => Table::new(),
        Some(Value::Table(table)) if !SOURCES.iter().any(|key| table.contains_key(*key)) => table,
        Some(other) => return other,
    };
    let (key, value) = match checkout() {
        Some(folder) => ("path", folder.to_owned()),
        None => ("version", format!("={VERSION}")),
    };
    dependency.insert(key.to_owned(), value.into());
    Value::Table(dependency)
}

/// Returns the checkout that this program was built from, if it is still there.
fn checkout() -> Option<&'static str> {
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
    fn without_a_word_it_is_the_checkout_of_this_version() {
        let fabrs = fabrs(None);
        let path = fabrs.get("path").and_then(Value::as_str).unwrap();
        assert!(Path::new(path).join("fabrs-cli/Cargo.toml").is_file(), "{path}");
    }

    #[test]
    fn features_alone_do_not_say_where_it_comes_from() {
        let fabrs = fabrs(Some(value("{ features = ['a'] }")));
        assert_eq!(fabrs["features"], value("['a']"));
        assert!(fabrs.get("path").or(fabrs.get("version")).is_some());
    }

    #[test]
    fn the_block_has_the_last_word() {
        for asked in ["'1.2'", "{ path = '/x' }", "{ git = 'https://example.com/fabrs' }", "{ version = '1' }"] {
            assert_eq!(fabrs(Some(value(asked))), value(asked));
        }
    }
}
