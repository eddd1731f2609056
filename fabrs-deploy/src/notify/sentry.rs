//! A release and a deploy in Sentry.

use std::sync::Arc;

use fabrs::Secret;
use serde_json::{Value, json};

use super::http;
use super::notifier::{Notifier, NotifyFuture, run_blocking};
use super::report::{DeployOutcome, DeployReport};

/// A Sentry: the release, with its commits, and that it was deployed to the environment, so that errors are known by the deploy
/// that brought them. What is not live it is not told.
///
/// ```no_run
/// use fabrs::Secret;
/// use fabrs_deploy::{Sentry, Site};
///
/// let token = Secret::new("...");
/// let site = Site::new("/srv/shop").notify(Sentry::project("acme", "shop", &token));
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
    /// Tells the project of an organization at sentry.io; the token needs `project:releases`.
    pub fn project(organization: impl Into<String>, project: impl Into<String>, token: &Secret) -> Self {
        Self {
            url: "https://sentry.io".to_owned(),
            organization: organization.into(),
            project: project.into(),
            token: token.clone(),
        }
    }

    /// Tells a Sentry of one's own.
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
            http::send(&releases, &headers, &release)?;
            http::send(&deploys, &headers, &deploy)
        })
    }
}
