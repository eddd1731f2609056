//! Plugins of a site: application frameworks and service managers with their own steps.

use crate::site::Site;

/// An extension of a site with steps for several phases: an application framework or a service
/// manager.
///
/// [`Site::with`] adds a plugin. The steps of a phase run in the order they were added.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Plugin, Site};
///
/// /// A web server that reloads its configuration with each release.
/// struct Nginx;
///
/// impl Plugin for Nginx {
///     fn add_to(self, site: Site) -> Site {
///         site.build(|_| run("nginx -t -c $PWD/nginx.conf"))
///             .restart(|_| sudo("systemctl reload nginx"))
///     }
/// }
///
/// let site = Site::new("/srv/shop").with(Nginx);
/// assert!(format!("{site:?}").contains("restart: 1 steps"));
/// ```
pub trait Plugin {
    /// Adds the steps of the plugin to a site.
    fn add_to(self, site: Site) -> Site;
}

impl Site {
    /// Adds a plugin: [`Python`](crate::Python), [`Django`](crate::Django),
    /// [`Systemd`](crate::Systemd), or your own.
    ///
    /// ```
    /// use fabrs_deploy::{Site, Systemd};
    ///
    /// let site = Site::new("/srv/shop").with(Systemd::reload("shop"));
    /// assert!(format!("{site:?}").contains("restart: 1 steps"));
    /// ```
    pub fn with(self, plugin: impl Plugin) -> Self {
        plugin.add_to(self)
    }
}
