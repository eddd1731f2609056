//! Which users a host has: for root and for plain users, with and without ids of their own to give away.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use fabrs_testing::{Account, Capability, Process, Sshd, marker, processes_matching};
use tempfile::TempDir;

use crate::fixtures::{DemoProgram, PROGRAM, start_program, text};

/// A folder that everybody may look into, with a copy of the program.
fn public() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("fabrs-demo");
    // By another program: one that is open for writing here, while a test beside this one forks, can't be run.
    let copied = Command::new("cp").arg(PROGRAM).arg(&program).status().expect("cp is there");
    assert!(copied.success(), "it can be copied");
    for path in [folder.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    (folder, program)
}

/// Starts a host as a plain user: an account of the harness where this is root, else whoever this is.
fn as_plain_user(path: &str) -> (TempDir, DemoProgram) {
    as_plain_user_by(&[], path)
}

/// Starts it by the words before it.
fn as_plain_user_by(before: &[&str], path: &str) -> (TempDir, DemoProgram) {
    let (folder, program) = public();
    let program: Vec<&OsStr> = before.iter().map(OsStr::new).chain([program.as_os_str()]).collect();
    let mut command = if Capability::Accounts.is_available() {
        // Started, a server makes its accounts.
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
    (folder, start_program(command))
}

#[test]
fn a_plain_user_without_ids_of_his_own_has_root_alone() {
    let (_folder, program) = as_plain_user("/no/such/folder");
    assert_eq!(program.stdout_of("id -un; id -u; sudo id -un; echo $HOME"), "root\n0\nroot\n/root\n");
    let output =
        program.run("touch /usr/x /opt/x; mount -o remount,bind,rw /usr && touch /usr/x; touch /etc/x && echo x");
    assert_eq!(text(&output.stdout), "x\n", "{output:?}");
    // Outside he is who he was.
    let nap = marker();
    program.stdout_of(&format!("setsid -f sleep {nap} > /dev/null 2>&1"));
    let uids: Vec<u32> = processes_matching(&format!("sleep {nap}")).iter().map(|process| process.uid).collect();
    assert_eq!(uids, [uid_of(program.child.id())]);
    assert!(!fs::exists("/usr/x").expect("it can be looked at"));
}

#[test]
fn a_plain_user_who_is_root_of_a_namespace_already_has_root_alone() {
    let (_folder, program) = as_plain_user_by(&["/usr/bin/unshare", "--map-root-user"], "/usr/bin:/bin");
    assert_eq!(program.stdout_of("id -un; sudo touch /etc/x; hostname"), "root\ndemo\n");
}

#[test]
fn a_plain_user_with_ids_of_his_own_has_all_users() {
    let (_folder, program) = as_plain_user("/usr/bin:/bin");
    let line = "id -un; id -u; sudo id -un; sudo -u www-data id -un; sudo chown www-data /srv; stat -c %U /srv";
    assert_eq!(program.stdout_of(line), "demo\n1000\nroot\nwww-data\nwww-data\n");
}

#[test]
fn nobody_inside_is_anybody_outside() {
    if !Capability::Accounts.is_available() {
        return;
    }
    let program = start_program(Command::new(PROGRAM));
    let nap = marker();
    program.stdout_of(&format!("setsid -f sleep {nap} > /dev/null 2>&1; sudo setsid -f sleep {nap} > /dev/null 2>&1"));
    let mut uids: Vec<u32> = processes_matching(&format!("sleep {nap}")).iter().map(|process| process.uid).collect();
    uids.sort_unstable();
    assert_eq!(uids, [0x6fff_0000, 0x6fff_0000 + 1000]);
}

#[test]
fn a_program_that_only_its_owner_may_run_works_too() {
    let (_folder, program) = public();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let program = start_program(Command::new(program));
    assert_eq!(program.stdout_of("sudo id -un"), "root\n");
}

fn uid_of(pid: u32) -> u32 {
    Process::find(i32::try_from(pid).expect("it is small")).expect("it runs").uid
}
