//! The maintenance page of a site: a file in `shared` that the web server serves instead of the
//! site.

use fabrs::{Connection, Error, Group, Source};

use crate::deploy::ConnectedSite;
use crate::outcomes::all_ok;
use crate::site::Site;

/// The name of the page in `shared`.
const PAGE: &str = "maintenance.html";

impl Site {
    /// Uploads a page to `shared/maintenance.html` on all hosts of a group. The web server must
    /// serve the page while the file exists. For nginx:
    ///
    /// ```text
    /// error_page 503 /maintenance.html;
    /// location = /maintenance.html { root /srv/shop/shared; internal; }
    /// if (-f /srv/shop/shared/maintenance.html) { return 503; }
    /// ```
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Shows the maintenance page.
    /// #[task(local)]
    /// async fn maintenance() -> Result {
    ///     Site::new("/srv/shop").maintenance_on(on(role("web"))?, b"<h1>Back soon</h1>").await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Connection::put`](fabrs::Connection::put).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the uploads. Some hosts may show the page already.
    pub async fn maintenance_on(&self, hosts: Group, page: impl Into<Source>) -> Result<(), Error> {
        let page = page.into();
        let (hosts, _) = ConnectedSite::connect(self.clone(), hosts).await?;
        let (hosts, page) = (&hosts, &page);
        let put = |host: Connection| async move {
            let shared = hosts.layouts.of(&host)?.shared();
            host.ensure_dir(&shared).await?;
            host.put(page.clone(), format!("{shared}/{PAGE}")).await
        };
        all_ok(hosts.group.each(put).await).map(drop)
    }

    /// Removes the maintenance page on all hosts of a group. A host without a page is not an error.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::Site;
    ///
    /// /// Removes the maintenance page.
    /// #[task(local)]
    /// async fn open() -> Result {
    ///     Site::new("/srv/shop").maintenance_off(on(role("web"))?).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of a command.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. Some hosts may have no page anymore.
    pub async fn maintenance_off(&self, hosts: Group) -> Result<(), Error> {
        let (hosts, _) = ConnectedSite::connect(self.clone(), hosts).await?;
        let hosts = &hosts;
        let remove = |host: Connection| async move {
            let shared = hosts.layouts.of(&host)?.shared();
            host.remove(format!("{shared}/{PAGE}")).await
        };
        all_ok(hosts.group.each(remove).await).map(drop)
    }
}
