//! Parser of the command line: options of `fab`, an environment, tasks with their arguments, and a
//! shell line after `--`.

use clap::{ArgAction, Command};
use fabrs_core::config::{Selection, did_you_mean};
use fabrs_core::task::{Param, ParamKind, Task};
use fabrs_core::{Call, Error, ErrorKind, Registry, Result};

use super::options::{GlobalOptions, global_command};
use super::task_arguments::{parse_task_arguments, task_command};
use super::usage_error::usage_error;

/// The parsed command line.
#[derive(Debug, Default)]
pub(crate) struct CommandLine {
    pub(crate) options: GlobalOptions,
    pub(crate) environment: Option<String>,
    pub(crate) calls: Vec<Call>,
    /// The task whose help page was requested.
    pub(crate) help_task: Option<&'static Task>,
    /// The shell line after `--`.
    pub(crate) shell_line: Option<String>,
}

/// Splits off the arguments after the first `--`, joined by spaces to a shell line, as in `ssh`.
fn split_shell_line(mut words: Vec<String>) -> (Vec<String>, Option<String>) {
    match words.iter().position(|word| word == "--") {
        Some(at) => {
            let rest = words.split_off(at);
            (words, Some(rest.get(1..).unwrap_or_default().join(" ")))
        }
        None => (words, None),
    }
}

impl CommandLine {
    /// Parses the options before the first other argument, and the shell line. Returns the
    /// unparsed arguments too.
    ///
    /// `fab` needs only these parts before it compiles the tasks.
    pub(crate) fn parse_leading_options(words: Vec<String>) -> Result<(Self, Vec<String>)> {
        let (words, shell_line) = split_shell_line(words);
        let mut reader = ArgumentReader { words: words.into_iter().peekable() };
        let mut command_line = Self { shell_line, ..Self::default() };
        command_line.read_options(&mut reader)?;
        Ok((command_line, reader.words.collect()))
    }

    /// Parses the whole command line. Every task and argument is checked before anything runs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an unknown option, task or argument, and for a value of the wrong
    /// type.
    pub(crate) fn parse(words: Vec<String>, registry: &Registry, environments: &[&str]) -> Result<Self> {
        let (mut command_line, rest) = Self::parse_leading_options(words)?;
        let mut reader = ArgumentReader { words: rest.into_iter().peekable() };
        if let Some(name) = reader.words.next_if(|word| environments.contains(&word.as_str())) {
            command_line.environment = Some(name);
            command_line.read_options(&mut reader)?;
        }
        while let Some(word) = reader.words.next() {
            let Some(task) = registry.find(&word) else {
                return Err(unknown_task_error(&word, registry, environments));
            };
            if command_line.options.help {
                command_line.help_task = Some(task);
                return Ok(command_line);
            }
            command_line.read_task(task, &mut reader)?;
        }
        Ok(command_line)
    }

    /// Returns the host selections of all tasks and the shell line.
    pub(crate) fn selections(&self) -> Vec<Selection<'static>> {
        let line = self.shell_line.iter().map(|_| Selection::Inherit);
        self.calls.iter().map(|call| call.task().selection).chain(line).collect()
    }

    /// Reads options of `fab` up to the first other argument.
    fn read_options(&mut self, reader: &mut ArgumentReader) -> Result<()> {
        let command = global_command();
        let mut options = Vec::new();
        while let Some(option) = reader.next_option() {
            options.extend(reader.with_value(&command, option));
        }
        let matches = command
            .try_get_matches_from(options)
            .map_err(|error| usage_error(&error, "see `fab --help` for all options"))?;
        self.options.merge(&matches);
        Ok(())
    }

    /// Reads the arguments of a task up to the next task.
    fn read_task(&mut self, task: &'static Task, reader: &mut ArgumentReader) -> Result<()> {
        let command = task_command(task);
        let mut needed: Vec<&'static Param> =
            task.params.iter().filter(|param| param.kind == ParamKind::Required).collect();
        let (mut options, mut positionals) = (Vec::new(), Vec::new());
        loop {
            if let Some(option) = reader.next_option() {
                needed.retain(|param| !is_option_of(param, &option));
                options.extend(reader.with_value(&command, option));
            } else if !needed.is_empty()
                && let Some(value) = reader.words.next()
            {
                positionals.push((needed.remove(0), value));
            } else {
                break;
            }
        }
        let args = parse_task_arguments(task, &options, &positionals, &mut self.options)?;
        if self.options.help {
            self.help_task = Some(task);
            return Ok(());
        }
        let missing: Vec<&str> = needed.iter().map(|param| param.name).collect();
        if !missing.is_empty() {
            return Err(args.missing(&missing));
        }
        self.calls.push((task.bind)(&args)?);
        Ok(())
    }
}

