//! The GitLab notifier: a deployment to an environment.

use std::path::PathBuf;
use std::sync::Arc;

use fabrs::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::http::{Headers, HttpClient, without_commit_id};
use super::notifier::{Notifier, NotifyFuture};
use super::report::{DeployAction, DeployOutcome, DeployReport};

/// The characters to encode in the path of a project.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A notifier for the environments of a GitLab project: the page *Environments* and each merge
/// request then show the live commit of each environment.
///
/// Each deploy, promotion and rollback creates a deployment of its commit. GitLab creates a missing
/// environment.
///
/// | outcome | status of the deployment |
/// |---|---|
/// | the release is live, also after a failed post-deploy step | `success` |
/// | failed | `failed` |
/// | cancelled | `canceled` |
/// | held, or a hold that failed | no deployment, since the live commit is the same |
///
/// The commit, and the tag or branch, must exist in the project. The environment defaults to
/// `production` if the run has none.
///
/// API: [create a deployment](https://docs.gitlab.com/api/deployments/#create-a-deployment).
///
/// ```
/// use fabrs::Secret;
/// use fabrs_deploy::{GitLabDeployments, Notifier, Site};
///
/// let token = Secret::new("glpat-0123456789");
/// let deployments = GitLabDeployments::project("acme/shop", &token);
/// assert_eq!(deployments.name(), "GitLab deployments of acme/shop");
/// let site = Site::new("/srv/shop").notify(deployments);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct GitLabDeployments {
    url: String,
    project: String,
    token: Secret,
    tag_prefix: String,
    http: HttpClient,
}

impl GitLabDeployments {
    /// Notifies a project at gitlab.com, named by its path (`group/name`) or its number.
    ///
    /// A personal, group or project access token needs the scope `api` and the role Developer. For
    /// a protected environment, the token needs permission to deploy.
    ///
    /// ```
    /// # use fabrs_deploy::{GitLabDeployments, Notifier};
    /// let token = fabrs::Secret::new("glpat-0123456789");
    /// let deployments = GitLabDeployments::project("acme/web/shop", &token);
    /// assert_eq!(deployments.name(), "GitLab deployments of acme/web/shop");
    /// ```
    pub fn project(project: impl Into<String>, token: &Secret) -> Self {
        Self {
            url: "https://gitlab.com".to_owned(),
            project: project.into(),
            token: token.clone(),
            tag_prefix: "deployable-".to_owned(),
            http: HttpClient::default(),
        }
    }

    /// Sets the URL of a self-managed GitLab. Defaults to `https://gitlab.com`.
    ///
    /// ```
    /// # use fabrs_deploy::GitLabDeployments;
    /// let token = fabrs::Secret::new("glpat-0123456789");
    /// let deployments = GitLabDeployments::project("acme/shop", &token)
    ///     .url("https://gitlab.example.com");
    /// assert!(format!("{deployments:?}").contains("gitlab.example.com"));
    /// ```
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// Sets the prefix of tag names. GitLab shows a revision with this prefix as a tag, and any
    /// other revision as a branch. Defaults to `deployable-`, as
    /// [`Git::good_tag_prefix`](crate::Git::good_tag_prefix). A revision that begins with
    /// `refs/tags/` is always a tag.
    ///
    /// ```
    /// # use fabrs_deploy::GitLabDeployments;
    /// let token = fabrs::Secret::new("glpat-0123456789");
    /// let deployments = GitLabDeployments::project("acme/shop", &token).tag_prefix("v");
    /// assert!(format!("{deployments:?}").contains("tag_prefix: \"v\""));
    /// ```
    pub fn tag_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.tag_prefix = prefix.into();
        self
    }

    /// Trusts only the certificate authorities in a PEM file, for a server with a private CA. Each
    /// notification reads the file. Defaults to the public authorities.
    ///
    /// ```
    /// # use fabrs_deploy::GitLabDeployments;
    /// let token = fabrs::Secret::new("glpat-0123456789");
    /// let deployments = GitLabDeployments::project("acme/shop", &token)
    ///     .url("https://gitlab.example.com")
    ///     .ca_certificate("/etc/ssl/acme-ca.pem");
    /// assert!(format!("{deployments:?}").contains("acme-ca.pem"));
    /// ```
    pub fn ca_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.set_ca_certificate(path);
        self
    }

    fn deployment(&self, report: &DeployReport) -> Value {
        let name = report.revision.name.as_str();
        let (name, is_tag) = match (name.strip_prefix("refs/tags/"), name.strip_prefix("refs/heads/")) {
            (Some(tag), _) => (tag, true),
            (None, Some(branch)) => (branch, false),
            (None, None) => (name, name.starts_with(&self.tag_prefix)),
        };
        json!({
            "environment": report.environment_name(),
            "sha": report.revision.commit,
            "ref": name,
            "tag": is_tag,
            "status": match report.outcome {
                _ if report.is_live => "success",
                DeployOutcome::Cancelled => "canceled",
                DeployOutcome::Live | DeployOutcome::Held | DeployOutcome::Failed => "failed",
            },
        })
    }
}

impl Notifier for GitLabDeployments {
    fn name(&self) -> String {
        format!("GitLab deployments of {}", self.project)
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.token.clone()]
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        if report.action == DeployAction::Hold {
            return Box::pin(async { Ok(()) });
        }
        if let Some(failed) = without_commit_id(&report) {
            return failed;
        }
        let project = utf8_percent_encode(&self.project, PATH_SEGMENT);
        let url = format!("{}/api/v4/projects/{project}/deployments", self.url.trim_end_matches('/'));
        let headers: Headers = vec![("PRIVATE-TOKEN", self.token.clone())];
        let deployment = self.deployment(&report);
        self.http.run(move |session| session.post_json(&url, &headers, &deployment).map(drop))
    }
}
