//! The Grafana notifier: an annotation of a deploy.

use std::path::PathBuf;
use std::sync::Arc;

use fabrs::Secret;
use serde_json::{Value, json};

use super::http::{Headers, HttpClient, host_of};
use super::notifier::{Notifier, NotifyFuture};
use super::report::DeployReport;
use super::short_text::shorten_lines;

/// The maximum length of the text, since Grafana shows it in a tooltip.
const MAX_TEXT_LETTERS: usize = 2_000;

/// A notifier for Grafana: an annotation from the start to the end of a deploy.
///
/// Each deploy, promotion, hold and rollback creates an annotation, also a failed or cancelled one.
/// Its tags are the application, the environment, the action ([`DeployAction::as_str`]), the
/// outcome ([`DeployOutcome::as_str`]) and your own tags. A dashboard with an annotation query for
/// tags such as `shop` and `production` shows it in all graphs.
///
/// API: [create annotation](https://grafana.com/docs/grafana/latest/developers/http_api/annotations/#create-annotation).
///
/// [`DeployAction::as_str`]: crate::DeployAction::as_str
/// [`DeployOutcome::as_str`]: crate::DeployOutcome::as_str
///
/// ```
/// use fabrs::Secret;
/// use fabrs_deploy::{GrafanaAnnotation, Notifier, Site};
///
/// let token = Secret::new("glsa_0123456789");
/// let annotation = GrafanaAnnotation::at("https://grafana.example.com", &token).tag("web");
/// assert_eq!(annotation.name(), "Grafana annotation at grafana.example.com");
/// let site = Site::new("/srv/shop").notify(annotation);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct GrafanaAnnotation {
    url: String,
    token: Secret,
    tags: Vec<String>,
    dashboard: Option<String>,
    http: HttpClient,
}

impl GrafanaAnnotation {
    /// Notifies a Grafana server, with the token of a service account. The account needs the
    /// permission `annotations:create`, for example from the role Editor.
    ///
    /// ```
    /// # use fabrs_deploy::{GrafanaAnnotation, Notifier};
    /// let token = fabrs::Secret::new("glsa_0123456789");
    /// let annotation = GrafanaAnnotation::at("https://grafana.example.com", &token);
    /// assert_eq!(annotation.name(), "Grafana annotation at grafana.example.com");
    /// ```
    pub fn at(url: impl Into<String>, token: &Secret) -> Self {
        Self { url: url.into(), token: token.clone(), tags: Vec::new(), dashboard: None, http: HttpClient::default() }
    }

    /// Adds a tag.
    ///
    /// ```
    /// # use fabrs_deploy::GrafanaAnnotation;
    /// let token = fabrs::Secret::new("glsa_0123456789");
    /// let annotation = GrafanaAnnotation::at("https://grafana.example.com", &token).tag("web");
    /// assert!(format!("{annotation:?}").contains("tags: [\"web\"]"));
    /// ```
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Shows the annotation in one dashboard only. Its URL contains the UID after `/d/`.
    /// Defaults to all dashboards of the organization.
    ///
    /// ```
    /// # use fabrs_deploy::GrafanaAnnotation;
    /// let token = fabrs::Secret::new("glsa_0123456789");
    /// let annotation = GrafanaAnnotation::at("https://grafana.example.com", &token)
    ///     .dashboard("jcIIG-07z");
    /// assert!(format!("{annotation:?}").contains("jcIIG-07z"));
    /// ```
    pub fn dashboard(mut self, uid: impl Into<String>) -> Self {
        self.dashboard = Some(uid.into());
        self
    }

    /// Trusts only the certificate authorities in a PEM file, for a server with a private CA. Each
    /// notification reads the file. Defaults to the public authorities.
    ///
    /// ```
    /// # use fabrs_deploy::GrafanaAnnotation;
    /// let token = fabrs::Secret::new("glsa_0123456789");
    /// let annotation = GrafanaAnnotation::at("https://grafana.example.com", &token)
    ///     .ca_certificate("/etc/ssl/acme-ca.pem");
    /// assert!(format!("{annotation:?}").contains("acme-ca.pem"));
    /// ```
    pub fn ca_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.set_ca_certificate(path);
        self
    }

    fn annotation(&self, report: &DeployReport) -> Value {
        let mut tags = vec![report.application.as_str()];
        tags.extend(report.environment.as_deref());
        tags.extend([report.action.as_str(), report.outcome.as_str()]);
        tags.extend(self.tags.iter().map(String::as_str));
        let end = report.unix_millis();
        let elapsed = u64::try_from(report.elapsed.as_millis()).unwrap_or(0);
        let mut annotation = json!({
            "time": end.saturating_sub(elapsed),
            "timeEnd": end,
            "tags": tags,
            "text": escape(&shorten_lines(report.text().trim_end(), MAX_TEXT_LETTERS)),
        });
        if let Some(uid) = &self.dashboard {
            annotation["dashboardUID"] = uid.as_str().into();
        }
        annotation
    }
}

impl Notifier for GrafanaAnnotation {
    fn name(&self) -> String {
        format!("Grafana annotation at {}", host_of(&self.url))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.token.clone()]
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        let url = format!("{}/api/annotations", self.url.trim_end_matches('/'));
        let headers: Headers = vec![("Authorization", Secret::new(format!("Bearer {}", self.token.expose())))];
        let annotation = self.annotation(&report);
        self.http.run(move |session| session.post_json(&url, &headers, &annotation).map(drop))
    }
}

/// Escapes HTML, since Grafana shows the text of an annotation as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::notify::report::{DeployAction, DeployOutcome};

    #[test]
    fn the_annotation_has_times_in_milliseconds_and_escaped_html() {
        let mut report = DeployReport::example(DeployAction::Rollback, DeployOutcome::Failed);
        report.revision.name = "<b>".to_owned();
        report.at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_507_180_805_056);
        report.elapsed = Duration::from_secs(41);
        let at = GrafanaAnnotation::at("https://grafana.example.com", &Secret::new("glsa_0123456789"));
        let annotation = at.tag("web").dashboard("jcIIG-07z").annotation(&report);
        assert_eq!(annotation["time"], 1_507_180_764_056_u64);
        assert_eq!(annotation["timeEnd"], 1_507_180_805_056_u64);
        assert_eq!(annotation["tags"], json!(["shop", "production", "rollback", "failed", "web"]));
        assert_eq!(annotation["dashboardUID"], "jcIIG-07z");
        let text = annotation["text"].as_str().unwrap();
        assert!(text.starts_with("[shop] production: rollback to &lt;b&gt; ("), "{text}");
    }
}
