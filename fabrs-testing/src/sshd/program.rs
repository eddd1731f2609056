//! The installed sshd.

use std::process::Command;
use std::sync::OnceLock;

/// sshd demands to be called by its whole path.
pub(super) const PROGRAM: &str = "/usr/sbin/sshd";

/// Whether the installed sshd has `PerSourcePenalties`: an unknown keyword would keep it from starting.
pub(super) fn knows_penalties() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        // Without host keys `-t` fails anyway, and so the words count, not the status.
        let test = Command::new(PROGRAM).args(["-t", "-f", "/dev/null", "-o", "PerSourcePenalties=no"]).output();
        test.is_ok_and(|test| !String::from_utf8_lossy(&test.stderr).contains("PerSourcePenalties"))
    })
}
