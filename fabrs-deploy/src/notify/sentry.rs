//! The Sentry notifier: a release with its commits, and a deploy of the release.

use std::sync::Arc;

use fabrs::Secret;
use serde_json::{Value, json};

use super::http;
use super::notifier::{Notifier, NotifyFuture, run_blocking};
use super::report::{DeployOutcome, DeployReport};

/// A notifier for Sentry: creates a release with its commits, and a deploy to the environment.
///
/// Sentry then shows the release of each error. A failed or cancelled deploy creates nothing. The
/// version of the release is the commit id, so the application must report the same id to Sentry.
///
/// ```
/// use fabrs::Secret;
/// use fabrs_deploy::{Notifier, Sentry, Site};
///
/// let token = Secret::new("sntrys_0123456789");
/// let sentry = Sentry::project("acme", "shop", &token);
/// assert_eq!(sentry.name(), "Sentry acme/shop");
/// let site = Site::new("/srv/shop").notify(sentry);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Sentry {
    url: String,
    organization: String,
    project: String,
    token: Secret,
}

impl Sentry {
    /// Notifies a project of an organization at sentry.io. The token needs the scope
    /// `project:releases`.
    ///
    /// ```
    /// # use fabrs_deploy::{Notifier, Sentry};
    /// let sentry = Sentry::project("acme", "shop", &fabrs::Secret::new("sntrys_0123456789"));
    /// assert_eq!(sentry.name(), "Sentry acme/shop");
    /// ```
    pub fn project(organization: impl Into<String>, project: impl Into<String>, token: &Secret) -> Self {
        Self {
            url: "https://sentry.io".to_owned(),
            organization: organization.into(),
            project: project.into(),
            token: token.clone(),
        }
    }

    /// Sets the URL of a self-hosted Sentry. Defaults to `https://sentry.io`.
    ///
    /// ```
    /// # use fabrs_deploy::Sentry;
    /// let sentry = Sentry::project("acme", "shop", &fabrs::Secret::new("sntrys_0123456789"))
    ///     .url("https://sentry.example.com");
    /// assert!(format!("{sentry:?}").contains("sentry.example.com"));
    /// ```
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    fn release(&self, report: &DeployReport) -> Value {
        let commits = report.changes.iter().flat_map(|since| &since.changes.added);
        let commits: Vec<Value> = commits
            .map(|commit| json!({ "id": commit.id, "author_name": commit.author, "message": commit.subject }))
            .collect();
        json!({
            "version": report.revision.commit,
            "projects": [self.project],
            "dateReleased": report.finished,
            "commits": commits,
        })
    }
}

impl Notifier for Sentry {
    fn name(&self) -> String {
        format!("Sentry {}/{}", self.organization, self.project)
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.token.clone()]
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        if report.outcome != DeployOutcome::Live {
            return Box::pin(async { Ok(()) });
        }
        let releases =
            format!("{}/api/0/organizations/{}/releases/", self.url.trim_end_matches('/'), self.organization);
        let deploys = format!("{releases}{}/deploys/", report.revision.commit);
        let release = self.release(&report);
        let deploy = json!({
            "environment": report.environment.as_deref().unwrap_or("production"),
            "name": report.release,
            "dateStarted": report.started,
            "dateFinished": report.finished,
        });
        let headers = [("Authorization", Secret::new(format!("Bearer {}", self.token.expose())))];
        run_blocking(move || {
            http::post_blocking(&releases, &headers, &release)?;
            http::post_blocking(&deploys, &headers, &deploy)
        })
    }
}
