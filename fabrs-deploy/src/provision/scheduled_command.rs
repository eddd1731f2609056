//! [`ScheduledCommand`]: a command at fixed times, as a user.

use fabrs::{Error, ErrorKind, IntoShellLine, ShellLine};

use super::account_name::check_account;

/// A command at fixed times: the settings of a timer or a cron job.
#[derive(Debug, Clone)]
pub(super) struct ScheduledCommand {
    pub(super) name: String,
    /// A calendar expression of systemd, or a schedule of cron.
    pub(super) schedule: String,
    pub(super) line: ShellLine,
    pub(super) user: String,
}

impl ScheduledCommand {
    pub(super) fn new(name: String, schedule: String, line: impl IntoShellLine) -> Self {
        Self { name, schedule, line: line.into_shell_line(), user: "root".to_owned() }
    }

    /// Returns the command line.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an invalid user or line, and for a line break: a line break would
    /// begin another entry of the file.
    pub(super) fn checked_line(&self) -> Result<&str, Error> {
        check_account("user", &self.user)?;
        let line = self.line.check().map_err(|error| Error::new(ErrorKind::Usage, error.to_string()))?;
        if [line, &self.schedule].iter().any(|text| text.contains('\n')) {
            let text = format!("`{}` has a line break in its command or schedule", self.name);
            return Err(Error::new(ErrorKind::Usage, text).hint("put the commands into a script on the host"));
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_is_rejected_in_the_command_and_in_the_schedule() {
        let command = |schedule: &str, line: &'static str| {
            ScheduledCommand::new("clean".to_owned(), schedule.to_owned(), line).checked_line().map(str::to_owned)
        };
        assert_eq!(command("daily", "true").unwrap(), "true");
        for (schedule, line) in [("daily", "a\nb"), ("daily\nUser=root", "true")] {
            assert_eq!(command(schedule, line).unwrap_err().kind(), ErrorKind::Usage);
        }
    }
}
