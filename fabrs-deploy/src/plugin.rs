//! What the kit knows of a kind of application or server, as a part of a site.

use crate::site::Site;

/// A part of a site that comes with steps of its own, for several phases: an application framework, a service manager.
///
/// Added by [`Site::with`]; steps of one phase are done in the order in which they were added.
pub trait Plugin {
    /// Adds its steps to a site.
    fn add_to(self, site: Site) -> Site;
}
