//! The log of a service on a host: a journal of systemd, or a file.

use std::fmt;

use fabrs::{Command, Connection, Error, ErrorKind, ExitStatus, Hide, ShellLine, cmd};

/// The exit status of the script if the number of errors is unknown.
const UNKNOWN_STATUS: u32 = 3;

/// Prints a mark, lines or the number of errors.
const SCRIPT: &str = include_str!("service_log.sh");

/// The log of a service on each host.
///
/// If a restart, a health check or a gate fails, the error has the last lines of each log of the
/// site since the switch. [`Systemd`](crate::Systemd) adds the journal of its service.
///
/// ```
/// use fabrs_deploy::{ServiceLog, Site};
///
/// let site = Site::new("/srv/shop").log(ServiceLog::file("shared/log/gunicorn.log"));
/// # drop(site);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[must_use = "a log is not read until `Site::log` adds it to a site"]
pub struct ServiceLog {
    kind: LogKind,
    name: String,
    reader: LogReader,
}

/// The kind of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LogKind {
    Journal,
    UserJournal,
    File,
}

/// The user that reads a log on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LogReader {
    Login,
    Root,
}

/// A position in a log at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogMark {
    /// Seconds since 1970, by the clock of the host.
    time: String,
    inode: String,
    size: String,
}

/// The error lines of a log since the switch, and in a span before the switch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ErrorLines {
    /// The number since the switch.
    pub(crate) after: u64,
    /// The number in the span before, scaled to the time since the switch.
    pub(crate) before: f64,
}

impl ServiceLog {
    /// The journal of a unit of systemd. The login user needs permission to read the journal (group
    /// `systemd-journal` or `adm`), or [`sudo`](Self::sudo).
    ///
    /// ```
    /// # use fabrs_deploy::ServiceLog;
    /// assert_eq!(ServiceLog::journal("shop").to_string(), "journal of `shop`");
    /// ```
    pub fn journal(unit: impl Into<String>) -> Self {
        Self { kind: LogKind::Journal, name: unit.into(), reader: LogReader::Login }
    }

    /// The journal of a unit in the service manager of the login user.
    ///
    /// ```
    /// # use fabrs_deploy::ServiceLog;
    /// assert_eq!(ServiceLog::user_journal("shop").to_string(), "journal of `shop`");
    /// ```
    pub fn user_journal(unit: impl Into<String>) -> Self {
        Self { kind: LogKind::UserJournal, ..Self::journal(unit) }
    }

    /// A log file. The path is absolute, or relative to the root of the site. Renames and
    /// truncations by log rotation are followed.
    ///
    /// ```
    /// # use fabrs_deploy::ServiceLog;
    /// assert_eq!(ServiceLog::file("/var/log/shop.log").to_string(), "file `/var/log/shop.log`");
    /// ```
    pub fn file(path: impl Into<String>) -> Self {
        Self { kind: LogKind::File, ..Self::journal(path) }
    }

    /// Reads the log with sudo. Defaults to the login user.
    ///
    /// ```
    /// # use fabrs_deploy::ServiceLog;
    /// let log = ServiceLog::journal("shop").sudo();
    /// assert!(format!("{log:?}").contains("Root"));
    /// ```
    pub fn sudo(mut self) -> Self {
        self.reader = LogReader::Root;
        self
    }

