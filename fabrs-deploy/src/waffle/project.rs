//! [`Waffle`]: the feature flags of a project, for tasks and for reports.

use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind};
use tokio::time::timeout;

use crate::notify::FlagReport;
use crate::waffle::host_waffle::HostWaffle;
use crate::waffle::reader::error_of;

/// The time limit to read the flags for a report.
const REPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// The feature flags of django-waffle: flags, switches and samples.
///
/// Tasks change and list the flags through one host: see [`on`](Self::on). A site with this plugin
/// adds the flags that are on for some users only to the report of each deploy
/// ([`DeployReport::flags`](crate::DeployReport::flags)). If the flags cannot be read, the deploy
/// prints a warning and continues.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Site, Waffle};
///
/// let site = Site::new("/srv/shop").with(Waffle::new());
/// # drop(site);
///
/// /// Turns a flag on for all users.
/// #[task(role = "web")]
/// async fn flag_on(name: String) -> Result {
///     let live = cd("/srv/shop/current").venv("env");
///     let flags = Waffle::new().on(&live);
///     once("flag", flags.flag(name).everyone()).await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Waffle {
    _private: (),
}

impl Waffle {
    /// Creates a handle to the flags of a project with django-waffle.
    ///
    /// ```
    /// # use fabrs_deploy::{Site, Waffle};
    /// let site = Site::new("/srv/shop").with(Waffle::new());
    /// assert!(format!("{site:?}").contains("Waffle"));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handle to the flags. It runs commands through `live`, a connection in the
    /// directory of the live release with its virtualenv.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let web1 = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let flags = Waffle::new().on(&web1.cd("/srv/shop/current").venv("env"));
    /// assert!(format!("{flags:?}").contains("web1"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn on(&self, live: &Connection) -> HostWaffle {
        HostWaffle::new(live)
    }

    /// Reads the flags for a report: those on for some users only.
    ///
    /// # Errors
    ///
    /// As [`HostWaffle::list`], and [`ErrorKind::Timeout`] after 30 s.
    pub(crate) async fn report(&self, live: &Connection) -> Result<Vec<FlagReport>, Error> {
        let list = timeout(REPORT_TIMEOUT, self.on(live).list()).await.map_err(|_| {
            let text = format!("timed out after {} s", REPORT_TIMEOUT.as_secs());
            error_of(live, ErrorKind::Timeout, text)
        })??;
        let report =
            list.in_rollout().map(|flag| FlagReport { name: flag.name.clone(), state: flag.audience.to_string() });
        Ok(report.collect())
    }
}
