//! [`Puppet`]: sends manifests to a host and applies them.

use std::panic::Location;
use std::path::PathBuf;

use fabrs::{Connection, Error, ErrorKind, ExitStatus, Hide, Output};
use futures::future::TryFutureExt;

use super::archive::archive_directory;
use super::puppet_log::PuppetLog;
use crate::provision::{Provision, ResourceChanges};
use crate::remote_script::with_arguments;

/// Applies the manifests.
const APPLY: &str = include_str!("puppet_apply.sh");

/// Unpacks the manifests for a dry run.
const NOOP: &str = include_str!("puppet_noop.sh");

/// The directory of the manifests on a host, readable by root only: hiera data may contain secrets.
const REMOTE_DIR: &str = "/var/lib/fabrs/puppet";

/// Puppet manifests of the project, applied with `puppet apply`: no Puppet server is needed.
///
/// The local directory may have `manifests/`, `modules/`, `hiera.yaml` and hiera data. The same
/// manifests serve a Vagrant machine, staging and production: the fact `fabrs_environment` is the
/// name of the environment of the run.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::Puppet;
///
/// /// Applies the Puppet manifests.
/// #[task]
/// async fn provision(c: Connection) -> Result {
///     Puppet::apply("puppet").install().on(&c).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no manifest is applied until `.on(..)` is awaited"]
pub struct Puppet {
    directory: PathBuf,
    manifest: String,
    package: PuppetPackage,
}

/// The installation of Puppet before the manifests are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PuppetPackage {
    /// A host without Puppet is an error.
    Expected,
    /// The package `puppet-agent` is installed if it is missing.
    Installed,
}

/// The effect of a run of Puppet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PuppetMode {
    Apply,
    /// Only lists the changes.
    Noop,
}

/// The exit status of `puppet_apply.sh` on a host without Puppet.
const NOT_INSTALLED: ExitStatus = ExitStatus::Code(127);

