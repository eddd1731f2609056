//! [`Provision`]: the methods of a connection for provisioning.

use fabrs::{Connection, IntoShellLine};

use super::authorized_key::AuthorizedKey;
use super::cron_job::CronJob;
use super::group::GroupAccount;
use super::packages::Packages;
use super::reboot::RebootRequest;
use super::request::EnsureRequest;
use super::service::Service;
use super::timer::Timer;
use super::user::UserAccount;

/// Methods of [`Connection`] to provision a host: packages, accounts, services and timers.
///
/// Each method compares the host with the desired state, and changes the host only if they differ.
/// A second run changes nothing. A dry run lists the changes. Changes use sudo and run as root.
/// `authorized_keys` is written as its user.
///
/// For directories and configuration files, use the methods of [`Connection`]: `ensure_dir`,
/// `ensure_line`, and `put` or `write` with `validate` or `validate_live`.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::Provision;
///
/// const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7lS4 ann@laptop";
///
/// /// Provisions a web server.
/// #[task(role = "web")]
/// async fn provision(c: Connection) -> Result {
///     c.ensure_packages(["nginx-light", "python3-venv"]).await?;
///     c.ensure_user("shop").home("/srv/shop").groups(["www-data"]).await?;
///     c.ensure_authorized_key("shop", KEY).await?;
///     c.ensure_dir("/srv/shop/releases").owner("shop").sudo().await?;
///     c.put("conf/sudoers", "/etc/sudoers.d/shop").mode(0o440).validate("visudo -cf %s").sudo().await?;
///     c.put("conf/nginx.conf", "/etc/nginx/sites-enabled/shop").sudo().await?;
///     c.ensure_service("nginx").reload_after(["/etc/nginx"]).await?;
///     c.ensure_timer("shop-cleanup", "daily", "/srv/shop/bin/clean").user("shop").await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// Each request fails with [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) for an invalid name,
/// [`ErrorKind::Exit`](fabrs::ErrorKind::Exit) if a command fails on the host, and with the errors
/// of [`Connection::sudo`].
pub trait Provision {
    /// Installs packages with apt-get, dnf or yum, if they are missing.
    ///
    /// The lists of apt are updated before an installation. Configuration files keep local changes.
    /// An interrupted installation of dpkg is completed first. Installed packages are not upgraded.
    /// The name of a virtual package is an error.
    ///
    /// ```
    /// # use fabrs::{Client, transport::{Fake, FakeAnswer}};
    /// # use fabrs_deploy::Provision;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs::Result<(), fabrs::Error> {
    /// # let fake = Fake::new().on("check packages git", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake).build().connect("web1")?;
    /// let changes = web.ensure_packages(["git"]).await?;
    /// assert!(!changes.any()?);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "apt")]
    #[track_caller]
    fn ensure_packages<N: Into<String>>(&self, names: impl IntoIterator<Item = N>) -> EnsureRequest<Packages>;

    /// Creates a group, if it is missing.
    ///
    /// ```
    /// # use fabrs::{Client, transport::{Fake, FakeAnswer}};
    /// # use fabrs_deploy::Provision;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs::Result<(), fabrs::Error> {
    /// # let fake = Fake::new().on("check group deployers", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake).build().connect("web1")?;
    /// assert!(!web.ensure_group("deployers").await?.any()?);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    fn ensure_group(&self, name: impl Into<String>) -> EnsureRequest<GroupAccount>;

    /// Creates a user with a home directory, or corrects the settings of an existing user.
    ///
    /// A new user has no password. The password of an existing user stays.
    ///
    /// ```
    /// # use fabrs::{Client, transport::{Fake, FakeAnswer}};
    /// # use fabrs_deploy::Provision;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs::Result<(), fabrs::Error> {
    /// # let fake = Fake::new().on("check user shop", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake).build().connect("web1")?;
    /// assert!(!web.ensure_user("shop").shell("/bin/bash").await?.any()?);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    fn ensure_user(&self, name: impl Into<String>) -> EnsureRequest<UserAccount>;

    /// Adds a public key to `~/.ssh/authorized_keys` of a user. A line with the same key is
    /// replaced, so new options or a new comment take effect.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_authorized_key("shop", "ssh-ed25519 AAAAC3Nz ann@laptop");
    /// assert!(format!("{request:?}").contains("ann@laptop"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    #[track_caller]
    fn ensure_authorized_key(&self, user: impl Into<String>, key: impl AsRef<str>) -> EnsureRequest<AuthorizedKey>;

