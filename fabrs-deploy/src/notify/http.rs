//! HTTP requests of notifiers: JSON documents for the API of one service.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fabrs::Secret;
use fabrs::event::escape_controls;
use serde_json::Value;
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::notifier::{NotifyFuture, notify_error, run_blocking};
use super::report::DeployReport;
use crate::source::refs::is_commit;

/// The time limit of all requests of one notification. It is shorter than the limit of the
/// notification, since a blocking thread cannot be cancelled.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The maximum size of a response.
const MAX_RESPONSE_BYTES: u64 = 1 << 20;

/// The maximum length of a service's error message in a warning.
const MAX_MESSAGE_LETTERS: usize = 200;

/// The `User-Agent` header. GitHub requires it.
const USER_AGENT: &str = concat!("fabrs-deploy/", env!("CARGO_PKG_VERSION"));

/// The headers of a request. Each value may be a secret.
pub(super) type Headers = Vec<(&'static str, Secret)>;

/// The HTTP client of a notifier.
///
/// Redirects are errors. A redirect would send the headers, and so the token, to another host.
#[derive(Debug, Clone, Default)]
pub(super) struct HttpClient {
    ca_certificate: Option<PathBuf>,
}

impl HttpClient {
    /// Trusts only the certificates in a PEM file. Defaults to the public authorities.
    pub(super) fn set_ca_certificate(&mut self, path: impl Into<PathBuf>) {
        self.ca_certificate = Some(path.into());
    }

    /// Posts one document. Any response with a status of 200 to 299 is a success.
    pub(super) fn post(&self, url: String, headers: Headers, body: Value) -> NotifyFuture {
        self.run(move |session| session.post(&url, &headers, &body).map(drop))
    }

    /// Runs several requests in order on a thread for blocking calls.
    pub(super) fn run(
        &self,
        work: impl FnOnce(&HttpSession) -> Result<(), HttpError> + Send + 'static,
    ) -> NotifyFuture {
        let client = self.clone();
        run_blocking(move || work(&client.session()?))
    }

    fn session(&self) -> Result<HttpSession, HttpError> {
        let mut config = Agent::config_builder().user_agent(USER_AGENT).max_redirects(0).http_status_as_error(false);
        if let Some(path) = &self.ca_certificate {
            let roots = RootCerts::from(read_certificates(path)?);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(HttpSession { agent: config.build().into(), deadline: Instant::now() + REQUEST_TIMEOUT })
    }
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate<'static>>, HttpError> {
    let unusable = |source: io::Error| HttpError::CaCertificate { path: path.to_owned(), source };
    let pem = std::fs::read(path).map_err(unusable)?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(unusable(io::Error::new(io::ErrorKind::InvalidData, "the file has no PEM certificate")));
    }
    Ok(certificates)
}

/// The requests of one notification, with a common time limit.
#[derive(Debug)]
pub(super) struct HttpSession {
    agent: Agent,
    deadline: Instant,
}

impl HttpSession {
    /// Posts a document and returns the text of the response.
    ///
    /// # Errors
    ///
    /// A failed request, and a response with a status outside 200 to 299, also a redirect.
    pub(super) fn post(
        &self,
        url: &str,
        headers: &[(&'static str, Secret)],
        body: &Value,
    ) -> Result<String, HttpError> {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let mut request = self.agent.post(url).config().timeout_global(Some(left)).build();
        for (name, value) in headers {
            request = request.header(*name, value.expose());
        }
        let mut response = request.send_json(body)?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(MAX_RESPONSE_BYTES).lossy_utf8(true).read_to_string();
        if !status.is_success() {
            // The status is the reason, even if the rest of the response is lost.
            return Err(HttpError::Status { status, message: error_message(&text.unwrap_or_default()) });
        }
        Ok(text?)
    }

    /// Posts a document and returns the JSON of the response.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post), and a response that is not JSON.
    pub(super) fn post_json(
        &self,
        url: &str,
        headers: &[(&'static str, Secret)],
        body: &Value,
    ) -> Result<Value, HttpError> {
        let text = self.post(url, headers, body)?;
        serde_json::from_str(&text).map_err(|_| HttpError::NotJson)
    }
}

/// The error of a request. The text contains neither the URL nor a header.
#[derive(Debug)]
pub(super) enum HttpError {
    /// The request failed: no connection, no valid certificate, no response in time.
    Request(ureq::Error),
    /// The service rejected the request.
    Status { status: StatusCode, message: Option<String> },
    /// The service accepted the request, but reports an error in its response.
    Rejected(String),
    /// The response is not JSON.
    NotJson,
    /// The response lacks a field.
    MissingField(&'static str),
    /// The report has no full commit id: the manifest of an earlier release is text of a host.
    NoCommitId,
    /// The PEM file of the certificate authority is unusable.
    CaCertificate { path: PathBuf, source: io::Error },
}

impl HttpError {
    /// Creates the error for a response with a successful status and an error message.
    pub(super) fn rejected(message: &str) -> Self {
        Self::Rejected(shortened(message))
    }
}

impl From<ureq::Error> for HttpError {
    fn from(error: ureq::Error) -> Self {
        Self::Request(error)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The URL of a webhook is a secret.
            Self::Request(ureq::Error::BadUri(_)) => f.write_str("invalid URL"),
            Self::Request(error) => f.write_str(&escape_controls(&error.to_string())),
            Self::Status { status, .. } if status.is_redirection() => {
                write!(f, "the service answered {status}: redirects are not followed, set the new URL")
            }
            Self::Status { status, message: None } => write!(f, "the service answered {status}"),
            Self::Status { status, message: Some(message) } => write!(f, "the service answered {status}: {message}"),
            Self::Rejected(message) => write!(f, "the service rejected the report: {message}"),
            Self::NotJson => f.write_str("the response is not JSON: check the URL of the service"),
            Self::MissingField(field) => write!(f, "the response has no `{field}`: check the URL of the service"),
            Self::NoCommitId => f.write_str("the release has no full commit id"),
            Self::CaCertificate { path, source } => {
                write!(f, "could not read the CA certificate `{}`: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for HttpError {}

/// Returns the message of an error response. The services use the keys `message`, `error`, `detail`
/// and `errors`, or plain text.
fn error_message(text: &str) -> Option<String> {
    let message = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => {
            let named = ["message", "error", "detail", "errors"].iter().find_map(|name| fields.get(*name))?;
            named.as_str().map_or_else(|| named.to_string(), str::to_owned)
        }
        Ok(_) => return None,
        // An HTML page, for example of a proxy, has no useful first line.
        Err(_) if text.trim_start().starts_with('<') => return None,
        Err(_) => text.trim().to_owned(),
    };
    (!message.is_empty()).then(|| shortened(&message))
}

/// Returns the first characters of a text, with escaped control characters.
fn shortened(text: &str) -> String {
    let short: String = text.chars().take(MAX_MESSAGE_LETTERS).collect();
    escape_controls(&short).replace('\n', "\\n")
}

/// Returns the failed notification of a report without a full commit id. The commit of a rollback
/// is text of a host, and must reach neither a URL nor a service.
pub(super) fn without_commit_id(report: &DeployReport) -> Option<NotifyFuture> {
    let failed: NotifyFuture = Box::pin(async { Err(notify_error(HttpError::NoCommitId)) });
    (!is_commit(&report.revision.commit)).then_some(failed)
}

/// Returns the host of a URL, for the name of a notifier. The path and the login may be secret.
pub(super) fn host_of(url: &str) -> String {
    let host = url::Url::parse(url).ok().and_then(|url| {
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        Some(format!("{}{port}", url.host_str()?))
    });
    host.unwrap_or_else(|| "an invalid URL".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_error_response_is_short_text_without_control_characters() {
        for (text, message) in [
            (
                r#"{"message": "Bad credentials", "documentation_url": "https://docs.github.com"}"#,
                Some("Bad credentials"),
            ),
            (
                r#"{"message": {"ref": ["The branch or tag does not exist"]}}"#,
                Some(r#"{"ref":["The branch or tag does not exist"]}"#),
            ),
            (r#"{"detail": "Invalid token\u001b[2K\n"}"#, Some(r"Invalid token\u{1b}[2K\n")),
            ("invalid_payload\n", Some("invalid_payload")),
            ("<html>Bad Gateway</html>", None),
            ("{}", None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(error_message(text).as_deref(), message, "{text}");
        }
        assert_eq!(error_message(&"a".repeat(1000)).map(|message| message.len()), Some(MAX_MESSAGE_LETTERS));
    }

    #[test]
    fn the_host_of_a_url_has_no_path_and_no_login() {
        assert_eq!(host_of("https://ann:s3cret@chat.example.com:8443/hooks/T0K3N?key=1"), "chat.example.com:8443");
        assert_eq!(host_of("chat/T0K3N"), "an invalid URL");
    }
}
