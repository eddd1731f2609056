//! The name of the application, and the rules of a deploy.

use crate::pipeline::PipelineStage;
use crate::site::Site;

impl Site {
    /// Sets the name of the application in the approval and in notifications. Defaults to the last
    /// component of the root directory.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/www/htdocs").name("shop");
    /// assert!(format!("{site:?}").contains(r#"name: Some("shop")"#));
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Warns in the approval of a deploy with more than `limit` new commits: small deploys fail
    /// less, and their cause is found sooner. Defaults to no limit.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").warn_above_commits(20);
    /// assert!(format!("{site:?}").contains("max_commits_without_warning: 20"));
    /// ```
    pub fn warn_above_commits(mut self, limit: usize) -> Self {
        self.max_commits_without_warning = limit;
        self
    }

    /// Makes a deploy of this site a stage of a pipeline.
    ///
    /// A deploy, a hold or a promotion is refused before any change, unless its commit has passed
    /// all earlier stages. The commit is the resolved commit, so a requested revision cannot skip a
    /// stage. The override of a run is
    /// [`Settings::override_stages`](fabrs::config::Settings::override_stages). A rollback is never
    /// refused.
    ///
    /// The result is recorded for the commit: `passed` if the release is live, and `failed` after a
    /// failure. A stopped deploy is not recorded. If the record cannot be pushed, the deploy has a
    /// warning, since the release is live.
    ///
    /// A run with `-x`, or with `-H` and an environment, is refused: the other hosts do not get the
    /// commit. Without an environment, the hosts of `-H` are all hosts.
    ///
    /// ```
    /// use fabrs_deploy::{Pipeline, Site};
    ///
    /// let stages = Pipeline::new(["unit", "staging", "smoke", "production"]);
    /// let site = Site::new("/srv/shop").stage(stages.stage("production")?);
    /// assert!(format!("{site:?}").contains("PipelineStage"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn stage(mut self, stage: PipelineStage) -> Self {
        self.stage = Some(stage);
        self
    }

    /// Returns the name of the application.
    pub(crate) fn application(&self) -> &str {
        let last = || self.root.trim_end_matches('/').rsplit('/').next().filter(|last| !last.is_empty());
        self.name.as_deref().or_else(last).unwrap_or(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_is_the_name_or_the_last_component_of_the_root() {
        for (root, application) in
            [("/srv/shop", "shop"), ("/srv/shop/", "shop"), ("~/shop", "shop"), ("shop", "shop"), ("/", "/")]
        {
            assert_eq!(Site::new(root).application(), application);
        }
        assert_eq!(Site::new("/srv/shop").name("web shop").application(), "web shop");
    }
}
