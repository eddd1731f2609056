//! [`CronJob`]: a command at fixed times, run by cron.

use fabrs::{Connection, Error, ErrorKind, IntoShellLine, ShellLine};
use futures::future::{BoxFuture, FutureExt};

use super::account_name::{check_account, check_name};
use super::request::EnsureRequest;
use super::resource::sealed;
use super::resource_changes::ResourceChanges;

/// A file of `/etc/cron.d` with a command: see
/// [`Provision::ensure_cron_job`](super::Provision::ensure_cron_job).
#[derive(Debug, Clone)]
pub struct CronJob {
    name: String,
    schedule: String,
    line: ShellLine,
    user: String,
}

impl CronJob {
    pub(super) fn new(name: String, schedule: String, line: impl IntoShellLine) -> Self {
        Self { name, schedule, line: line.into_shell_line(), user: "root".to_owned() }
    }

    async fn ensure_file(self, connection: Connection) -> Result<ResourceChanges, Error> {
        // cron ignores files with a dot in their names.
        check_name("cron job", &self.name, "-_")?;
        check_account("user", &self.user)?;
        let line = self.line.check().map_err(|error| Error::new(ErrorKind::Usage, error.to_string()))?;
        let fields = self.schedule.split_whitespace().count();
        if fields != 5 && !(fields == 1 && self.schedule.starts_with('@')) {
            let error = Error::new(ErrorKind::Usage, format!("invalid schedule `{}`", self.schedule));
            return Err(error.hint("use five fields, such as `0 3 * * *`, or a name, such as `@daily`"));
        }
        if [line, &self.schedule].iter().any(|text| text.contains('\n')) {
            let text = format!("the cron job {} has a line break in its command or schedule", self.name);
            return Err(Error::new(ErrorKind::Usage, text).hint("put the commands into a script on the host"));
        }
        // cron ends the command at an unescaped `%`.
        let content = format!("{} {} {}\n", self.schedule, self.user, line.replace('%', "\\%"));
        let file = connection.write(format!("/etc/cron.d/{}", self.name), content).mode(0o644).sudo().await?;
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
        self.map(|job| job.user = name.into())
    }
}

impl sealed::Resource for CronJob {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        self.ensure_file(connection).boxed()
    }
}
