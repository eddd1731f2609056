//! A page that stands in for the site while it can't be used.

use fabrs::files::Source;
use fabrs::{Connection, Error, Group};

use crate::deploy::SiteHosts;
use crate::outcomes::all_ok;
use crate::site::Site;

/// The name of the page in `shared`.
const PAGE: &str = "maintenance.html";

impl Site {
    /// Puts a page into `shared/maintenance.html` on all hosts of a group. Whatever is in front of the site shows it as long as it
    /// is there; of nginx:
    ///
    /// ```text
    /// error_page 503 /maintenance.html;
    /// location = /maintenance.html { root /srv/shop/shared; internal; }
    /// if (-f /srv/shop/shared/maintenance.html) { return 503; }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Connection::put`](fabrs::Connection::put).
    pub async fn maintenance_on(&self, hosts: Group, page: impl Into<Source>) -> Result<(), Error> {
        let page = page.into();
        let (fleet, _) = SiteHosts::connect(self.clone(), hosts).await?;
        let (fleet, page) = (&fleet, &page);
        let put = |host: Connection| async move {
            let shared = fleet.layouts.of(&host)?.shared();
            host.ensure_dir(&shared).await?;
            host.put(page.clone(), format!("{shared}/{PAGE}")).await
        };
        all_ok(fleet.hosts.each(put).await).map(drop)
    }

    /// Takes the page away again; where there is none, nothing changes.
    ///
    /// # Errors
    ///
    /// As any command.
    pub async fn maintenance_off(&self, hosts: Group) -> Result<(), Error> {
        let (fleet, _) = SiteHosts::connect(self.clone(), hosts).await?;
        let fleet = &fleet;
        let remove = |host: Connection| async move {
            let shared = fleet.layouts.of(&host)?.shared();
            host.remove(format!("{shared}/{PAGE}")).await
        };
        all_ok(fleet.hosts.each(remove).await).map(drop)
    }
}