impl Puppet {
    /// Creates a request to apply the manifests of a local directory.
    ///
    /// ```
    /// # use fabrs_deploy::Puppet;
    /// assert!(format!("{:?}", Puppet::apply("puppet")).contains("manifests"));
    /// ```
    pub fn apply(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), manifest: "manifests".to_owned(), package: PuppetPackage::Expected }
    }

    /// Sets the manifest, or a directory of manifests, below the local directory. Defaults to
    /// `manifests`.
    ///
    /// ```
    /// # use fabrs_deploy::Puppet;
    /// let puppet = Puppet::apply("puppet").manifest("manifests/web.pp");
    /// assert!(format!("{puppet:?}").contains("web.pp"));
    /// ```
    pub fn manifest(mut self, path: impl Into<String>) -> Self {
        self.manifest = path.into();
        self
    }

    /// Installs the package `puppet-agent` if it is missing, and keeps its daemon disabled.
    ///
    /// ```
    /// # use fabrs_deploy::Puppet;
    /// let puppet = Puppet::apply("puppet").install();
    /// assert!(format!("{puppet:?}").contains("Installed"));
    /// ```
    pub fn install(mut self) -> Self {
        self.package = PuppetPackage::Installed;
        self
    }

    /// Sends the manifests to a host and runs `puppet apply` as root. Returns the changed
    /// resources.
    ///
    /// [`Connection::sync`] copies the directory to `/var/lib/fabrs/puppet`. Files missing in the
    /// local directory are deleted there.
    ///
    /// A dry run unpacks the manifests into a temporary directory and lists the changes with
    /// `puppet apply --noop`. If the installation of Puppet is only planned, the changes of the
    /// manifests are not listed.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Puppet;
    /// # async fn example(c: Connection) -> fabrs::Result<()> {
    /// if Puppet::apply("puppet").on(&c).await?.any()? {
    ///     c.sudo("systemctl restart shop").await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if Puppet is not installed, a manifest is invalid, or a resource fails.
    /// The text contains the errors of Puppet.
    /// [`ErrorKind::Local`] if the local directory cannot be read. The errors of
    /// [`Connection::sync`] and [`Connection::sudo`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops Puppet. The next run applies the remaining resources.
    #[track_caller]
    pub fn on(self, connection: &Connection) -> impl Future<Output = Result<ResourceChanges, Error>> + Send {
        let location = Location::caller();
        self.apply_on(connection.clone()).map_err(move |error| error.at(location))
    }

    async fn apply_on(self, connection: Connection) -> Result<ResourceChanges, Error> {
        let connection = &connection;
        let mut changes = ResourceChanges::default();
        if self.package == PuppetPackage::Installed {
            changes = connection.ensure_packages(["puppet-agent"]).await?;
            changes = changes.and(connection.ensure_service("puppet").stopped().await?);
        }
        connection.ensure_dir(REMOTE_DIR).mode(0o700).sudo().await?;
        connection.sync(&self.directory, REMOTE_DIR).delete().sudo().await?;
        let label = format!("puppet apply {}", self.directory.display());
        let apply = connection.sudo(with_arguments(self.arguments(connection, PuppetMode::Apply), APPLY));
        let output = apply.named(&label).warn().hide(Hide::Stdout).capture_all().await?;
        if output.was_run() {
            return Ok(changes.and(self.check(&output, PuppetMode::Apply)?));
        }
        let script = format!("{NOOP}{APPLY}");
        let noop = connection.sudo(with_arguments(self.arguments(connection, PuppetMode::Noop), &script)).probe();
        let archive = archive_directory(&self.directory)?;
        let output = noop.named(format!("{label} --noop")).stdin(archive).warn().hide(Hide::Both).capture_all().await?;
        let is_planned_package =
            self.package == PuppetPackage::Installed && output.was_run() && *output.status()? == NOT_INSTALLED;
        if output.was_run() && !is_planned_package {
            let planned = self.check(&output, PuppetMode::Noop)?;
            if let Some(client) = connection.client() {
                for change in &planned {
                    client.print(connection.host(), format!("would change: {change}"));
                }
            }
            changes = changes.and(planned);
        }
        Ok(changes)
    }

    fn arguments(&self, connection: &Connection, mode: PuppetMode) -> [String; 4] {
        let mode = match mode {
            PuppetMode::Apply => "apply",
            PuppetMode::Noop => "noop",
        };
        let client = connection.client();
        let environment = client.as_ref().and_then(|client| client.inventory().environment());
        let environment = environment.map(|environment| environment.name().to_owned()).unwrap_or_default();
        [REMOTE_DIR.to_owned(), self.manifest.clone(), mode.to_owned(), environment]
    }

    /// Returns the changed resources.
    ///
    /// The exit status is 0 without changes, 2 with changes, 4 or 6 with failed resources, and 1 if
    /// the run failed, such as for an invalid manifest (`puppet-apply(8)`, `--detailed-exitcodes`).
    /// With `--noop`, the exit status is 0 with changes, too.
    fn check(&self, output: &Output, mode: PuppetMode) -> Result<Vec<String>, Error> {
        let log = PuppetLog::parse(&output.stdout()?, &output.stderr()?);
        match (output.status()?, mode) {
            (ExitStatus::Code(0 | 2), _) if !log.failures.is_empty() => Err(self.failure(output, &log)),
            // A resource with `noop => true` prints a change in each run, and is not changed.
            (ExitStatus::Code(0), PuppetMode::Apply) => Ok(Vec::new()),
            // A resource with another log level is changed without a line.
            (ExitStatus::Code(2), _) if log.changes.is_empty() => Ok(vec!["resources without a log line".to_owned()]),
            (ExitStatus::Code(0 | 2), _) => Ok(log.changes),
            _ => Err(self.failure(output, &log)),
        }
    }

    fn failure(&self, output: &Output, log: &PuppetLog) -> Error {
        let is_missing = output.status().is_ok_and(|status| *status == NOT_INSTALLED);
        let reason = match output.status() {
            Ok(_) if is_missing => "puppet is not installed".to_owned(),
            Ok(ExitStatus::Code(code)) => format!("exit status {code}"),
            Ok(ExitStatus::Signal(_)) | Err(_) => "ended by a signal".to_owned(),
        };
        let mut text = format!("puppet apply of {} failed: {reason}", self.directory.display());
        for error in log.failures.iter().chain(&log.other_errors) {
            text.push('\n');
            text.push_str(error);
        }
        let error = Error::new(ErrorKind::Task, text).on(output.host());
        if is_missing { error.hint("add `.install()` to `Puppet::apply(..)`") } else { error }
    }
}
