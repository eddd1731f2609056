//! The New Relic notifier: a change marker of a deploy.

use std::sync::Arc;

use fabrs::Secret;
use serde_json::{Value, json};

use super::http::{Headers, HttpClient, HttpError};
use super::notifier::{Notifier, NotifyFuture};
use super::report::DeployReport;

/// The mutation of change tracking in `NerdGraph`:
/// <https://docs.newrelic.com/docs/change-tracking/change-tracking-graphql/>.
const MUTATION: &str = "mutation($deployment: ChangeTrackingDeploymentInput!) \
     { changeTrackingCreateDeployment(deployment: $deployment) { deploymentId entityGuid } }";

/// A notifier for New Relic: a change marker with the new commits, in all graphs of an entity.
///
/// | outcome | effect |
/// |---|---|
/// | a deploy, a promotion or a rollback is live | a marker with the action in its description |
/// | failed, cancelled or held, and the release is not live | no marker |
///
/// For a wrong key or GUID, `NerdGraph` responds with status 200 and a list of errors. These errors
/// cause a warning, like other failures.
///
/// API: [change tracking](https://docs.newrelic.com/docs/change-tracking/change-tracking-graphql/).
///
/// ```
/// use fabrs::Secret;
/// use fabrs_deploy::{NewRelic, Notifier, Site};
///
/// let key = Secret::new("NRAK-0123456789");
/// let marker = NewRelic::entity("MXxBUE18QVBQTElDQVRJT058MQ", &key);
/// assert_eq!(marker.name(), "New Relic marker of MXxBUE18QVBQTElDQVRJT058MQ");
/// let site = Site::new("/srv/shop").notify(marker);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct NewRelic {
    url: String,
    entity: String,
    key: Secret,
}

impl NewRelic {
    /// Marks the entity with this GUID. `key` is a user key (`NRAK-...`).
    ///
    /// ```
    /// # use fabrs_deploy::{NewRelic, Notifier};
    /// let marker = NewRelic::entity("MXxBUE18", &fabrs::Secret::new("NRAK-0123456789"));
    /// assert_eq!(marker.name(), "New Relic marker of MXxBUE18");
    /// ```
    pub fn entity(guid: impl Into<String>, key: &Secret) -> Self {
        Self { url: "https://api.newrelic.com/graphql".to_owned(), entity: guid.into(), key: key.clone() }
    }

    /// Sets the URL of the API. Defaults to `https://api.newrelic.com/graphql`, the API for
    /// accounts in the US.
    ///
    /// ```
    /// # use fabrs_deploy::NewRelic;
    /// let marker = NewRelic::entity("MXxBUE18", &fabrs::Secret::new("NRAK-0123456789"))
    ///     .url("https://api.eu.newrelic.com/graphql");
    /// assert!(format!("{marker:?}").contains("api.eu.newrelic.com"));
    /// ```
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }
}

impl Notifier for NewRelic {
    fn name(&self) -> String {
        format!("New Relic marker of {}", self.entity)
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.key.clone()]
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        if !report.is_live {
            return Box::pin(async { Ok(()) });
        }
        let changelog = report.changes.iter().flat_map(|since| since.changes.lines()).collect::<Vec<_>>().join("\n");
        let mut deployment = json!({
            "version": report.revision.name,
            "commit": report.revision.commit,
            "entityGuid": self.entity,
            "description": report.subject(),
            "changelog": changelog,
            "user": report.by.to_string(),
            "deploymentType": "BASIC",
            "timestamp": report.unix_millis(),
        });
        if let Some(url) = &report.by.job_url {
            deployment["deepLink"] = url.as_str().into();
        }
        let body = json!({ "query": MUTATION, "variables": { "deployment": deployment } });
        let (url, headers): (_, Headers) = (self.url.clone(), vec![("API-Key", self.key.clone())]);
        HttpClient::default().run(move |session| check(&session.post_json(&url, &headers, &body)?))
    }
}

/// Checks the response of `NerdGraph`. A failed mutation has status 200 and a list of errors.
///
/// # Errors
///
/// The first error of the response, and a response without the id of the marker.
fn check(answer: &Value) -> Result<(), HttpError> {
    if let Some(error) = answer["errors"].get(0) {
        return Err(HttpError::rejected(error["message"].as_str().unwrap_or("an error without a message")));
    }
    match answer["data"]["changeTrackingCreateDeployment"]["deploymentId"].as_str() {
        Some(_) => Ok(()),
        None => Err(HttpError::MissingField("deploymentId")),
    }
}
