//! The GitHub notifier: a deployment with its status.

use std::path::PathBuf;
use std::sync::Arc;

use fabrs::Secret;
use serde_json::{Value, json};

use super::http::{Headers, HttpClient, HttpError, without_commit_id};
use super::notifier::{Notifier, NotifyFuture};
use super::report::{DeployAction, DeployOutcome, DeployReport};
use super::short_text::shorten;

/// The version of the REST API: <https://docs.github.com/en/rest/about-the-rest-api/api-versions>.
const API_VERSION: &str = "2022-11-28";

/// The maximum length of the description of a status.
const MAX_DESCRIPTION_LETTERS: usize = 140;

/// A notifier for the Deployments of a GitHub repository: the page *Deployments* and each pull
/// request then show the live commit of each environment.
///
/// Each deploy, promotion and rollback creates a deployment of its commit, and a status:
///
/// | outcome | state of the status |
/// |---|---|
/// | the release is live, also after a failed post-deploy step | `success` |
/// | failed | `failure` |
/// | cancelled | `error` |
/// | held, or a hold that failed | no deployment, since the live commit is the same |
///
/// A `success` marks the earlier deployments of the environment as inactive, except in a production
/// or transient environment. The commit must exist in the repository. The environment is that of
/// the run, or else `production`. The task is `deploy` or `rollback`, and the payload has the
/// release, the run and the hosts.
///
/// APIs: [deployments](https://docs.github.com/en/rest/deployments/deployments#create-a-deployment),
/// [statuses](https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status).
///
/// ```
/// use fabrs::Secret;
/// use fabrs_deploy::{GitHubDeployments, Notifier, Site};
///
/// let token = Secret::new("github_pat_0123456789");
/// let deployments = GitHubDeployments::repository("acme/shop", &token)
///     .environment_url("https://shop.example.com");
/// assert_eq!(deployments.name(), "GitHub deployments of acme/shop");
/// let site = Site::new("/srv/shop").notify(deployments);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct GitHubDeployments {
    url: String,
    repository: String,
    token: Secret,
    environment_url: Option<String>,
    log_url: Option<String>,
    is_production: Option<bool>,
    is_transient: bool,
    http: HttpClient,
}

impl GitHubDeployments {
    /// Notifies the repository `OWNER/NAME` at github.com.
    ///
    /// A fine-grained token needs write access to *Deployments*, and a classic token the scope
    /// `repo_deployment`.
    ///
    /// ```
    /// # use fabrs_deploy::{GitHubDeployments, Notifier};
    /// let token = fabrs::Secret::new("github_pat_0123456789");
    /// let deployments = GitHubDeployments::repository("acme/shop", &token);
    /// assert_eq!(deployments.name(), "GitHub deployments of acme/shop");
    /// ```
    pub fn repository(repository: impl Into<String>, token: &Secret) -> Self {
        Self {
            url: "https://api.github.com".to_owned(),
            repository: repository.into(),
            token: token.clone(),
            environment_url: None,
            log_url: None,
            is_production: None,
            is_transient: false,
            http: HttpClient::default(),
        }
    }

    /// Sets the URL of the API of a GitHub Enterprise Server. Defaults to `https://api.github.com`.
    ///
    /// ```
    /// # use fabrs_deploy::GitHubDeployments;
    /// let token = fabrs::Secret::new("github_pat_0123456789");
    /// let deployments = GitHubDeployments::repository("acme/shop", &token)
    ///     .url("https://github.example.com/api/v3");
    /// assert!(format!("{deployments:?}").contains("github.example.com/api/v3"));
    /// ```
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// Sets the URL of the site, for the button *View deployment*. Defaults to none.
    ///
    /// ```
    /// # use fabrs_deploy::GitHubDeployments;
    /// let token = fabrs::Secret::new("github_pat_0123456789");
    /// let deployments = GitHubDeployments::repository("acme/shop", &token)
    ///     .environment_url("https://shop.example.com");
    /// assert!(format!("{deployments:?}").contains("https://shop.example.com"));
    /// ```
    pub fn environment_url(mut self, url: impl Into<String>) -> Self {
        self.environment_url = Some(url.into());
        self
    }

    /// Sets the URL of the log of the deploy. Defaults to the URL of the CI job, if any.
    ///
    /// ```
    /// # use fabrs_deploy::GitHubDeployments;
    /// let token = fabrs::Secret::new("github_pat_0123456789");
    /// let deployments = GitHubDeployments::repository("acme/shop", &token)
    ///     .log_url("https://ci.example.com/shop/314");
    /// assert!(format!("{deployments:?}").contains("https://ci.example.com/shop/314"));
    /// ```
    pub fn log_url(mut self, url: impl Into<String>) -> Self {
        self.log_url = Some(url.into());
        self
    }

