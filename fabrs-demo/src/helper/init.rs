//! Process 1 of the host: makes the root, starts the server, reaps, and ends everything when the program is gone.

use std::ffi::OsString;
use std::io::{self, Read, stdin, stdout};
use std::process::{ExitCode, Stdio};
use std::thread;

use rustix::fs::Mode;
use rustix::process::{Signal, WaitOptions};

use super::process::{helper_command, parse_argument};
use crate::protocol::{HostSettings, StartupMessage, send};
use crate::root::build::build_root;
use crate::root::paths::PROGRAM;
use crate::step_error::{Context, StepError};

/// Runs a host to its end.
pub(super) fn init(mut arguments: Vec<OsString>) -> ExitCode {
    match start(arguments.pop()) {
        Ok(code) => code,
        Err(StepError { step, reason }) => {
            let _ = send(stdout(), &StartupMessage::Failed { step, reason });
            ExitCode::FAILURE
        }
    }
}

fn start(argument: Option<OsString>) -> Result<ExitCode, StepError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context("follow its parent")?;
    thread::spawn(exit_on_stdin_eof);
    let settings: HostSettings = parse_argument(argument).context("read what to be")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    build_root(&settings)?;
    rustix::system::sethostname(settings.name.as_bytes()).context("take its name")?;
    let server = helper_command(PROGRAM, "serve", &settings)
        .context("write what to be")?
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start the server")?;
    Ok(reap_until_exit(server.id()))
}

/// Ends this process, and with it all of its namespace, when the other end of its input is gone: the program has ended,
/// however it did.
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the main thread waits for processes, and there is nothing to give back"
)]
fn exit_on_stdin_eof() {
    // Nothing is ever said here; an error is an end too.
    let _ = io::copy(&mut stdin().lock().by_ref(), &mut io::sink());
    std::process::exit(0);
}

/// Reaps what ends, orphans too, until the server does.
fn reap_until_exit(server: u32) -> ExitCode {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, _))) if u32::try_from(pid.as_raw_nonzero().get()) == Ok(server) => return ExitCode::SUCCESS,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}
