//! Entry point of helper processes: [`run_helper`].

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use super::contain;
use super::init;
use super::login;
use super::process::{DISPATCHED, HELPER_ARGUMENT};
use super::sudo;
use crate::root::paths::PROGRAM;
use crate::serve::server;
use crate::sftp;

/// Runs a helper process of a demo, if this process was started as a helper.
///
/// Returns the exit code of the helper, or `None` in a normal start. A program that starts a
/// [`Demo`](crate::Demo) calls this function first in `main` and returns the exit code, if any.
pub fn run_helper() -> Option<ExitCode> {
    DISPATCHED.store(true, Ordering::Relaxed);
    if is_sudo() {
        return Some(sudo::sudo(std::env::args_os().skip(1).collect()));
    }
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != HELPER_ARGUMENT {
        return None;
    }
    let helper = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    Some(match helper.to_str() {
        Some("contain") => contain::contain(),
        Some("init") => init::init(rest),
        Some("serve") => server::run_server(rest),
        Some("login") => login::login(rest),
        Some("sftp") => sftp::server::run_sftp_server(),
        _ => ExitCode::FAILURE,
    })
}

/// Returns `true` if this program was called as `sudo` inside a host.
fn is_sudo() -> bool {
    let own = std::env::current_exe();
    own.is_ok_and(|own| own.file_name().is_some_and(|name| name == "sudo")) && Path::new(PROGRAM).exists()
}
