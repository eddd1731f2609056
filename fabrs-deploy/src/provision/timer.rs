//! [`Timer`]: a command at fixed times, run by systemd.

use fabrs::{Connection, Error, IntoShellLine};
use futures::future::{BoxFuture, FutureExt};

use super::account_name::check_name;
use super::request::EnsureRequest;
use super::resource::{ensure, sealed};
use super::resource_changes::ResourceChanges;
use super::scheduled_command::ScheduledCommand;
use super::service::Service;

/// A timer of systemd with a command: see
/// [`Provision::ensure_timer`](super::Provision::ensure_timer).
#[derive(Debug, Clone)]
pub struct Timer(ScheduledCommand);

impl Timer {
    pub(super) fn new(name: String, calendar: String, line: impl IntoShellLine) -> Self {
        Self(ScheduledCommand::new(name, calendar, line))
    }

    fn service_unit(&self, line: &str) -> String {
        // systemd replaces `%` and `$` in ExecStart, and ends the value at a line break.
        let line = line.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
        let ScheduledCommand { name, user, .. } = &self.0;
        format!("[Unit]\nDescription={name}\n\n[Service]\nType=oneshot\nUser={user}\nExecStart=/bin/sh -c \"{line}\"\n")
    }

    fn timer_unit(&self) -> String {
        let ScheduledCommand { name, schedule, .. } = &self.0;
        format!(
            "[Unit]\nDescription=Timer of {name}\n\n[Timer]\nOnCalendar={schedule}\nPersistent=true\n\n\
             [Install]\nWantedBy=timers.target\n"
        )
    }

    async fn ensure_units(self, connection: Connection) -> Result<ResourceChanges, Error> {
        let name = &self.0.name;
        check_name("timer", name, ":-_.@")?;
        let line = self.0.checked_line()?;
        let path = format!("/etc/systemd/system/{name}");
        let service = connection.write(format!("{path}.service"), self.service_unit(line)).sudo().await?;
        let timer = connection.write(format!("{path}.timer"), self.timer_unit()).sudo().await?;
        let unit = Service::new(&format!("{name}.timer"));
        Ok(ResourceChanges::from(service).and(timer).and(ensure(&connection, &unit).await?))
    }
}

impl EnsureRequest<Timer> {
    /// Runs the command as this user. Defaults to root.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_timer("shop-cleanup", "daily", "/srv/shop/clean").user("shop");
    /// assert!(format!("{request:?}").contains("user: \"shop\""));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn user(self, name: impl Into<String>) -> Self {
        self.map(|timer| timer.0.user = name.into())
    }
}

impl sealed::Resource for Timer {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        self.ensure_units(connection).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_of_systemd_are_escaped() {
        let timer = Timer::new("t".to_owned(), "daily".to_owned(), "true");
        let unit = timer.service_unit(r#"printf "%s\n" $HOME"#);
        assert!(unit.ends_with("ExecStart=/bin/sh -c \"printf \\\"%%s\\\\n\\\" $$HOME\"\n"), "{unit}");
    }
}
