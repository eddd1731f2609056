//! The status, the releases and the statistics of a site, as tables, as JSON and as values.

mod commands;
mod release_list;
mod site_stats;
mod site_status;
mod stats_commands;
mod tables;

pub use release_list::{ListedRelease, ReleaseList};
pub use site_stats::SiteStats;
pub use site_status::{ActiveRun, HostStatus, SiteStatus};
