//! [`HostWaffle`]: the flags of a site, changed and listed through one host.

use std::panic::Location;

use fabrs::{Connection, Error, ErrorKind};
use futures::TryFutureExt;

use crate::provision::EnsureRequest;
use crate::waffle::flag::WaffleFlag;
use crate::waffle::list::WaffleList;
use crate::waffle::reader::{WaffleRead, error_of, read};
use crate::waffle::sample::WaffleSample;
use crate::waffle::switch::WaffleSwitch;

/// The flags, switches and samples of a site, accessed through one host: see
/// [`Waffle::on`](crate::Waffle::on).
///
/// A request reads the present state, and runs a management command of django-waffle only if it
/// differs from the desired state. The output has one line: `flag one_page_checkout: off -> staff`,
/// or `unchanged`. A dry run reads the present state and plans the change.
///
/// All hosts of a site share one database. In a task for several hosts, wrap the request in
/// [`once`](fabrs::once).
///
/// django-waffle caches flags. With the default cache of Django, each server process has its own
/// copy for 5 minutes, and each change causes a warning. Set `WAFFLE_CACHE_NAME` to a shared cache.
///
/// # Errors
///
/// Each request fails with [`ErrorKind::Usage`] for an invalid name or percentage,
/// [`ErrorKind::Task`] for a missing name without `.create()`, and [`ErrorKind::Exit`] if the
/// project cannot be loaded.
#[derive(Debug, Clone)]
pub struct HostWaffle {
    live: Connection,
}

impl HostWaffle {
    pub(super) fn new(live: &Connection) -> Self {
        Self { live: live.clone() }
    }

    /// Changes a flag. The methods of the [`EnsureRequest`] set its audience.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Waffle;
    /// # async fn example(web1: Connection) -> fabrs::Result<()> {
    /// let flags = Waffle::new().on(&web1.cd("/srv/shop/current").venv("env"));
    /// flags.flag("one_page_checkout").staff().percent(20).await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn flag(&self, name: impl Into<String>) -> EnsureRequest<WaffleFlag> {
        EnsureRequest::new(&self.live, WaffleFlag::new(name.into()))
    }

    /// Changes a switch: on or off for the whole site.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Waffle;
    /// # async fn example(web1: Connection) -> fabrs::Result<()> {
    /// let flags = Waffle::new().on(&web1.cd("/srv/shop/current").venv("env"));
    /// if flags.switch("mail").off().await?.any()? {
    ///     println!("mail was on");
    /// }
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn switch(&self, name: impl Into<String>) -> EnsureRequest<WaffleSwitch> {
        EnsureRequest::new(&self.live, WaffleSwitch::new(name.into()))
    }

    /// Changes a sample: on for a random share of the calls of `sample_is_active`, from 1 to 100
    /// percent.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Waffle;
    /// # async fn example(web1: Connection) -> fabrs::Result<()> {
    /// let flags = Waffle::new().on(&web1.cd("/srv/shop/current").venv("env"));
    /// flags.sample("trace_requests", 5).create().await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn sample(&self, name: impl Into<String>, percent: u8) -> EnsureRequest<WaffleSample> {
        EnsureRequest::new(&self.live, WaffleSample::new(name.into(), percent))
    }

    /// Reads all flags, switches and samples.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Waffle;
    /// # async fn example(web1: Connection) -> fabrs::Result<()> {
    /// let list = Waffle::new().on(&web1.cd("/srv/shop/current").venv("env")).list().await?;
    /// for flag in list.in_rollout() {
    ///     println!("{}: {}", flag.name.escape_default(), flag.audience);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Exit`] if the project cannot be loaded or lacks django-waffle,
    /// [`ErrorKind::NotRun`] in a dry run without access to the host.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the command, which only reads.
    #[track_caller]
    pub fn list(&self) -> impl Future<Output = Result<WaffleList, Error>> + Send + use<> {
        let (location, live) = (Location::caller(), self.live.clone());
        let listed = async move {
            match read(&live).await? {
                WaffleRead::List(list) => Ok(list),
                WaffleRead::Planned(output) => {
                    output.stdout()?;
                    Err(error_of(&live, ErrorKind::NotRun, "the flags are unknown"))
                }
            }
        };
        listed.map_err(move |error: Error| error.at(location))
    }

    /// Prints all flags, switches and samples as a table on stdout.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Waffle;
    ///
    /// /// Lists the feature flags.
    /// #[task(role = "web")]
    /// async fn flags() -> Result {
    ///     let live = cd("/srv/shop/current").venv("env");
    ///     Ok(once("flags", Waffle::new().on(&live).print_list()).await?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// As [`list`](Self::list).
    #[track_caller]
    pub fn print_list(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (live, list) = (self.live.clone(), self.list());
        async move {
            let table = list.await?.table();
            if let Some(client) = live.client() {
                client.print(None, table);
            }
            Ok(())
        }
    }
}
