//! The status and the releases of a site on all hosts, as tables, as JSON and as values.

mod commands;
mod release_list;
mod site_status;
mod tables;

pub use release_list::{ListedRelease, ReleaseList};
pub use site_status::{ActiveRun, HostStatus, SiteStatus};
