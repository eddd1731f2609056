//! A change marker in New Relic.

use std::sync::Arc;

use fabrs::Secret;
use serde_json::json;

use super::http;
use super::notifier::{Notifier, NotifyFuture};
use super::report::{DeployOutcome, DeployReport};

/// Change tracking, by `NerdGraph`: <https://docs.newrelic.com/docs/change-tracking/change-tracking-graphql/>.
const MUTATION: &str = "mutation($deployment: ChangeTrackingDeploymentInput!) \
     { changeTrackingCreateDeployment(deployment: $deployment) { deploymentId entityGuid } }";

/// A New Relic: a change marker of an entity, with its commits, in all of its graphs. What is not live it is not told.
///
/// ```no_run
/// use fabrs::Secret;
/// use fabrs_deploy::{NewRelic, Site};
///
/// let key = Secret::new("NRAK-...");
/// let site = Site::new("/srv/shop").notify(NewRelic::entity("MXxBUE18QVBQTElDQVRJT058MQ", &key));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct NewRelic {
    url: String,
    entity: String,
    key: Secret,
}

impl NewRelic {
    /// Marks this entity, by its GUID; the key is one of a user.
    pub fn entity(guid: impl Into<String>, key: &Secret) -> Self {
        Self { url: "https://api.newrelic.com/graphql".to_owned(), entity: guid.into(), key: key.clone() }
    }

    /// Takes another address: `https://api.eu.newrelic.com/graphql` for accounts in Europe.
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
