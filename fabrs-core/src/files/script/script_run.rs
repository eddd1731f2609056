//! Runs one script on a host, and explains its failure.

use memchr::memmem;

use super::limits::{Excess, MessageLimit};
use super::talk::Talk;
use super::text::shell_text;
use crate::connection::ShellProbe;
use crate::connection::{Command, Hide};
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::event::Stream;
use crate::files::backend_error::BackendError;
use crate::files::transfer_context::TransferContext;
use crate::output::{Output, last_lines};
use crate::shell::{ShellLine, ShellLineError};
use crate::transport::{Effect, ProgramRejected};

/// The number of bytes that are kept of the output of a script, for error messages.
pub(super) const KEPT: usize = 4096;

/// One script for one host.
pub(super) struct Script<'a> {
    pub(super) context: &'a TransferContext,
    pub(super) effect: Effect,
    /// The description.
    pub(super) operation: &'a str,
}

impl Script<'_> {
    /// Creates the command of a script with a short answer. `path` is the subject of the line.
    pub(super) fn command(&self, line: Result<String, ShellLineError>, path: &str) -> Result<Command> {
        Ok(self.command_with_content(line, path)?.with_watcher(MessageLimit::of(Stream::Stdout)))
    }

    /// Creates the command of a script whose output is read by a watcher with limits of its own.
    pub(super) fn command_with_content(&self, line: Result<String, ShellLineError>, path: &str) -> Result<Command> {
        let line = line.map_err(|source| {
            self.context.error(Error::new(ErrorKind::Usage, format!("`{path}` can't be sent")).caused_by(source))
        })?;
        let connection = self.context.connection.for_internal_script();
        // With `CDPATH`, `cd` may enter another directory and print its path.
        let line = format!("unset CDPATH\n{line}");
        let command = connection.command(ShellLine::raw(line), self.effect, self.context.location);
        let command = command.posix().named(self.operation).hide(Hide::Both);
        let command = if self.context.is_check { command.internal_check() } else { command };
        let command = if self.context.has_secret { command.with_secret_input() } else { command };
        let command = command.with_watcher(MessageLimit::of(Stream::Stderr));
        Ok(if self.context.elevated { command.sudo() } else { command })
    }

    /// Creates the command of a script with a dialogue, and the dialogue.
    pub(super) fn talk(&self, line: Result<String, ShellLineError>, path: &str) -> Result<(Talk, Command)> {
        let (talk, ear, said) = Talk::new();
        Ok((talk, self.command_with_content(line, path)?.with_watcher(ear).stdin_channel(said).capture_tail(KEPT)))
    }

    /// Runs the script. The error distinguishes a host without a shell from a failed script.
    pub(super) async fn run(&self, command: Command) -> Result<Output, BackendError> {
        let greeting = ShellProbe::default();
        let result = command.with_shell_probe(&greeting).await;
        match result {
            Ok(output) if greeting.has_shell() => Ok(output),
            Ok(output) => Err(BackendError::NoShell(self.no_shell(Some(&output)))),
            Err(error) if greeting.has_shell() || !may_be_no_shell(&error) => {
                Err(BackendError::Failed(self.failed(&error)))
            }
            Err(error) if ProgramRejected::caused(&error) => Err(BackendError::NoShell(
                self.context.could_not(self.operation).caused_by(CauseText(error.message().to_owned())),
            )),
            Err(error) => Err(BackendError::NoShell(self.no_shell(error.output()))),
        }
    }

    /// Creates the error of a host that ran another program in place of the script. The cause is the last output.
    fn no_shell(&self, output: Option<&Output>) -> Error {
        let last = |output: &Output, bytes: &[u8]| {
            let said = last_lines(&output.record.redactor.bytes(bytes), 1).trim().to_owned();
            (!said.is_empty()).then_some(said)
        };
        let said = output.and_then(|output| {
            last(output, &output.record.stderr.bytes).or_else(|| last(output, &output.record.stdout.bytes))
        });
        let said = said.unwrap_or_else(|| "the host gives no shell".to_owned());
        self.context.could_not(self.operation).caused_by(CauseText(said))
    }

    /// Creates the error of a failed script. The cause is the last message of the script or its tools.
    fn failed(&self, error: &Error) -> Error {
        if let Some(excess) = Excess::of(error) {
            return excess.explain(self.context.could_not(self.operation));
        }
        let (ErrorKind::Exit, Some(output)) = (error.kind(), error.output()) else {
            return error.clone().without_output();
        };
        let told = output.record.redactor.bytes(&output.record.stderr.bytes);
        let said = match memmem::rfind(&told, shell_text::SAYS.as_bytes()) {
            // A file name in the message may have line breaks.
            Some(at) => {
                String::from_utf8_lossy(told.get(at + shell_text::SAYS.len()..).unwrap_or_default()).into_owned()
            }
            None => without_line(&last_lines(&told, 1)).to_owned(),
        };
        let said = match (said.trim(), output.status()) {
            ("", Ok(status)) => format!("the host's shell ended with {status}"),
            (said, _) => said.to_owned(),
        };
        let made = self.context.could_not(self.operation);
        let made = if said.ends_with("Permission denied") && !self.context.elevated {
            made.hint("`.sudo()` does it as root")
        } else if said.starts_with(crate::files::file_error::NO_FOLDER) {
            made.hint("`.ensure_dir(path)` makes it")
        } else {
            made
        };
        made.caused_by(CauseText(said))
    }
}

/// Returns a message of a shell without the line number of the script: `bash: line 17: cd: /x: …`,
/// `sh: 3: eval: cannot open …`.
fn without_line(said: &str) -> &str {
    let is_shell = |name: &str| name.rsplit('/').next().is_some_and(|name| name.ends_with("sh"));
    let Some((_, rest)) = said.split_once(": ").filter(|(name, _)| is_shell(name)) else { return said };
    let rest = rest.strip_prefix("eval: ").unwrap_or(rest);
    let (line, message) = rest.split_once(": ").unwrap_or_default();
    let number = line.strip_prefix("line ").unwrap_or(line);
    let is_line = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_line { message.strip_prefix("eval: ").unwrap_or(message) } else { said }
}

/// Returns true if a command may have failed for lack of a shell.
fn may_be_no_shell(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Exit | ErrorKind::Sudo) || ProgramRejected::caused(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_script_is_not_told() {
        for (said, expected) in [
            ("bash: line 17: cd: /root: Permission denied", "cd: /root: Permission denied"),
            ("/bin/sh: 3: cannot open /etc/shadow: Permission denied", "cannot open /etc/shadow: Permission denied"),
            ("sh: 3: eval: cannot open /etc/shadow: Permission denied", "cannot open /etc/shadow: Permission denied"),
            ("sh: eval: line 17: cd: /root: Permission denied", "cd: /root: Permission denied"),
            ("mkdir: cannot create directory: File exists", "mkdir: cannot create directory: File exists"),
            ("bash: fork: Cannot allocate memory", "bash: fork: Cannot allocate memory"),
        ] {
            assert_eq!(without_line(said), expected);
        }
    }
}