/// Returns the arguments of this process.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for an argument with invalid UTF-8.
pub(crate) fn process_arguments() -> Result<Vec<String>> {
    let word = |word: std::ffi::OsString| {
        word.into_string().map_err(|bad| {
            Error::new(ErrorKind::Usage, format!("an argument is not UTF-8: `{}`", bad.to_string_lossy()))
        })
    };
    std::env::args_os().skip(1).map(word).collect()
}

fn is_option_of(param: &Param, option: &str) -> bool {
    let name = option.split('=').next().unwrap_or_default();
    let long = name.strip_prefix("--").is_some_and(|long| long.replace('_', "-") == param.shown_name());
    let short = param.short.is_some_and(|letter| {
        !option.starts_with("--") && option.get(1..).is_some_and(|rest| rest.starts_with(letter))
    });
    long || short
}

/// Reads the arguments of a command line in order.
struct ArgumentReader {
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
}

impl ArgumentReader {
    /// Takes the next argument if it is an option. A negative number is not an option.
    fn next_option(&mut self) -> Option<String> {
        self.words.next_if(|word| {
            word.strip_prefix('-')
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(|c: char| c.is_ascii_digit()))
        })
    }

    /// Returns an option, followed by its value if the value is the next argument.
    fn with_value(&mut self, command: &Command, option: String) -> Vec<String> {
        let option = with_dashes(command, option);
        let value = if takes_next_word(command, &option) { self.words.next() } else { None };
        std::iter::once(option).chain(value).collect()
    }
}

/// Replaces `_` by `-` in the name of a known option: `--dry_run` is `--dry-run`.
fn with_dashes(command: &Command, option: String) -> String {
    let Some(long) = option.strip_prefix("--") else { return option };
    let (name, value) = long.split_at(long.find('=').unwrap_or(long.len()));
    let name = name.replace('_', "-");
    let is_known = command.get_arguments().any(|arg| arg.get_long() == Some(name.as_str()));
    if is_known { format!("--{name}{value}") } else { option }
}

/// Returns `true` if the value of an option is the next argument. In `-wH`, the value belongs to
/// the last letter.
fn takes_next_word(command: &Command, option: &str) -> bool {
    let takes = |arg: &clap::Arg| {
        matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !arg.is_require_equals_set()
    };
    if let Some(long) = option.strip_prefix("--") {
        return command.get_arguments().any(|arg| arg.get_long() == Some(long) && takes(arg));
    }
    let mut letters = option.chars().skip(1).peekable();
    while let Some(letter) = letters.next() {
        if command.get_arguments().any(|arg| arg.get_short() == Some(letter) && takes(arg)) {
            return letters.peek().is_none();
        }
    }
    false
}

/// Returns the error for an argument that is neither a task nor an environment.
pub(crate) fn unknown_task_error(word: &str, registry: &Registry, environments: &[&str]) -> Error {
    let tasks: Vec<String> = registry.tasks().iter().map(|task| task.shown_name()).collect();
    if environments.contains(&word) {
        let text = format!("`{word}` is an environment and must precede all tasks");
        let error = Error::new(ErrorKind::Usage, text);
        return error.hint(format!("use one environment, followed by its tasks: `fab {word} TASK...`"));
    }
    let error = Error::new(ErrorKind::Usage, format!("unknown task `{word}`"));
    let dashed = word.replace('_', "-");
    let known = tasks.iter().map(String::as_str).chain(environments.iter().copied());
    match did_you_mean(&dashed, known) {
        Some(near) if environments.contains(&near) => error.hint(format!("did you mean the environment `{near}`?")),
        Some(near) => error.hint(format!("did you mean `{near}`? available tasks: {}", tasks.join(", "))),
        None if tasks.is_empty() => error.hint("mark functions in tasks.rs with `#[task]`"),
        None => error.hint(format!("available tasks: {}", tasks.join(", "))),
    }
}
