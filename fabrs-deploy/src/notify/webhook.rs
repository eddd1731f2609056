//! The webhook notifier: posts the report as JSON.

use std::path::PathBuf;
use std::sync::Arc;

use fabrs::Secret;

use super::http::{Headers, HttpClient, host_of};
use super::notifier::{Notifier, NotifyFuture};
use super::report::DeployReport;

/// A notifier that posts the [`DeployReport`] as JSON.
///
/// The JSON has a `text` key in addition to the fields of the report. Each deploy, promotion, hold
/// and rollback is posted, with the keys `action` and `outcome`. For a chat,
/// [`Slack`](crate::Slack) has shorter messages with colors.
///
/// ```
/// use fabrs_deploy::{Notifier, Site, Webhook};
///
/// let webhook = Webhook::post("https://chat.example.com/hooks/shop");
/// assert_eq!(webhook.name(), "webhook at chat.example.com");
/// let site = Site::new("/srv/shop").notify(webhook);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Webhook {
    url: Secret,
    name: String,
    headers: Headers,
    http: HttpClient,
}

impl Webhook {
    /// Posts to a URL. Output and errors contain only the host of the URL, since the path of a
    /// webhook is often its only secret.
    ///
    /// ```
    /// # use fabrs_deploy::{Notifier, Webhook};
    /// let webhook = Webhook::post("https://chat.example.com/hooks/T0K3N");
    /// assert_eq!(webhook.name(), "webhook at chat.example.com");
    /// ```
    pub fn post(url: impl Into<String>) -> Self {
        let url = url.into();
        let name = format!("webhook at {}", host_of(&url));
        Self { name, url: Secret::new(url), headers: Vec::new(), http: HttpClient::default() }
    }

    /// Sets the `Authorization` header.
    ///
    /// ```
    /// # use fabrs_deploy::{Notifier, Webhook};
    /// let token = fabrs::Secret::new("Bearer 0123456789");
    /// let webhook = Webhook::post("https://chat.example.com/hooks/shop").authorization(&token);
    /// assert_eq!(webhook.secrets().len(), 2); // the URL and the token
    /// ```
    pub fn authorization(mut self, value: &Secret) -> Self {
        self.headers.push(("Authorization", value.clone()));
        self
    }

    /// Trusts only the certificate authorities in a PEM file, for a server with a private CA. Each
    /// notification reads the file. Defaults to the public authorities.
    ///
    /// ```
    /// # use fabrs_deploy::Webhook;
    /// let webhook = Webhook::post("https://chat.example.com/hooks/shop")
    ///     .ca_certificate("/etc/ssl/acme-ca.pem");
    /// assert!(format!("{webhook:?}").contains("acme-ca.pem"));
    /// ```
    pub fn ca_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.set_ca_certificate(path);
        self
    }
}

impl Notifier for Webhook {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn secrets(&self) -> Vec<Secret> {
        let url = std::iter::once(self.url.clone());
        url.chain(self.headers.iter().map(|(_, value)| value.clone())).collect()
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        let mut body = serde_json::to_value(&*report).unwrap_or_default();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("text".to_owned(), report.text().into());
        }
        self.http.post(self.url.expose().to_owned(), self.headers.clone(), body)
    }
}
