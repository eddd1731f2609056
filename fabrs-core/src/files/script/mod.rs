//! The script back end of transfers: one command for a file or a tree, on hosts with a POSIX shell.
//!
//! A script compares first, and transfers the content only if it differs. It works under sudo, on this machine and on hosts. It
//! ends as every command does.

mod blocks;
mod broken;
mod fetch;
mod get;
mod limits;
mod look;
mod losses;
mod parts;
mod plan;
mod put;
mod talk;
mod text;
mod tree;

pub(super) use get::{get, matches};
pub(super) use look::look;
pub(super) use plan::plan;
pub(super) use put::{folders, put, remove};
pub(super) use tree::{Done, get_tree, itemize, plan_tree, put_tree};

use memchr::memmem;

use self::limits::{Excess, MessageLimit};
use self::talk::Talk;
use super::place::Place;
use crate::connection::ShellProbe;
use crate::connection::{Command, Hide};
use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::event::Stream;
use crate::output::{Output, last_lines};
use crate::shell::{ShellLine, ShellLineError};
use crate::transport::{Effect, ProgramRejected};

/// The number of bytes that are kept of the output of a script, for error messages.
const KEPT: usize = 4096;

/// The reason why a script did not finish.
#[derive(Debug)]
pub(super) enum Undone {
    /// The host has no shell. The error has the output of the other program.
    NoShell(Error),
    /// The script failed.
    Failed(Error),
}

impl Undone {
    /// Adds the number of files of a tree that were written before the failure.
    pub(super) fn in_part(self, landed: usize) -> Self {
        let count = match landed {
            0 => return self,
            1 => "1 file is in its place".to_owned(),
            _ => format!("{landed} files are in their places"),
        };
        match self {
            Self::Failed(error) => {
                Self::Failed(error.hint(format!("{count} already; the same again goes on with the others")))
            }
            Self::NoShell(error) => Self::NoShell(error),
        }
    }
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// One script for one host.
struct Script<'a> {
    place: &'a Place,
    effect: Effect,
    /// The description.
    what: &'a str,
}

impl Script<'_> {
    /// Creates the command of a script with a short answer. `path` is the subject of the line.
    fn command(&self, line: Result<String, ShellLineError>, path: &str) -> Result<Command> {
        Ok(self.command_with_content(line, path)?.watched_by(MessageLimit::of(Stream::Stdout)))
    }

    /// Creates the command of a script whose output is read by a watcher with limits of its own.
    fn command_with_content(&self, line: Result<String, ShellLineError>, path: &str) -> Result<Command> {
        let line = line.map_err(|source| {
            self.place.error(Error::new(ErrorKind::Usage, format!("`{path}` can't be sent")).caused_by(source))
        })?;
        let connection = self.place.connection.only_placed();
        // With `CDPATH`, `cd` may enter another directory and print its path.
        let line = format!("unset CDPATH\n{line}");
        let command = connection.command(ShellLine::raw(line), self.effect, self.place.location);
        let command = command.posix().called(self.what).hide(Hide::Both);
        let command = if self.place.is_check { command.checking() } else { command };
        let command = if self.place.has_secret { command.carrying_secret() } else { command };
        let command = command.watched_by(MessageLimit::of(Stream::Stderr));
        Ok(if self.place.elevated { command.sudo() } else { command })
    }

    /// Creates the command of a script with a dialogue, and the dialogue.
    fn talk(&self, line: Result<String, ShellLineError>, path: &str) -> Result<(Talk, Command)> {
        let (talk, ear, said) = Talk::new();
        Ok((talk, self.command_with_content(line, path)?.watched_by(ear).fed_by(said).keeping(KEPT)))
    }

    /// Runs the script. The error distinguishes a host without a shell from a failed script.
    async fn run(&self, command: Command) -> Result<Output, Undone> {
        let greeting = ShellProbe::default();
        let result = command.greeted(&greeting).await;
        match result {
            Ok(output) if greeting.was_heard() => Ok(output),
            Ok(output) => Err(Undone::NoShell(self.no_shell(Some(&output)))),
            Err(error) if greeting.was_heard() || !may_be_no_shell(&error) => Err(Undone::Failed(self.failed(&error))),
            Err(error) if ProgramRejected::caused(&error) => {
                Err(Undone::NoShell(self.place.could_not(self.what).caused_by(CauseText(error.message().to_owned()))))
            }
            Err(error) => Err(Undone::NoShell(self.no_shell(error.output()))),
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
        self.place.could_not(self.what).caused_by(CauseText(said))
    }

    /// Creates the error of a failed script. The cause is the last message of the script or its tools.
    fn failed(&self, error: &Error) -> Error {
        if let Some(excess) = Excess::of(error) {
            return excess.explain(self.place.could_not(self.what));
        }
        let (ErrorKind::Exit, Some(output)) = (error.kind(), error.output()) else {
            return error.clone().without_output();
        };
        let told = output.record.redactor.bytes(&output.record.stderr.bytes);
        let said = match memmem::rfind(&told, text::SAYS.as_bytes()) {
            // A file name in the message may have line breaks.
            Some(at) => String::from_utf8_lossy(told.get(at + text::SAYS.len()..).unwrap_or_default()).into_owned(),
            None => without_line(&last_lines(&told, 1)).to_owned(),
        };
        let said = match (said.trim(), output.status()) {
            ("", Ok(status)) => format!("the host's shell ended with {status}"),
            (said, _) => said.to_owned(),
        };
        let made = self.place.could_not(self.what);
        let made = if said.ends_with("Permission denied") && !self.place.elevated {
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
    let (line, what) = rest.split_once(": ").unwrap_or_default();
    let number = line.strip_prefix("line ").unwrap_or(line);
    let is_line = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_line { what.strip_prefix("eval: ").unwrap_or(what) } else { said }
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
