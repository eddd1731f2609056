//! Secrets in what tasks print.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fabrs_testing::{Fab, Sshd};

use crate::place::{FAB, fab, fleet, knowing, project};

/// Returns the folder of the project whose tasks show a secret, after compiling it once.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = project("secrets");
        Fab::new(FAB).current_dir(&folder).arg("--list").run();
        folder
    })
}

/// Returns a run in that project.
fn telling(sshd: &Sshd) -> Fab {
    knowing(fab().current_dir(folder()), sshd)
}

#[test]
fn a_secret_that_a_task_prints_is_redacted_in_a_pipe() {
    let sshd = fleet();
    let ran = telling(&sshd).args(["-H", "web1", "prints"]).run();
    assert_eq!(ran.stdout, "printed [redacted].\n[redacted].\nechoed [redacted]\nt0ken");
    assert!(ran.stderr.contains("noted [redacted].\n") && !ran.stderr.contains("t0ken"), "{}", ran.stderr);
}

#[test]
fn a_secret_too_short_to_be_redacted_is_one_warning_for_all_hosts() {
    let sshd = fleet();
    let ran = telling(&sshd).args(["-H", "web1,web2,web3", "short"]).run();
    let warning = "warning: a secret or password has fewer than 6 bytes: such values are not redacted in output\n";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
}
