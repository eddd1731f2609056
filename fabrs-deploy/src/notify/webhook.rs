//! An address that is sent the report as JSON.

use std::sync::Arc;

use fabrs::Secret;

use super::http;
use super::notifier::{Notifier, NotifyFuture};
use super::report::DeployReport;

/// An address that is posted the [`DeployReport`] as JSON, with a `text` besides, which is what chat servers show.
///
/// ```
/// use fabrs_deploy::{Site, Webhook};
///
/// let site = Site::new("/srv/shop").notify(Webhook::post("https://chat.example.com/hooks/shop"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Webhook {
    url: Secret,
    name: String,
    headers: Vec<(&'static str, Secret)>,
}

impl Webhook {
    /// Posts to this address. All of it but the host is kept out of what is shown: who knows it may post.
    pub fn post(url: impl Into<String>) -> Self {
        let url = url.into();
        let host = url.split("//").nth(1).and_then(|rest| rest.split(['/', '?', '@']).next()).unwrap_or("an address");
        let name = format!("webhook at {host}");
        Self { name, url: Secret::new(url), headers: Vec::new() }
    }

    /// Adds a header that lets it in.
    pub fn authorization(mut self, value: &Secret) -> Self {
        self.headers.push(("Authorization", value.clone()));
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
        http::post(self.url.expose().to_owned(), self.headers.clone(), body)
    }
}
