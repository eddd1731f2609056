//! Paths of the test programs, and the parser for reports of `fabrs-probe`.
//!
//! The head of `src/bin/fabrs-probe.rs` lists the modes of the probe.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the path of `fabrs-probe`. Builds the program first if only another package is tested.
///
/// # Panics
///
/// If the program is missing and cannot be built.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| program("fabrs-probe")).clone()
}

/// Copies the hostile SFTP server to a temporary directory, executable by every account.
///
/// # Panics
///
/// If the program cannot be built or copied.
pub fn hostile_sftp() -> (tempfile::TempDir, PathBuf) {
    copied("fabrs-hostile-sftp")
}

/// Copies the hostile login shell to a temporary directory, executable by every account.
///
/// # Panics
///
/// See [`hostile_sftp`].
pub fn hostile_shell() -> (tempfile::TempDir, PathBuf) {
    copied("fabrs-hostile-shell")
}

fn copied(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join(name);
    std::fs::copy(program(name), &path).expect("a readable program");
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), all).expect("a writable directory");
    (folder, path)
}

fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    // The path is target/debug/deps/test-1234 or target/debug/program.
    let profile = test.ancestors().skip(1).find(|dir| !dir.ends_with("deps"));
    let path = profile.expect("the program is in a directory").join(name);
    if !path.exists() {
        build(name, &path);
    }
    path
}

/// Parses a report of the probe.
///
/// # Panics
///
/// If the report is not valid JSON. The message has the report.
#[track_caller]
pub fn parse(report: impl AsRef<[u8]>) -> Value {
    let report = report.as_ref();
    match serde_json::from_slice(report) {
        Ok(value) => value,
        Err(error) => panic!("invalid report of the probe ({error}): {}", String::from_utf8_lossy(report)),
    }
}

fn build(name: &str, path: &std::path::Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = path.parent().and_then(|profile| profile.parent()).expect("target/debug/fabrs-probe");
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--bin", name, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .output()
        .expect("`cargo` is installed");
    assert!(
        output.status.success() && path.exists(),
        "`{name}` cannot be built: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
