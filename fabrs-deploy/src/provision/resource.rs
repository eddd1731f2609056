//! [`Resource`]: a part of a host with a desired state.

use fabrs::{Command, Connection, Error, Hide, Output};
use futures::future::{BoxFuture, FutureExt};

use super::resource_changes::ResourceChanges;

/// A part of a host with a desired state: the type parameter of
/// [`EnsureRequest`](super::EnsureRequest). The trait is sealed.
pub trait Resource: sealed::Resource {}

impl<R: sealed::Resource> Resource for R {}

pub(crate) mod sealed {
    use fabrs::{Connection, Error};
    use futures::future::BoxFuture;

    use super::ResourceChanges;

    pub trait Resource: Send + 'static {
        /// Compares the host with the desired state, and changes the host if they differ.
        fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>>;
    }
}

/// A resource compared by one read-only command, and corrected by a second command.
pub(super) trait ProbedResource: Send + Sync + 'static {
    /// Returns the name for output and errors, such as `user shop`.
    fn label(&self) -> String;

    /// Checks the settings before any access to the host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) for an invalid name.
    fn check(&self) -> Result<(), Error>;

    /// Returns the probe command. The command prints one line for each difference between the host
    /// and the desired state.
    fn probe(&self, connection: &Connection) -> Command;

    /// Returns the command that removes the differences.
    fn change(&self, connection: &Connection, differences: &[String]) -> Command;

    /// Returns the name of the change for output, plans and errors: `install nginx, curl`.
    fn change_label(&self, differences: &[String]) -> String {
        format!("change {} ({})", self.label(), differences.join(", "))
    }
}

impl<R: ProbedResource> sealed::Resource for R {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        async move { Ok(ensure(&connection, &self).await?.into()) }.boxed()
    }
}

/// Probes a resource, and changes the host if the probe prints differences.
///
/// # Errors
///
/// As [`ProbedResource::check`], and the errors of the two commands.
pub(super) async fn ensure(connection: &Connection, resource: &impl ProbedResource) -> Result<Output, Error> {
    resource.check()?;
    let probe = resource.probe(connection).named(format!("check {}", resource.label()));
    let output = probe.hide(Hide::Both).capture_all().await?;
    // In a dry run, the probe of an unreachable host is only planned.
    let differences = if output.was_run() {
        output.lines()?
    } else {
        vec!["unknown differences: the host is unreachable".to_owned()]
    };
    let change_label = resource.change_label(&differences);
    let report =
        |text: String| connection.client().into_iter().for_each(|client| client.note(connection.host(), &*text));
    if differences.is_empty() {
        report(format!("{}: unchanged", resource.label()));
    } else if resource.change(connection, &differences).named(change_label.clone()).hide(Hide::Stdout).await?.was_run()
    {
        report(change_label);
    }
    Ok(output)
}
