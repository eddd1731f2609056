//! Helper `init`: process 1 of a host. Builds the root, starts the SSH server and reaps orphans.

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
use crate::step_error::{StepContext, StepError};

/// Runs a host until the server or the program ends.
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
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context("set the parent death signal")?;
    thread::spawn(exit_on_stdin_eof);
    let settings: HostSettings = parse_argument(argument).context("read the host settings")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    build_root(&settings)?;
    rustix::system::sethostname(settings.name.as_bytes()).context("set the host name")?;
    let server = helper_command(PROGRAM, "serve", &settings)
        .context("serialize the host settings")?
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start the SSH server")?;
    Ok(reap_until_exit(server.id()))
}

/// Exits at the end of stdin. When process 1 ends, the kernel kills all processes of the namespace.
///
/// The program holds the write end of the pipe. The kernel closes the write end when the program
/// ends, even after `SIGKILL`.
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the main thread waits for processes, and holds nothing to release"
)]
fn exit_on_stdin_eof() {
    // The program never writes to this pipe, and a read error has the same meaning as the end of
    // stdin.
    let _ = io::copy(&mut stdin().lock().by_ref(), &mut io::sink());
    std::process::exit(0);
}

/// Reaps ended processes, including orphans, until the server has ended.
fn reap_until_exit(server: u32) -> ExitCode {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, _))) if u32::try_from(pid.as_raw_nonzero().get()) == Ok(server) => return ExitCode::SUCCESS,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}
