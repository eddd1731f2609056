//! Notifiers against servers with the recorded answers of each service, and against broken servers.

mod failures;
mod mails;
mod services;
mod tls_server;

use std::sync::Arc;

use fabrs::Client;
use fabrs::config::{Config, Inventory};
use fabrs::event::CaptureSink;
use fabrs_testing::receivers::{HttpAnswer, HttpRequest, RecordingServer, http_answering};

use crate::fixture::Fixture;

/// Returns a client in the environment `staging`.
fn staging_client(fixture: &Fixture) -> (Client, Arc<CaptureSink>) {
    let config = Config::parse("[env.staging]", "fabrs.toml".as_ref()).expect("the configuration is valid");
    let inventory = Inventory::new(&config, Some("staging")).expect("the environment exists");
    fixture.client_of(|settings| settings, |builder| builder.inventory(inventory))
}

/// Returns the texts of all warnings.
fn warnings(capture: &CaptureSink) -> Vec<String> {
    let warnings = capture.of_kind("warning");
    warnings.iter().map(|warning| warning["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Starts a server that answers a path with the first answer with a matching ending.
fn service(answers: &'static [(&'static str, &'static str, &'static str)]) -> RecordingServer<HttpRequest> {
    http_answering(move |request| {
        let found = answers.iter().find(|(ending, ..)| request.path.ends_with(ending));
        found.map_or_else(|| HttpAnswer::new("404 Not Found", ""), |(_, status, body)| HttpAnswer::new(*status, *body))
    })
}
