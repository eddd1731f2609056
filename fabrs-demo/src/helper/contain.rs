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

use super::process::part;
use crate::protocol::{Setup, Told, Users, hear, say};
use crate::step_error::{Failure, While};

/// Contains what follows, and returns when all of it is gone.
pub(super) fn contain() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { what, why }) => {
            // Where nobody listens any more, nobody waits for it either.
            let _ = say(stdout(), &Told::Failed { what, why });
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Failure> {
    // Away from the terminal: its keys are not for the host, and `/dev/tty` inside must not be it.
    rustix::process::setsid().when("start a session")?;
    let apart = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(apart).map_err(io::Error::from).when("make namespaces")?;
    say(stdout(), &Told::Apart).when("say so")?;
    let setup: Setup = hear(&mut stdin().lock()).when("hear what to be")?;
    // Opened before it may no longer be found, and from within the new mounts, so that it can be shown inside.
    let program = program().when("open its own program")?;
    if setup.users == Users::Many {
        become_root().when("become root inside")?;
    }
    // Process 1 of the new namespace is the next that is started.
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    let mut init = part(&path, "init", &setup).when("write what to be")?;
    init.arg0("fabrs-demo").stderr(Stdio::null()).status().when("start the host").map(drop)
}

/// Opens this program so that everybody may run it: one that is for its owner alone is copied, in memory.
fn program() -> io::Result<File> {
    const FOR_ALL: u32 = 0o005;
    let own = "/proc/self/exe";
    // The link leads to the mounts of the machine; its name is found in those of the host. It may be gone by now.
    let mut file = File::open(fs::read_link(own)?).or_else(|_| File::open(own))?;
    if file.metadata()?.mode() & FOR_ALL == FOR_ALL {
        return Ok(file);
    }
    let mut copy = File::from(memfd_create("fabrs-demo", MemfdFlags::CLOEXEC)?);
    io::copy(&mut file, &mut copy)?;
    copy.set_permissions(Permissions::from_mode(0o755))?;
    // What is open for writing can't be run.
    File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))
}

/// Leaves the user who started this behind: nothing of his is needed any more.
fn become_root() -> rustix::io::Result<()> {
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    // There is one thread.
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}
