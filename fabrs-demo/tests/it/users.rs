//! Users of a host, started by root or by a plain user, with and without subordinate user IDs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use fabrs_testing::{Account, Capability, Process, Sshd, marker, processes_matching};
use tempfile::TempDir;

use crate::fixtures::{DemoProgram, PROGRAM, start_program, text};

/// Returns a world-readable directory with a copy of the program.
fn world_readable_program() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("fabrs-demo");
    // `cp` makes the copy in another process. In this process, a parallel test could fork while the
    // copy is open for writing, and such a file cannot be executed (ETXTBSY).
    let copied = Command::new("cp").arg(PROGRAM).arg(&program).status().expect("`cp` is installed");
    assert!(copied.success(), "the program can be copied");
    for path in [dir.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the test owns the file");
    }
    (dir, program)
}

/// Starts a host as a plain user: a test account if the test runs as root, else the current user.
fn as_plain_user(path: &str) -> (TempDir, DemoProgram) {
    as_plain_user_through(&[], path)
}

/// Like [`as_plain_user`], with the program started through another command.
fn as_plain_user_through(prefix: &[&str], path: &str) -> (TempDir, DemoProgram) {
    let (dir, program) = world_readable_program();
    let program: Vec<&OsStr> = prefix.iter().map(OsStr::new).chain([program.as_os_str()]).collect();
    let mut command = if Capability::Accounts.is_available() {
        // The start of a server creates its accounts.
        drop(Sshd::builder().users([Account::Plain]).start());
        let name = Account::Plain.name();
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--reuid", name, "--regid", name, "--init-groups", "--"]).args(program);
        command
    } else {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]);
        command
    };
    command.env("PATH", path);
    (dir, start_program(command))
}

#[test]
fn without_subordinate_ids_a_host_has_only_root() {
    let (_dir, program) = as_plain_user("/no/such/dir");
    assert_eq!(program.stdout_of("id -un; id -u; sudo id -un; echo $HOME"), "root\n0\nroot\n/root\n");
    let output =
        program.run("touch /usr/x /opt/x; mount -o remount,bind,rw /usr && touch /usr/x; touch /etc/x && echo x");
    assert_eq!(text(&output.stdout), "x\n", "{output:?}");
    // On the machine, the process belongs to the starting user.
    let seconds = marker();
    program.stdout_of(&format!("setsid -f sleep {seconds} > /dev/null 2>&1"));
    let uids: Vec<u32> = processes_matching(&format!("sleep {seconds}")).iter().map(|process| process.uid).collect();
    assert_eq!(uids, [uid_of(program.child.id())]);
    assert!(!fs::exists("/usr/x").expect("a readable directory"));
}

#[test]
fn a_host_started_inside_a_user_namespace_has_only_root() {
    let (_dir, program) = as_plain_user_through(&["/usr/bin/unshare", "--map-root-user"], "/usr/bin:/bin");
    assert_eq!(program.stdout_of("id -un; sudo touch /etc/x; hostname"), "root\ndemo\n");
}

#[test]
fn with_subordinate_ids_a_host_has_all_users() {
    let (_dir, program) = as_plain_user("/usr/bin:/bin");
    let line = "id -un; id -u; sudo id -un; sudo -u www-data id -un; sudo chown www-data /srv; stat -c %U /srv";
    assert_eq!(program.stdout_of(line), "demo\n1000\nroot\nwww-data\nwww-data\n");
}

#[test]
fn users_of_a_host_have_ids_unused_on_the_machine() {
    if !Capability::Accounts.is_available() {
        return;
    }
    let program = start_program(Command::new(PROGRAM));
    let seconds = marker();
    program.stdout_of(&format!(
        "setsid -f sleep {seconds} > /dev/null 2>&1; sudo setsid -f sleep {seconds} > /dev/null 2>&1"
    ));
    let mut uids: Vec<u32> =
        processes_matching(&format!("sleep {seconds}")).iter().map(|process| process.uid).collect();
    uids.sort_unstable();
    assert_eq!(uids, [0x6fff_0000, 0x6fff_0000 + 1000]);
}

#[test]
fn a_program_with_mode_0700_works() {
    let (_dir, program) = world_readable_program();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("the test owns the file");
    let program = start_program(Command::new(program));
    assert_eq!(program.stdout_of("sudo id -un"), "root\n");
}

fn uid_of(pid: u32) -> u32 {
    Process::find(i32::try_from(pid).expect("a PID fits in i32")).expect("the process runs").uid
}
