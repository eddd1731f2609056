//! Environment of `fab` runs: clean, but with access to the compiler and the registry.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Variables passed to the run: search path, proxies and certificates.
const PASSED_VARIABLES: &[&str] = &[
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PATH",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
/// Prefixes of cargo settings passed to the run. Other `CARGO_` variables describe the test
/// package.
const PASSED_PREFIXES: &[&str] = &["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];

/// Returns the environment of a run with the given home and build cache.
pub(super) fn clean_environment(home: &Path, cache: &Path) -> BTreeMap<OsString, OsString> {
    let is_passed = |name: &OsStr| {
        let name = name.to_string_lossy();
        PASSED_VARIABLES.contains(&&*name) || PASSED_PREFIXES.iter().any(|start| name.starts_with(start))
    };
    let mut env: BTreeMap<OsString, OsString> = std::env::vars_os().filter(|(name, _)| is_passed(name)).collect();
    // Without these variables, the toolchain would be searched for in the new home, or downloaded
    // there.
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let own = std::env::home_dir().map(|own| own.join(folder)).filter(|path| path.is_dir());
        if let Some(path) = std::env::var_os(name).map(PathBuf::from).or(own) {
            env.insert(name.into(), path.into());
        }
    }
    let user = crate::accounts::current_user();
    for (name, value) in [("USER", user.as_str()), ("LOGNAME", &user), ("LANG", "C.UTF-8")] {
        env.insert(name.into(), value.into());
    }
    env.insert("HOME".into(), home.into());
    env.insert("FABRS_TRUST".into(), trusted_folders());
    // A shared cache compiles each dependency once for all tests.
    env.insert("FABRS_CACHE".into(), cache.into());
    env
}

/// Returns the value of `FABRS_TRUST` for tests: the checkout of fabrs, cargo's target directory
/// and the temporary directory.
///
/// # Panics
///
/// If a path contains `:`.
pub fn trusted_folders() -> OsString {
    join_trusted(&[&checkout_dir(), &target_dir(), &std::env::temp_dir()])
}

/// Returns a value of `FABRS_TRUST`.
pub(super) fn join_trusted(folders: &[&Path]) -> OsString {
    std::env::join_paths(folders).expect("paths of tests contain no `:`")
}

/// Returns the checkout of fabrs. On a CI machine, any user may own the checkout.
pub(super) fn checkout_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate of the checkout").to_owned()
}

/// Returns cargo's target directory, derived from the path of the running test.
pub(super) fn target_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    test.ancestors().nth(3).expect("target/debug/deps/NAME").to_owned()
}
