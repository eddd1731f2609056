//! [`Site::preflight`]: the readiness of all hosts.

use fabrs::{Group, TaskError};

use crate::deploy::connected_site::ConnectedSite;
use crate::deploy::preflight::{check_database, check_steps, refuse, survey_obstacles};
use crate::deploy::readiness;
use crate::outcomes::all_ok;
use crate::site::Site;
use crate::table::{render, table};

impl Site {
    /// Checks that all hosts of a group are ready for a deploy, and prints a table. Changes
    /// nothing.
    ///
    /// Errors are too little space or inodes, missing programs and linked files, locks, and a
    /// repository or database without access. Warnings are missing systemd units, and a clock that
    /// is off by more than 30 s. A deploy makes these checks before its approval, and reads the
    /// repository to resolve the revision.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Git, Site};
    ///
    /// /// Checks that all hosts are ready for a deploy.
    /// #[task(local)]
    /// async fn preflight() -> Result {
    ///     let site = Site::new("/srv/shop").source(Git::at("https://git.example.com/shop.git"));
    ///     site.preflight(on(role("web"))?).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Task`](fabrs::ErrorKind::Task) with every obstacle on every host, after the
    ///   table.
    /// - The error of the database.
    /// - The errors of unreachable hosts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. They only read.
    pub async fn preflight(&self, hosts: Group) -> Result<(), TaskError> {
        let (hosts, surveys) = ConnectedSite::connect(self.clone(), hosts).await?;
        check_steps(&hosts, &hosts.site.all_once_steps())?;
        let mut obstacles = survey_obstacles(&hosts, &surveys);
        let mut rows = table(["host", "free space", "live release size", "clock offset"]);
        for (host, ready) in readiness::probe(&hosts, &surveys).await? {
            let live = ready.live.map(|space| space.to_string()).unwrap_or_default();
            rows.add_row([host.label().to_string(), ready.free.to_string(), live, format!("{:+} s", ready.clock_skew)]);
            ready.warnings().for_each(|text| hosts.client().warn(Some(&host), text));
            obstacles.extend(ready.obstacles().map(|text| (host.clone(), text)));
        }
        hosts.client().print(None, render(&rows));
        if let Some(source) = &hosts.site.source {
            if let Some(secret) = source.secret() {
                hosts.client().add_secret(&secret);
            }
            let checked = hosts.group.each(|host| async move { source.access_problem(&host).await });
            for (host, problem) in all_ok(checked.await)? {
                obstacles.extend(problem.map(|problem| (host, problem)));
            }
        }
        // Without the linked environment file, the database is unknown.
        if obstacles.is_empty() {
            check_database(&hosts).await?;
        }
        refuse(&obstacles)?;
        Ok(())
    }
}
