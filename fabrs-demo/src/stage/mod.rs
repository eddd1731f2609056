//! The parts that this very program plays in a demo: it is started again with a first argument that nobody types.
//!
//! ```text
//! the program ──► contain      takes namespaces, and waits for the users to be mapped into them
//!                   └─► init     process 1 inside: makes the root, reaps orphans, ends when the program is gone
//!                         └─► serve   the SSH server
//!                               └─► login   one command: becomes the user, then that command
//!                                     ├─► sudo    what `sudo` is inside
//!                                     └─► sftp    what the subsystem `sftp` is
//! ```

mod contain;
mod init;
mod login;
mod sudo;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::{root, serve, sftp};

pub(crate) use login::Login;

/// The first argument of a part.
const MARK: &str = "--fabrs-demo-part";

/// Whether [`arrive`] was called, so that a program that is started again will know its part.
static ARRIVED: AtomicBool = AtomicBool::new(false);

/// Plays a part of a demo where this process was started for one, and returns with what code it ends.
///
/// A program that starts a [`Demo`](crate::Demo) calls this before anything else in its `main`, and returns the code
/// where there is one.
pub fn arrive() -> Option<ExitCode> {
    ARRIVED.store(true, Ordering::Relaxed);
    if is_sudo() {
        return Some(sudo::sudo(std::env::args_os().skip(1).collect()));
    }
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != MARK {
        return None;
    }
    let part = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    Some(match part.to_str() {
        Some("contain") => contain::contain(),
        Some("init") => init::init(rest),
        Some("serve") => serve::serve(rest),
        Some("login") => login::login(rest),
        Some("sftp") => sftp::sftp(),
        _ => ExitCode::FAILURE,
    })
}

/// Tells whether this program stands where `sudo` is, inside a host.
fn is_sudo() -> bool {
    let own = std::env::current_exe();
    own.is_ok_and(|own| own.file_name().is_some_and(|name| name == "sudo")) && Path::new(root::PROGRAM).exists()
}

/// Tells whether [`arrive`] was called.
pub(crate) fn has_arrived() -> bool {
    ARRIVED.load(Ordering::Relaxed)
}

/// Returns the words after a program's name that make it play a part.
pub(crate) fn words(part: &str) -> [&str; 2] {
    [MARK, part]
}

/// Returns a command that plays a part, told what it needs.
pub(crate) fn part(program: &str, part: &str, told: &impl Serialize) -> serde_json::Result<Command> {
    let mut command = Command::new(program);
    command.args(words(part)).arg(serde_json::to_string(told)?);
    Ok(command)
}

/// Reads what [`part`] was told.
pub(crate) fn told<T: serde::de::DeserializeOwned>(argument: Option<OsString>) -> serde_json::Result<T> {
    serde_json::from_str(&argument.unwrap_or_default().to_string_lossy())
}
