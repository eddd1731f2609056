//! Runs a script on a host, and converts its failure into an error.

use memchr::memmem;

use super::limits::{Excess, MessageLimit};
use super::script_dialog::ScriptDialog;
use super::text::MESSAGE_PREFIX;
use crate::connection::ShellProbe;
use crate::connection::{Command, Hide};
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::event::Stream;
use crate::output::{Output, last_lines};
use crate::shell::{ShellLine, ShellLineError};
use crate::transfer::backend_error::BackendError;
use crate::transfer::context::TransferContext;
use crate::transport::{Effect, ProgramRejected};

/// The number of bytes of output kept for error messages.
pub(crate) const MAX_KEPT_OUTPUT: usize = 4096;

/// A script for one host.
pub(crate) struct ScriptRun<'a> {
    pub(crate) context: &'a TransferContext,
    pub(crate) effect: Effect,
    /// The description of the operation, for events and errors.
    pub(crate) operation: &'a str,
}

impl ScriptRun<'_> {
    /// Creates the command of a script with a short answer. Errors name `path`.
    pub(crate) fn command(&self, line: Result<String, ShellLineError>, path: &str) -> Result<Command> {
        Ok(self.command_with_content(line, path)?.with_watcher(MessageLimit::of(Stream::Stdout)))
    }

    /// Creates the command of a script. The caller adds a watcher with limits for stdout.
    pub(crate) fn command_with_content(&self, line: Result<String, ShellLineError>, path: &str) -> Result<Command> {
        let line = line.map_err(|source| {
            self.context.error(Error::new(ErrorKind::Usage, format!("cannot send `{path}`")).caused_by(source))
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

    /// Creates the command and the dialogue of a script.
    pub(crate) fn dialog(&self, line: Result<String, ShellLineError>, path: &str) -> Result<(ScriptDialog, Command)> {
        let (dialog, receiver, chunks) = ScriptDialog::new();
        Ok((
            dialog,
            self.command_with_content(line, path)?
                .with_watcher(receiver)
                .stdin_channel(chunks)
                .capture_tail(MAX_KEPT_OUTPUT),
        ))
    }

    /// Runs the script. The error distinguishes a host without a shell from a failed script.
    pub(crate) async fn run(&self, command: Command) -> Result<Output, BackendError> {
        let probe = ShellProbe::default();
        let result = command.with_shell_probe(&probe).await;
        match result {
            Ok(output) if probe.has_shell() => Ok(output),
            Ok(output) => Err(BackendError::NoShell(self.no_shell(Some(&output)))),
            Err(error) if probe.has_shell() || !may_be_no_shell(&error) => {
                Err(BackendError::Failed(self.failed(&error)))
            }
            Err(error) if ProgramRejected::caused(&error) => Err(BackendError::NoShell(
                self.context.could_not(self.operation).caused_by(CauseText(error.message().to_owned())),
            )),
            Err(error) => Err(BackendError::NoShell(self.no_shell(error.output()))),
        }
    }

    /// Creates the error of a host that ran another program instead of the script. The cause is the
    /// last line of output.
    fn no_shell(&self, output: Option<&Output>) -> Error {
        let last = |output: &Output, bytes: &[u8]| {
            let message = last_lines(&output.record.redactor.bytes(bytes), 1).trim().to_owned();
            (!message.is_empty()).then_some(message)
        };
        let message = output.and_then(|output| {
            last(output, &output.record.stderr.bytes).or_else(|| last(output, &output.record.stdout.bytes))
        });
        let message = message.unwrap_or_else(|| "the host has no shell".to_owned());
        self.context.could_not(self.operation).caused_by(CauseText(message))
    }

    /// Creates the error of a failed script. The cause is the last message on stderr.
    fn failed(&self, error: &Error) -> Error {
        if let Some(excess) = Excess::of(error) {
            return excess.explain(self.context.could_not(self.operation));
        }
        let (ErrorKind::Exit, Some(output)) = (error.kind(), error.output()) else {
            return error.clone().without_output();
        };
        let stderr = output.record.redactor.bytes(&output.record.stderr.bytes);
        let message = match memmem::rfind(&stderr, MESSAGE_PREFIX.as_bytes()) {
            // A file name in the message may contain line breaks.
            Some(at) => {
                String::from_utf8_lossy(stderr.get(at + MESSAGE_PREFIX.len()..).unwrap_or_default()).into_owned()
            }
            None => without_line(&last_lines(&stderr, 1)).to_owned(),
        };
        let message = match (message.trim(), output.status()) {
            ("", Ok(status)) => format!("the shell of the host ended with {status}"),
            (message, _) => message.to_owned(),
        };
        let error = self.context.could_not(self.operation);
        let error = if message.ends_with("Permission denied") && !self.context.elevated {
            error.hint("use `.sudo()` to run as root")
        } else if message.starts_with(crate::transfer::file_error::NO_DIRECTORY) {
            error.hint("create the directory with `.ensure_dir(path)`")
        } else {
            error
        };
        error.caused_by(CauseText(message))
    }
}

/// Removes the line number from the message of a shell: `bash: line 17: cd: /x: …`,
/// `sh: 3: eval: cannot open …`.
fn without_line(message: &str) -> &str {
    let is_shell = |name: &str| name.rsplit('/').next().is_some_and(|name| name.ends_with("sh"));
    let Some((_, rest)) = message.split_once(": ").filter(|(name, _)| is_shell(name)) else { return message };
    let rest = rest.strip_prefix("eval: ").unwrap_or(rest);
    let (line, text) = rest.split_once(": ").unwrap_or_default();
    let number = line.strip_prefix("line ").unwrap_or(line);
    let is_line = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_line { text.strip_prefix("eval: ").unwrap_or(text) } else { message }
}

/// Returns true if a missing shell can be the reason for the error.
fn may_be_no_shell(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Exit | ErrorKind::Sudo) || ProgramRejected::caused(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_messages_have_no_script_line_number() {
        for (message, expected) in [
            ("bash: line 17: cd: /root: Permission denied", "cd: /root: Permission denied"),
            ("/bin/sh: 3: cannot open /etc/shadow: Permission denied", "cannot open /etc/shadow: Permission denied"),
            ("sh: 3: eval: cannot open /etc/shadow: Permission denied", "cannot open /etc/shadow: Permission denied"),
            ("sh: eval: line 17: cd: /root: Permission denied", "cd: /root: Permission denied"),
            ("mkdir: cannot create directory: File exists", "mkdir: cannot create directory: File exists"),
            ("bash: fork: Cannot allocate memory", "bash: fork: Cannot allocate memory"),
        ] {
            assert_eq!(without_line(message), expected);
        }
    }
}
