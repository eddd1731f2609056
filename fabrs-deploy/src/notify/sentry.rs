//! The Sentry notifier: a release with its commits, and a deploy of the release.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use fabrs::Secret;
use serde_json::{Value, json};

use super::http::{Headers, HttpClient, without_commit_id};
use super::notifier::{Notifier, NotifyFuture};
use super::report::{DeployAction, DeployReport};

/// A notifier for Sentry: creates a release with its commits, and a deploy to the environment.
///
/// Sentry then shows the release of each error. The version of the release is the commit id, so the
/// application must report the same id to Sentry.
///
/// | outcome | effect |
/// |---|---|
/// | a deploy or a promotion is live | a release with its commits, and a deploy |
/// | a rollback is live | another deploy of the earlier release, with its old commits and date |
/// | failed, cancelled or held, and the release is not live | none: Sentry has no failed deploys |
///
/// APIs: [releases](https://docs.sentry.io/api/releases/create-a-new-release-for-an-organization/),
/// [deploys](https://docs.sentry.io/api/releases/create-a-deploy/).
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
    http: HttpClient,
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
            http: HttpClient::default(),
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

    /// Trusts only the certificate authorities in a PEM file, for a server with a private CA. Each
    /// notification reads the file. Defaults to the public authorities.
    ///
    /// ```
    /// # use fabrs_deploy::Sentry;
    /// let sentry = Sentry::project("acme", "shop", &fabrs::Secret::new("sntrys_0123456789"))
    ///     .url("https://sentry.example.com")
    ///     .ca_certificate("/etc/ssl/acme-ca.pem");
    /// assert!(format!("{sentry:?}").contains("acme-ca.pem"));
    /// ```
    pub fn ca_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.set_ca_certificate(path);
        self
    }

    fn release(&self, report: &DeployReport) -> Value {
        let mut release = json!({ "version": report.revision.commit, "projects": [self.project] });
        // A rollback must not change the commits and the date of the earlier release.
        if report.action != DeployAction::Rollback {
            // Hosts with different releases have some commits in common.
            let mut known = HashSet::new();
            let all = report.changes.iter().flat_map(|since| &since.changes.added);
            let commits: Vec<Value> = all
                .filter(|commit| known.insert(commit.id.as_str()))
                .map(|commit| json!({ "id": commit.id, "author_name": commit.author, "message": commit.subject }))
                .collect();
            release["commits"] = commits.into();
            release["dateReleased"] = report.finished.as_str().into();
        }
        release
    }

    fn deploy(&self, report: &DeployReport) -> Value {
        json!({
            "environment": report.environment_name(),
            "name": report.release,
            "projects": [self.project],
            "dateStarted": report.started,
            "dateFinished": report.finished,
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
        if !report.is_live {
            return Box::pin(async { Ok(()) });
        }
        if let Some(failed) = without_commit_id(&report) {
            return failed;
        }
        let releases =
            format!("{}/api/0/organizations/{}/releases/", self.url.trim_end_matches('/'), self.organization);
        let deploys = format!("{releases}{}/deploys/", report.revision.commit);
        let (release, deploy) = (self.release(&report), self.deploy(&report));
        let headers: Headers = vec![("Authorization", Secret::new(format!("Bearer {}", self.token.expose())))];
        self.http.run(move |session| {
            session.post_json(&releases, &headers, &release)?;
            session.post_json(&deploys, &headers, &deploy).map(drop)
        })
    }
}
