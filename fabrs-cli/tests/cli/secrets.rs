//! Secrets in text printed by tasks, in panic messages, and in the memory of `fab`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fabrs_testing::{Fab, FabOutput, Sshd};

use crate::fixtures::{FAB, fab, project, shell, shop_hosts, with_ssh_config};

/// Compiles the project `secrets` once and returns the directory.
fn secrets_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = project("secrets");
        Fab::new(FAB).current_dir(&folder).arg("--list").run();
        folder
    })
}

/// Returns a run in the project.
fn secrets_project(sshd: &Sshd) -> Fab {
    with_ssh_config(fab().current_dir(secrets_folder()), sshd)
}

/// Checks that the output has no secret, and contains `text` once.
#[track_caller]
fn assert_shown_once(ran: &FabOutput, text: &str) {
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!all.contains("t0ken"), "{all}");
    assert_eq!(all.matches(text).count(), 1, "`{text}` in {all}");
}

/// Returns the location of a text in the `tasks.rs` of the project, in the format of errors.
fn location_in_secrets(text: &str) -> String {
    let file = secrets_folder().join("tasks.rs");
    let source = std::fs::read_to_string(&file).expect("the project exists");
    let line = source.lines().position(|line| line.contains(text)).expect("the file contains the text");
    format!("{}:{}", file.display(), line + 1)
}

#[test]
fn a_secret_printed_by_a_task_is_redacted_in_a_pipe() {
    let sshd = shop_hosts();
    let ran = secrets_project(&sshd).args(["-H", "web1", "prints"]).run();
    assert_eq!(ran.stdout, "printed [redacted].\n[redacted].\nechoed [redacted]\nt0ken");
    assert!(ran.stderr.contains("noted [redacted].\n") && !ran.stderr.contains("t0ken"), "{}", ran.stderr);
}

#[test]
fn the_panic_of_a_task_is_one_redacted_error_with_its_line() {
    let sshd = shop_hosts();
    for (task, text) in [("panics", "async "), ("panics-on-a-thread", "plain ")] {
        let ran = secrets_project(&sshd).args(["-H", "web1", task]).code(1).run();
        assert_shown_once(&ran, "panicked");
        let line = location_in_secrets(&format!("panic!(\"{text}"));
        let block = format!("error: web1: the task panicked: {text}[redacted]\n  at {line}\n");
        assert!(ran.stderr.contains(&block), "{}", ran.stderr);
        let ran = secrets_project(&sshd).args(["-H", "web1", task]).env("RUST_BACKTRACE", "1").code(1).run();
        assert!(ran.stderr.contains("\n   0: "), "{}", ran.stderr);
        assert_shown_once(&ran, &block);
    }
}

#[test]
fn a_panic_outside_a_task_is_a_redacted_message_in_order() {
    let sshd = shop_hosts();
    let script = "\"$FAB\" -S \"$CONFIG\" -H web1 panics-unseen 2>&1";
    let ran = shell(script).current_dir(secrets_folder()).env("CONFIG", sshd.ssh_config()).run();
    assert_shown_once(&ran, "panicked");
    let (_, output) = ran.stdout.split_once("before\n").expect("the task prints `before`");
    let (message, _) = output.split_once("after\n").expect("the task continues");
    assert!(message.contains(&format!(" panicked at {}:", location_in_secrets("panic!(\"unseen "))), "{message}");
    assert!(message.ends_with(":\nunseen [redacted]\n"), "{message}");
}

#[test]
fn a_secret_too_short_to_be_redacted_is_one_warning_for_all_hosts() {
    let sshd = shop_hosts();
    let ran = secrets_project(&sshd).args(["-H", "web1,web2,web3", "short"]).run();
    let warning = "warning: a secret or password has fewer than 6 bytes: such values are not redacted in output\n";
    assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
}

/// Without `CAP_SYS_PTRACE`, `/proc/PID/exe` of a process without core dumps is unreadable.
#[test]
fn fab_disables_core_dumps_only_for_itself() {
    // Root has the capability, so the script drops the capability.
    let script = "ulimit -Sc \"$(ulimit -Hc)\"; \
        [ \"$(id -u)\" != 0 ] || set -- setpriv --bounding-set=-sys_ptrace \"$@\"; exec \"$@\"";
    let line =
        "for pid in $PPID $$; do readlink /proc/$pid/exe >/dev/null && echo shown || echo hidden; done; ulimit -c";
    let limit = shell("ulimit -Hc").run().stdout;
    let run = |words: &[&str]| shell(script).arg("sh").args(words).run().stdout;
    let child = format!("sh -c '{line}'; true");
    assert_eq!(run(&["sh", "-c", &child]), format!("shown\nshown\n{limit}"), "another program keeps its core dumps");
    assert_eq!(run(&[FAB, "-H", "@local", "--", line]), format!("hidden\nshown\n{limit}"));
}
