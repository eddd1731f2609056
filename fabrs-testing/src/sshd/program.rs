//! The installed sshd program.

use std::process::Command;
use std::sync::OnceLock;

/// The full path. sshd refuses to start from a relative path.
pub(super) const PROGRAM: &str = "/usr/sbin/sshd";

/// Returns `true` if sshd supports `PerSourcePenalties`. sshd does not start with an unknown
/// keyword.
pub(super) fn has_per_source_penalties() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        // Without host keys, `-t` always fails, so the message is checked instead of the status.
        let test = Command::new(PROGRAM).args(["-t", "-f", "/dev/null", "-o", "PerSourcePenalties=no"]).output();
        test.is_ok_and(|test| !String::from_utf8_lossy(&test.stderr).contains("PerSourcePenalties"))
    })
}
