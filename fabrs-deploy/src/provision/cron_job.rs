//! [`CronJob`]: a command at fixed times, run by cron.

use fabrs::{Connection, Error, ErrorKind, IntoShellLine};
use futures::future::{BoxFuture, FutureExt};

use super::account_name::check_name;
use super::request::EnsureRequest;
use super::resource::sealed;
use super::resource_changes::ResourceChanges;
use super::scheduled_command::ScheduledCommand;

/// A file of `/etc/cron.d` with a command: see
/// [`Provision::ensure_cron_job`](super::Provision::ensure_cron_job).
#[derive(Debug, Clone)]
pub struct CronJob(ScheduledCommand);

impl CronJob {
    pub(super) fn new(name: String, schedule: String, line: impl IntoShellLine) -> Self {
        Self(ScheduledCommand::new(name, schedule, line))
    }

    async fn ensure_file(self, connection: Connection) -> Result<ResourceChanges, Error> {
        let ScheduledCommand { name, schedule, user, .. } = &self.0;
        // cron ignores files with a dot in their names.
        check_name("cron job", name, "-_")?;
        let line = self.0.checked_line()?;
        let fields = schedule.split_whitespace().count();
        if fields != 5 && !(fields == 1 && schedule.starts_with('@')) {
            let error = Error::new(ErrorKind::Usage, format!("invalid schedule `{schedule}`"));
            return Err(error.hint("use five fields, such as `0 3 * * *`, or a name, such as `@daily`"));
        }
        // cron ends the command at an unescaped `%`.
        let content = format!("{schedule} {user} {}\n", line.replace('%', "\\%"));
        let file = connection.write(format!("/etc/cron.d/{name}"), content).mode(0o644).sudo().await?;
        Ok(file.into())
    }
}

impl EnsureRequest<CronJob> {
    /// Runs the command as this user. Defaults to root.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_cron_job("clean", "@daily", "/srv/shop/clean").user("shop");
    /// assert!(format!("{request:?}").contains("user: \"shop\""));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn user(self, name: impl Into<String>) -> Self {
        self.map(|job| job.0.user = name.into())
    }
}

impl sealed::Resource for CronJob {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        self.ensure_file(connection).boxed()
    }
}
