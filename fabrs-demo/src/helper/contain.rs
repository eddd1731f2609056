//! The first part: takes namespaces of its own and starts the host in them.

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
use crate::step_error::{Context, StepError};

/// Contains what follows, and returns when all of it is gone.
pub(super) fn contain() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(StepError { step, reason }) => {
            // Where nobody listens any more, nobody waits for it either.
            let _ = send(stdout(), &StartupMessage::Failed { step, reason });
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), StepError> {
    // Away from the terminal: its keys are not for the host, and `/dev/tty` inside must not be it.
    rustix::process::setsid().context("start a session")?;
    let namespaces = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(namespaces).map_err(io::Error::from).context("make namespaces")?;
    send(stdout(), &StartupMessage::NamespacesReady).context("say so")?;
    let settings: HostSettings = receive(&mut stdin().lock()).context("hear what to be")?;
    // Opened before it may no longer be found, and from within the new mounts, so that it can be shown inside.
    let program = open_program().context("open its own program")?;
    if settings.users == UserMapping::Range {
        switch_to_root().context("become root inside")?;
    }
    // Process 1 of the new namespace is the next that is started.
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    let mut init = helper_command(&path, "init", &settings).context("write what to be")?;
    init.arg0("fabrs-demo").stderr(Stdio::null()).status().context("start the host").map(drop)
}

/// Opens this program so that everybody may run it: one that is for its owner alone is copied, in memory.
fn open_program() -> io::Result<File> {
    const READ_AND_EXECUTE: u32 = 0o005;
    let own = "/proc/self/exe";
    // The link leads to the mounts of the machine; its name is found in those of the host. It may be gone by now.
    let mut file = File::open(fs::read_link(own)?).or_else(|_| File::open(own))?;
    if file.metadata()?.mode() & READ_AND_EXECUTE == READ_AND_EXECUTE {
        return Ok(file);
    }
    let mut copy = File::from(memfd_create("fabrs-demo", MemfdFlags::CLOEXEC)?);
    io::copy(&mut file, &mut copy)?;
    copy.set_permissions(Permissions::from_mode(0o755))?;
    // What is open for writing can't be run.
    File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))
}

/// Leaves the user who started this behind: nothing of his is needed any more.
fn switch_to_root() -> rustix::io::Result<()> {
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    // There is one thread.
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}
