//! HTTP requests of notifiers: one JSON document for one URL.

use std::time::Duration;

use fabrs::Secret;
use serde_json::Value;
use ureq::Agent;

use super::notifier::{NotifyFuture, run_blocking};

/// The time limit of a request, from the connection to the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Posts a JSON document. A response with a status of 400 and above is an error.
pub(super) fn post(url: String, headers: Vec<(&'static str, Secret)>, body: Value) -> NotifyFuture {
    run_blocking(move || post_blocking(&url, &headers, &body))
}

/// Like [`post`], but blocks the thread.
pub(super) fn post_blocking(url: &str, headers: &[(&'static str, Secret)], body: &Value) -> Result<(), ureq::Error> {
    let agent: Agent = Agent::config_builder().timeout_global(Some(REQUEST_TIMEOUT)).build().into();
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, value.expose());
    }
    request.send_json(body)?;
    Ok(())
}
