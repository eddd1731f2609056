//! One command's first moments: a session of its own, the user, then the command itself.

use std::ffi::OsString;
use std::io::{Write, stderr, stdin};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

use super::process::parse_argument;
use crate::step_error::{Context, StepError};

/// Who a command is run as.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
    /// Whether its stdin is a pty that becomes its terminal.
    pub(crate) pty: bool,
    /// Whether `sudo` is open to it.
    pub(crate) may_sudo: bool,
}

/// What one needs to become root: inherited by what the user runs, and used by our `sudo` alone.
///
/// A program with the set-user-id bit would be the usual way, but would have to be copied into each host.
const CHANGE_USER_CAPABILITIES: CapabilitySet = CapabilitySet::SETUID.union(CapabilitySet::SETGID);

/// Becomes a user's command: the words after [`Login`] are the program, its own name for itself, and its arguments.
pub(super) fn login(arguments: Vec<OsString>) -> ExitCode {
    let Err(failure) = start(arguments);
    let _ = writeln!(stderr(), "{failure}");
    ExitCode::from(255)
}

fn start(arguments: Vec<OsString>) -> Result<std::convert::Infallible, StepError> {
    let mut arguments = arguments.into_iter();
    let login: Login = parse_argument(arguments.next()).context("read who logs in")?;
    let program = arguments.next().unwrap_or_default();
    let name = arguments.next().unwrap_or_default();
    rustix::process::setsid().context("start a session")?;
    if login.pty {
        rustix::process::ioctl_tiocsctty(stdin()).context("take the terminal")?;
    }
    become_user(&login).context("become the user")?;
    // As sshd has it: one without a home stands in the root.
    if rustix::process::chdir(&login.home).is_err() {
        rustix::process::chdir("/").context("stand in the root")?;
    }
    let failure = Command::new(&program).arg0(name).args(arguments).exec();
    Err(failure).context(format!("start `{}`", program.to_string_lossy()))
}

fn become_user(login: &Login) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(login.uid), Gid::from_raw(login.gid));
    // Where there is no user but root, there is nothing to become, and the kernel takes no groups.
    if rustix::process::geteuid() == uid {
        return Ok(());
    }
    let groups: Vec<Gid> = login.groups.iter().copied().map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_keep_capabilities(login.may_sudo)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    if login.may_sudo {
        let sets = CapabilitySets {
            effective: CHANGE_USER_CAPABILITIES,
            permitted: CHANGE_USER_CAPABILITIES,
            inheritable: CHANGE_USER_CAPABILITIES,
        };
        rustix::thread::set_capabilities(None, sets)?;
        for capability in CHANGE_USER_CAPABILITIES.iter() {
            rustix::thread::configure_capability_in_ambient_set(capability, true)?;
        }
    }
    Ok(())
}
