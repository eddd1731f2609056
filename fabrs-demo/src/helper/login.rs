//! Helper `login`: starts a session, switches to the user and executes the command.

use std::ffi::OsString;
use std::io::{Write, stderr, stdin};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};

use super::process::parse_argument;
use crate::step_error::{StepContext, StepError};

/// The user and the session of a command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
    /// `true` if stdin is a pseudo-terminal. The pseudo-terminal becomes the controlling terminal.
    pub(crate) has_pty: bool,
    /// `true` if the user may use `sudo`.
    pub(crate) may_sudo: bool,
}

/// The capabilities for changing the user. Commands of the user inherit them, for use by `sudo`.
///
/// A set-user-ID program would be the usual solution, but needs a copy of the program in each host.
const CHANGE_USER_CAPABILITIES: CapabilitySet = CapabilitySet::SETUID.union(CapabilitySet::SETGID);

/// Executes a command as a user.
///
/// `arguments` are a serialized [`Login`], the program, its `argv[0]`, and its arguments.
pub(super) fn login(arguments: Vec<OsString>) -> ExitCode {
    let Err(failure) = start(arguments);
    let _ = writeln!(stderr(), "{failure}");
    ExitCode::from(255)
}

fn start(arguments: Vec<OsString>) -> Result<std::convert::Infallible, StepError> {
    let mut arguments = arguments.into_iter();
    let login: Login = parse_argument(arguments.next()).context("read the login")?;
    let program = arguments.next().unwrap_or_default();
    let name = arguments.next().unwrap_or_default();
    rustix::process::setsid().context("start a session")?;
    if login.has_pty {
        rustix::process::ioctl_tiocsctty(stdin()).context("set the controlling terminal")?;
    }
    become_user(&login).context("switch to the user")?;
    // As in sshd, a user without a home starts in `/`.
    if rustix::process::chdir(&login.home).is_err() {
        rustix::process::chdir("/").context("change to the directory `/`")?;
    }
    let failure = Command::new(&program).arg0(name).args(arguments).exec();
    Err(failure).context(format!("start `{}`", program.to_string_lossy()))
}

fn become_user(login: &Login) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(login.uid), Gid::from_raw(login.gid));
    // In a namespace with root only, there is no other user, and the kernel rejects `setgroups`.
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
