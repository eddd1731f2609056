//! Helper `contain`: creates the namespaces of a host and starts `init` in them.

use std::fs::{self, File, Permissions};
use std::io::{self, stdin, stdout};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{ExitCode, Stdio};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Gid, Uid};

use super::process::helper_command;
use crate::protocol::{HostSettings, StartupMessage, UserMapping, receive, send};
use crate::step_error::{StepContext, StepError};

/// Creates the namespaces and returns after all processes in them have ended.
pub(super) fn contain() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(StepError { step, reason }) => {
            // If the program has ended, the send fails. The message is then not needed.
            let _ = send(stdout(), &StartupMessage::Failed { step, reason });
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), StepError> {
    // A new session detaches the host from the terminal: Ctrl-C must not reach the host, and
    // `/dev/tty` inside the host must not be the terminal of the program.
    rustix::process::setsid().context("start a session")?;
    let namespaces = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(namespaces).map_err(io::Error::from).context("create namespaces")?;
    send(stdout(), &StartupMessage::NamespacesReady).context("report the namespaces")?;
    let settings: HostSettings = receive(&mut stdin().lock()).context("read the host settings")?;
    // The program file is opened now, because the file may be deleted later. The file is opened
    // through the new mount namespace, because only mounts of this namespace can be bind-mounted
    // inside.
    let program = open_program().context("open the program file")?;
    if settings.users == UserMapping::AllUsers {
        switch_to_root().context("switch to root of the namespace")?;
    }
    // The next child becomes process 1 of the new PID namespace.
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    let mut init = helper_command(&path, "init", &settings).context("serialize the host settings")?;
    init.arg0("fabrs-demo").stderr(Stdio::null()).status().context("start the host").map(drop)
}

/// Opens this program for execution by any user. If only the owner may execute the file, opens a
/// copy in memory.
fn open_program() -> io::Result<File> {
    const READ_AND_EXECUTE: u32 = 0o005;
    let exe = "/proc/self/exe";
    // Opening `/proc/self/exe` would use a mount of the machine's namespace. Opening the path uses
    // a mount of the new namespace. The fallback is for a program file deleted after the start.
    let mut file = File::open(fs::read_link(exe)?).or_else(|_| File::open(exe))?;
    if file.metadata()?.mode() & READ_AND_EXECUTE == READ_AND_EXECUTE {
        return Ok(file);
    }
    let mut copy = File::from(memfd_create("fabrs-demo", MemfdFlags::CLOEXEC)?);
    io::copy(&mut file, &mut copy)?;
    copy.set_permissions(Permissions::from_mode(0o755))?;
    // The kernel refuses to execute a file that is open for writing, so the copy is reopened.
    File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))
}

/// Switches to root of the namespace. The rights of the starting user are no longer needed.
fn switch_to_root() -> rustix::io::Result<()> {
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    // Changes one thread only. The process is single-threaded here.
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}
