//! Groups of hosts inside tasks: effects of command line options.

use std::time::Duration;

use fabrs_testing::Fab;

use crate::fixtures::{fab, project, shop_hosts, with_ssh_config};

/// Maximum time of a run that compiles the project first.
pub(crate) const COMPILING: Duration = Duration::from_mins(10);

/// Returns a run in the project with tasks for groups.
pub(crate) fn groups() -> Fab {
    fab().current_dir(project("groups")).limit(COMPILING)
}

#[test]
fn parallel_and_serial_limit_the_groups_of_a_task() {
    let sshd = shop_hosts();
    for (options, task, most) in [
        (&[][..], &["overlap-of-role"][..], 3),
        (&["-P", "2"], &["overlap-of-role"], 2),
        (&["-P", "2"], &["overlap-of-role", "--limit", "3"], 2),
        (&["-P", "3"], &["overlap-of-role", "--limit", "2"], 2),
        (&["--serial"], &["overlap-of-role"], 1),
        (&["-P", "2"], &["overlap-of-list"], 2),
        (&["--serial"], &["overlap-of-list"], 1),
    ] {
        let run = with_ssh_config(groups(), &sshd).args(options).arg("live").args(task);
        run.stdout(format!("[local] at most {most}\n")).run();
    }
}

#[test]
fn an_unreachable_host_of_a_group_fails_its_task_or_is_skipped_with_a_warning() {
    let sshd = shop_hosts();
    for task in
        [&["members", "--role", "mixed"][..], &["listed", "--host", "web1", "--host", "gone.invalid", "--host", "web2"]]
    {
        let ran = with_ssh_config(groups(), &sshd).arg("live").args(task).code(4).stdout("").run();
        assert!(ran.stderr.contains("error: 1 of 3 hosts failed\n  caused by: gone.invalid: "), "{}", ran.stderr);
        let ran = with_ssh_config(groups(), &sshd).args(["--skip-bad-hosts", "live"]).args(task).run();
        assert!(ran.stdout.ends_with(": web1 web2\n"), "{}", ran.stdout);
        let warning = "warning: gone.invalid: skipped: could not connect to gone.invalid port ";
        assert_eq!(ran.stderr.matches(warning).count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn a_group_of_skipped_hosts_is_an_error() {
    let sshd = shop_hosts();
    let run = with_ssh_config(groups(), &sshd).args(["--skip-bad-hosts", "live", "members", "--role", "gone"]);
    run.code(4).stdout("").stderr_contains("error: gone.invalid: the only host was skipped\n").run();
}

#[test]
fn hosts_of_the_command_line_narrow_a_role_inside_a_task() {
    let sshd = shop_hosts();
    let members =
        |hosts: &str| with_ssh_config(groups(), &sshd).args(["-H", hosts, "live", "members", "--role", "web"]);
    members("web2").stdout("[local] web: web2\n").run();
    members("web3,db1,web1").stdout("[local] web: web1 web3\n").run();
    let block = "error: no host of `-H` (db1) is in role `web` of environment `live` (web1, web2, web3)\n";
    members("db1").code(3).stdout("").stderr_contains(block).run();
    // `-H` does not narrow hosts listed by a task.
    let listed = with_ssh_config(groups(), &sshd).args(["-H", "db1", "live", "listed", "--host", "web1"]);
    listed.stdout("[local] listed: web1\n").run();
    let left_out = with_ssh_config(groups(), &sshd).args(["-x", "web1", "live", "members", "--role", "web"]);
    left_out.stdout("[local] web: web2 web3\n").run();
}

#[test]
fn demo_hosts_replace_the_hosts_of_each_role() {
    let run = groups().args(["-H", "@demo:2", "live", "members", "--role", "web", "--role", "db"]);
    run.stdout("[local] web: demo1 demo2\n[local] db: demo1 demo2\n").run();
}

#[test]
fn calling_a_task_of_another_role_is_an_error_with_a_hint() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(groups(), &sshd).args(["-H", "web1", "live", "backs-up"]).code(1).stdout("").run();
    let error = "error: web1: task `back-up` runs on role `db`, not on the host of the calling task\n";
    let hint = "hint: call the task in a `#[task(local)]`: `back_up::call(..).all().await?.all_ok()?`\n";
    assert!(ran.stderr.contains(error) && ran.stderr.contains(hint), "{}", ran.stderr);
    with_ssh_config(groups(), &sshd).args(["live", "backs-up-all"]).stdout("[local] backed up: db1\n").run();
    let narrowed = with_ssh_config(groups(), &sshd).args(["-H", "web1", "live", "backs-up-all"]);
    narrowed.code(3).stdout("").stderr_contains("is in role `db` of environment `live` (db1)").run();
}

#[test]
fn local_on_a_connection_with_a_directory_is_an_error_with_its_line() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(groups(), &sshd).args(["-H", "web1", "local-in-a-directory"]).code(1).stdout("").run();
    let error = "error: web1: `pwd` runs on this machine and would ignore `.cd(..)` of the connection\n";
    let hint = "hint: call the function `local(..)`, and configure the command itself: `local(\"make\").cd(\"src\")`\n";
    assert!(ran.stderr.contains(error) && ran.stderr.contains(hint), "{}", ran.stderr);
    assert!(ran.stderr.contains("groups/tasks.rs:"), "{}", ran.stderr);
}
