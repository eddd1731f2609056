//! [`RebootRequest`]: a reboot of the host, and the wait for the new boot.

use std::future::IntoFuture;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Hide, Output, cmd};
use futures::future::{BoxFuture, FutureExt};

/// The number of the current boot: a random UUID (`proc_sys_kernel(5)`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The time limit of one attempt to read the new boot id. A host without power or network sends no
/// answer.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// The default time limit of a reboot.
const REBOOT_LIMIT: Duration = Duration::from_mins(5);

/// A reboot of the host: an awaitable builder.
///
/// # Cancel safety
///
/// Dropping the future ends the wait. The host still reboots.
#[must_use = "the host reboots when the request is awaited"]
#[derive(Debug)]
pub struct RebootRequest {
    connection: Connection,
    limit: Duration,
}

impl RebootRequest {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), limit: REBOOT_LIMIT }
    }

    /// Sets the time limit from the start of the reboot to the first command on the new boot.
    /// Defaults to 5 minutes.
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
        let Self { connection, limit } = self;
        let read = connection.probe(cmd!("cat {BOOT_ID}")).named("read the boot id");
        let before: Output = read.hide(Hide::Both).await?;
        match connection.sudo("systemctl reboot || shutdown -r now").named("reboot").await {
            Ok(output) if !output.was_run() => return Ok(()),
            // The host may close the connection before the exit status. The boot id is the proof.
            Err(error) if error.kind() == ErrorKind::Channel => {}
            result => drop(result?),
        }
        connection.close().await;
        let before = before.stdout()?.trim().to_owned();
        let is_new = cmd!("test \"$(cat {BOOT_ID})\" != {before}");
        let wait = connection.probe(is_new).named("wait for the new boot");
        wait.hide(Hide::Both).timeout(ATTEMPT_LIMIT).retry_for(limit).await?;
        Ok(())
    }
}

impl IntoFuture for RebootRequest {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.reboot().boxed()
    }
}
