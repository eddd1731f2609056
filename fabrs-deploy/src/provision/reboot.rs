//! [`RebootRequest`]: a reboot of the host, and the wait for the new boot.

use std::future::IntoFuture;
use std::panic::Location;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Hide, Output, cmd};
use futures::future::{BoxFuture, FutureExt, TryFutureExt};

/// The file with the UUID of the current boot (`proc_sys_kernel(5)`).
const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";

/// The time limit of one attempt to read the new boot id. A host without power or network sends no
/// answer.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// The default time limit of a reboot.
const REBOOT_LIMIT: Duration = Duration::from_mins(5);

/// A reboot of the host: an awaitable builder.
///
/// # Cancel safety
///
/// Dropping the future ends the wait. If the reboot command was sent, the host still reboots.
#[must_use = "the host reboots when the request is awaited"]
#[derive(Debug)]
pub struct RebootRequest {
    connection: Connection,
    limit: Duration,
    /// The line of the user's code, for errors.
    location: &'static Location<'static>,
}

impl RebootRequest {
    #[track_caller]
    pub(super) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), limit: REBOOT_LIMIT, location: Location::caller() }
    }

    /// Sets the time limit for the new boot, counted from the end of the reboot command. Defaults
    /// to 5 minutes.
    ///
    /// ```
    /// # use fabrs::{Client, prelude::secs, transport::Fake};
    /// # use fabrs_deploy::Provision;
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let reboot = web.reboot().timeout(secs(900));
    /// assert!(format!("{reboot:?}").contains("900s"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    async fn reboot(self) -> Result<(), Error> {
        let Self { connection, limit, .. } = self;
        let read = connection.probe(cmd!("cat {BOOT_ID_PATH}")).named("read the boot id");
        let before: Output = read.hide(Hide::Both).await?;
        match connection.sudo("systemctl reboot || shutdown -r now").named("reboot").await {
            Ok(output) if !output.was_run() => return Ok(()),
            // The host may close the connection before the exit status. The boot id is the proof.
            Err(error) if error.kind() == ErrorKind::Channel => {}
            result => drop(result?),
        }
        connection.close().await;
        let before = before.stdout()?.trim().to_owned();
        let is_new = cmd!("id=$(cat {BOOT_ID_PATH}) && test \"$id\" != {before}");
        let wait = connection.probe(is_new).named("wait for the new boot");
        wait.hide(Hide::Both).timeout(ATTEMPT_LIMIT).retry_for(limit).await?;
        Ok(())
    }
}

impl IntoFuture for RebootRequest {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let location = self.location;
        self.reboot().map_err(move |error| error.at(location)).boxed()
    }
}