    /// Marks the environment as used by end users. Defaults to `true` for an environment named
    /// `production`.
    ///
    /// ```
    /// # use fabrs_deploy::GitHubDeployments;
    /// let token = fabrs::Secret::new("github_pat_0123456789");
    /// let live = GitHubDeployments::repository("acme/shop", &token).production_environment(true);
    /// assert!(format!("{live:?}").contains("is_production: Some(true)"));
    /// ```
    pub fn production_environment(mut self, is_production: bool) -> Self {
        self.is_production = Some(is_production);
        self
    }

    /// Marks the environment as temporary, such as the environment of a pull request. Defaults to
    /// `false`.
    ///
    /// ```
    /// # use fabrs_deploy::GitHubDeployments;
    /// let token = fabrs::Secret::new("github_pat_0123456789");
    /// let review = GitHubDeployments::repository("acme/shop", &token).transient_environment(true);
    /// assert!(format!("{review:?}").contains("is_transient: true"));
    /// ```
    pub fn transient_environment(mut self, is_transient: bool) -> Self {
        self.is_transient = is_transient;
        self
    }

    /// Trusts only the certificate authorities in a PEM file, for a server with a private CA. Each
    /// notification reads the file. Defaults to the public authorities.
    ///
    /// ```
    /// # use fabrs_deploy::GitHubDeployments;
    /// let token = fabrs::Secret::new("github_pat_0123456789");
    /// let deployments = GitHubDeployments::repository("acme/shop", &token)
    ///     .url("https://github.example.com/api/v3")
    ///     .ca_certificate("/etc/ssl/acme-ca.pem");
    /// assert!(format!("{deployments:?}").contains("acme-ca.pem"));
    /// ```
    pub fn ca_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.set_ca_certificate(path);
        self
    }

    fn deployment(&self, report: &DeployReport) -> Value {
        let environment = report.environment_name();
        let hosts: Vec<&str> = report.hosts.iter().map(|host| host.host.as_str()).collect();
        json!({
            "ref": report.revision.commit,
            "task": if report.action == DeployAction::Rollback { "rollback" } else { "deploy" },
            "auto_merge": false,
            // The deploy has finished, so GitHub must not require checks of the commit.
            "required_contexts": [],
            "environment": environment,
            "production_environment": self.is_production.unwrap_or(environment == "production"),
            "transient_environment": self.is_transient,
            "description": shorten(&report.subject(), MAX_DESCRIPTION_LETTERS),
            "payload": {
                "application": report.application,
                "release": report.release,
                "revision": report.revision.name,
                "run": report.run,
                "by": report.by.to_string(),
                "hosts": hosts,
            },
        })
    }

    fn status(&self, report: &DeployReport) -> Value {
        let state = match report.outcome {
            _ if report.is_live => "success",
            DeployOutcome::Cancelled => "error",
            DeployOutcome::Live | DeployOutcome::Held | DeployOutcome::Failed => "failure",
        };
        let mut status = json!({
            "state": state,
            "description": shorten(&report.subject(), MAX_DESCRIPTION_LETTERS),
            "environment": report.environment_name(),
            "auto_inactive": true,
        });
        for (name, url) in [
            ("environment_url", self.environment_url.as_ref()),
            ("log_url", self.log_url.as_ref().or(report.by.job_url.as_ref())),
        ] {
            if let Some(url) = url {
                status[name] = url.as_str().into();
            }
        }
        status
    }
}

impl Notifier for GitHubDeployments {
    fn name(&self) -> String {
        format!("GitHub deployments of {}", self.repository)
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
        let deployments = format!("{}/repos/{}/deployments", self.url.trim_end_matches('/'), self.repository);
        let headers: Headers = vec![
            ("Authorization", Secret::new(format!("Bearer {}", self.token.expose()))),
            ("Accept", Secret::new("application/vnd.github+json")),
            ("X-GitHub-Api-Version", Secret::new(API_VERSION)),
        ];
        let (deployment, status) = (self.deployment(&report), self.status(&report));
        self.http.run(move |session| {
            let created = session.post_json(&deployments, &headers, &deployment)?;
            let id = created["id"].as_u64().ok_or(HttpError::MissingField("id"))?;
            session.post_json(&format!("{deployments}/{id}/statuses"), &headers, &status)?;
            Ok(())
        })
    }
}
