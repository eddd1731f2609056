//! The New Relic notifier: a change marker of a deploy.

use std::sync::Arc;

use fabrs::Secret;
use serde_json::json;

use super::http;
use super::notifier::{Notifier, NotifyFuture};
use super::report::{DeployOutcome, DeployReport};

/// The mutation of change tracking in `NerdGraph`:
/// <https://docs.newrelic.com/docs/change-tracking/change-tracking-graphql/>.
const MUTATION: &str = "mutation($deployment: ChangeTrackingDeploymentInput!) \
     { changeTrackingCreateDeployment(deployment: $deployment) { deploymentId entityGuid } }";

/// A notifier for New Relic: a change marker with the new commits, in all graphs of an entity.
///
/// A failed or cancelled deploy creates no marker.
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
        if report.outcome != DeployOutcome::Live {
            return Box::pin(async { Ok(()) });
        }
        let changelog = report.changes.iter().flat_map(|since| since.changes.lines()).collect::<Vec<_>>().join("\n");
        let deployment = json!({
            "version": report.revision.name,
            "commit": report.revision.commit,
            "entityGuid": self.entity,
            "description": report.subject(),
            "changelog": changelog,
            "user": report.by.to_string(),
            "deploymentType": "BASIC",
            "timestamp": report.unix_time() * 1000,
        });
        let body = json!({ "query": MUTATION, "variables": { "deployment": deployment } });
        http::post(self.url.clone(), vec![("API-Key", self.key.clone())], body)
    }
}