    /// Refuses a log without a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an empty unit or path.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.name.trim().is_empty() {
            let missing = if self.kind == LogKind::File { "path" } else { "unit" };
            return Err(Error::new(ErrorKind::Usage, format!("a log of the site has an empty {missing}")));
        }
        Ok(())
    }

    /// Returns the present end of the log. `root` is the root of the site.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the login user cannot read the log, with a hint.
    pub(crate) async fn mark(&self, host: &Connection, root: &str) -> Result<LogMark, Error> {
        let output = self.read(host, root, &cmd!("action=mark")).warn().await?;
        if output.was_run() && !output.ok()? {
            let text = format!("could not read the {self}: {}", output.stderr()?.trim());
            let error = Error::new(ErrorKind::Task, text).on(output.host());
            return Err(match (self.kind, self.reader) {
                (LogKind::File, LogReader::Login) => {
                    error.hint("let the login user read the file, or read the file with sudo: `ServiceLog::sudo`")
                }
                (LogKind::Journal, LogReader::Login) => error.hint(
                    "add the login user to the group `systemd-journal`, or read the journal with sudo: `ServiceLog::sudo`",
                ),
                _ => error,
            });
        }
        let line = output.line()?;
        let mut fields = line.split(' ').map(str::to_owned);
        let mut next = || fields.next().unwrap_or_default();
        Ok(LogMark { time: next(), inode: next(), size: next() })
    }

    /// Returns the last lines since a mark.
    ///
    /// # Errors
    ///
    /// The errors of the command.
    pub(crate) async fn lines_since(
        &self,
        host: &Connection,
        root: &str,
        mark: &LogMark,
        lines: usize,
    ) -> Result<String, Error> {
        let LogMark { time, inode, size } = mark;
        let variables = cmd!("action=tail since={time} inode={inode} size={size} lines={lines}");
        Ok(self.read(host, root, &variables).await?.stdout()?.into_owned())
    }

    /// Counts the error lines since a mark. Lines of a journal are errors by their priority (`err`
    /// or higher), or if they match `pattern`. Lines of a file must match `pattern`, an extended
    /// regular expression. Returns a reason if the number is unknown, for example without any entry
    /// of the unit.
    ///
    /// # Errors
    ///
    /// The errors of the command.
    pub(crate) async fn error_lines(
        &self,
        host: &Connection,
        root: &str,
        [start, switch]: [&LogMark; 2],
        pattern: &str,
    ) -> Result<Result<ErrorLines, String>, Error> {
        let LogMark { time, inode, size } = switch;
        let LogMark { time: start, inode: start_inode, size: start_size } = start;
        let variables = cmd!(
            "action=errors since={time} inode={inode} size={size} start={start} start_inode={start_inode} \
             start_size={start_size} pattern={pattern}"
        );
        let output = self.read(host, root, &variables).warn().await?;
        if *output.status()? == ExitStatus::Code(UNKNOWN_STATUS) {
            return Ok(Err(output.stderr()?.trim().to_owned()));
        }
        if !output.ok()? {
            let text = format!("could not read the {self}: {}", output.stderr()?.trim());
            return Err(Error::new(ErrorKind::Task, text).on(output.host()));
        }
        let line = output.line()?;
        let parsed = ErrorLines::parse(&line, time);
        parsed.map(Ok).ok_or_else(|| {
            let text = format!("could not count the errors in the {self}: unexpected output `{line}`");
            Error::new(ErrorKind::Task, text).on(output.host())
        })
    }

    /// Returns the command with some variables of the script.
    fn read(&self, host: &Connection, root: &str, variables: &ShellLine) -> Command {
        let (kind, name) = (self.kind.as_str(), &self.name);
        // Before a first deploy, the root does not exist.
        let common = cmd!("cd {root} 2> /dev/null || cd / || exit; kind={kind} name={name}");
        let script = format!("{} {}\n{}", common.as_str(), variables.as_str(), SCRIPT.trim_end());
        let host = host.with_shell("sh -c");
        let command = match self.reader {
            LogReader::Login => host.probe(ShellLine::raw(script)),
            LogReader::Root => host.sudo(ShellLine::raw(script)).probe(),
        };
        command.named(format!("read the {self}")).hide(Hide::Both).capture_all()
    }
}

impl fmt::Display for ServiceLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            LogKind::Journal | LogKind::UserJournal => write!(f, "journal of `{}`", self.name),
            LogKind::File => write!(f, "file `{}`", self.name),
        }
    }
}

impl LogKind {
    /// Returns the name for the script.
    fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::UserJournal => "user-journal",
            Self::File => "file",
        }
    }
}

impl ErrorLines {
    /// Parses `NOW AFTER BEGIN BEFORE`. `switch` and `BEGIN` limit the span before the switch.
    fn parse(line: &str, switch: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let now: f64 = fields.next()?.parse().ok()?;
        let after = fields.next()?.parse().ok()?;
        let begin: f64 = fields.next()?.parse().ok()?;
        let before: f64 = fields.next()?.parse().ok()?;
        let switch: f64 = switch.parse().ok()?;
        let (since, span) = ((now - switch).max(0.0), switch - begin);
        let scale = if span > 0.0 { since / span } else { 0.0 };
        Some(Self { after, before: before * scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_before_the_switch_are_scaled_to_the_time_since_the_switch() {
        let parse = |line| ErrorLines::parse(line, "1000.5").unwrap();
        assert_eq!(parse("1010.5 7 990.5 4"), ErrorLines { after: 7, before: 4.0 });
        assert_eq!(parse("1010.5 7 980.5 4"), ErrorLines { after: 7, before: 2.0 });
        assert_eq!(parse("1000 0 1000.5 4"), ErrorLines { after: 0, before: 0.0 });
        assert_eq!(ErrorLines::parse("1010.5 7", "1000.5"), None);
    }
}
