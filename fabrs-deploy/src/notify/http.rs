//! One JSON to one address.

use std::time::Duration;

use fabrs::Secret;
use serde_json::Value;
use ureq::Agent;

use super::notifier::{NotifyFuture, run_blocking};

/// How long the whole of it may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Posts a JSON; a status of 400 and above is an error.
pub(super) fn post(url: String, headers: Vec<(&'static str, Secret)>, body: Value) -> NotifyFuture {
    run_blocking(move || send(&url, &headers, &body))
}

/// Posts a JSON, on a thread that may wait.
pub(super) fn send(url: &str, headers: &[(&'static str, Secret)], body: &Value) -> Result<(), ureq::Error> {
    let agent: Agent = Agent::config_builder().timeout_global(Some(REQUEST_TIMEOUT)).build().into();
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, value.expose());
    }
    request.send_json(body)?;
    Ok(())
}