    /// Enables and starts a systemd unit. A name without a suffix is a service.
    ///
    /// Fails if the unit is not active after a start or restart.
    ///
    /// ```
    /// # use fabrs::{Client, transport::{Fake, FakeAnswer}};
    /// # use fabrs_deploy::Provision;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs::Result<(), fabrs::Error> {
    /// # let fake = Fake::new().on("check nginx.service", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake).build().connect("web1")?;
    /// assert!(!web.ensure_service("nginx").await?.any()?);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    fn ensure_service(&self, name: impl AsRef<str>) -> EnsureRequest<Service>;

    /// Runs a command on a schedule, with a systemd timer. `calendar` is a calendar expression
    /// (`systemd.time(7)`).
    ///
    /// Writes `NAME.service` and `NAME.timer` in `/etc/systemd/system`. If the host was off at a
    /// scheduled time, the command runs after the next boot.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_timer("shop-cleanup", "*-*-* 03:00", "/srv/shop/bin/clean");
    /// assert!(format!("{request:?}").contains("03:00"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    #[track_caller]
    fn ensure_timer(
        &self,
        name: impl Into<String>,
        calendar: impl Into<String>,
        line: impl IntoShellLine,
    ) -> EnsureRequest<Timer>;

    /// Runs a command on a cron schedule (`crontab(5)`), with a file in `/etc/cron.d`.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = web.ensure_cron_job("shop-cleanup", "0 3 * * *", "/srv/shop/bin/clean");
    /// assert!(format!("{request:?}").contains("0 3 * * *"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    #[track_caller]
    fn ensure_cron_job(
        &self,
        name: impl Into<String>,
        schedule: impl Into<String>,
        line: impl IntoShellLine,
    ) -> EnsureRequest<CronJob>;

    /// Reboots the host and waits until a command runs on the new boot. A dry run only plans the
    /// reboot.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Provision;
    /// # async fn example(web: Connection) -> fabrs::Result<()> {
    /// if web.exists("/run/reboot-required").await? {
    ///     web.reboot().await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`](fabrs::ErrorKind::Timeout) if no command succeeds on the new boot
    /// within the limit.
    #[track_caller]
    fn reboot(&self) -> RebootRequest;
}

impl Provision for Connection {
    #[track_caller]
    fn ensure_packages<N: Into<String>>(&self, names: impl IntoIterator<Item = N>) -> EnsureRequest<Packages> {
        EnsureRequest::new(self, Packages::new(names.into_iter().map(Into::into).collect()))
    }

    #[track_caller]
    fn ensure_group(&self, name: impl Into<String>) -> EnsureRequest<GroupAccount> {
        EnsureRequest::new(self, GroupAccount::new(name.into()))
    }

    #[track_caller]
    fn ensure_user(&self, name: impl Into<String>) -> EnsureRequest<UserAccount> {
        EnsureRequest::new(self, UserAccount::new(name.into()))
    }

    #[track_caller]
    fn ensure_authorized_key(&self, user: impl Into<String>, key: impl AsRef<str>) -> EnsureRequest<AuthorizedKey> {
        EnsureRequest::new(self, AuthorizedKey::new(user.into(), key.as_ref()))
    }

    #[track_caller]
    fn ensure_service(&self, name: impl AsRef<str>) -> EnsureRequest<Service> {
        EnsureRequest::new(self, Service::new(name.as_ref()))
    }

    #[track_caller]
    fn ensure_timer(
        &self,
        name: impl Into<String>,
        calendar: impl Into<String>,
        line: impl IntoShellLine,
    ) -> EnsureRequest<Timer> {
        EnsureRequest::new(self, Timer::new(name.into(), calendar.into(), line))
    }

    #[track_caller]
    fn ensure_cron_job(
        &self,
        name: impl Into<String>,
        schedule: impl Into<String>,
        line: impl IntoShellLine,
    ) -> EnsureRequest<CronJob> {
        EnsureRequest::new(self, CronJob::new(name.into(), schedule.into(), line))
    }

    #[track_caller]
    fn reboot(&self) -> RebootRequest {
        RebootRequest::new(self)
    }
}
