//! The gate for the response of a URL: status, text and time.

use std::sync::Arc;
use std::time::Duration;

use fabrs::{Error, ErrorKind, Hide, ShellLine, TaskError, cmd};

use crate::gates::gate::{Gate, GateFuture, Measurement, measure_each};
use crate::gates::watched_host::WatchedHost;

/// Requests the URL once.
const SCRIPT: &str = include_str!("http_gate.sh");

/// The resolution of the time limits of curl. A limit of 0 disables the limit.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// The default time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A gate for the response of a URL, requested by each host with `curl`.
///
/// Unlike a [`HealthCheck`](crate::HealthCheck), each request counts: a gate does not wait until
/// the application responds. Redirects are not followed.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Canary, HttpGate, Site};
///
/// let home = HttpGate::get("http://127.0.0.1:8000/").contains("Welcome").within(secs(1));
/// let site = Site::new("/srv/shop").strategy(Canary::hosts(1).watch(mins(5)).gate(home));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a gate does nothing until a site or a canary has it"]
pub struct HttpGate {
    url: String,
    host_header: Option<String>,
    unix_socket: Option<String>,
    status: u16,
    texts: Vec<String>,
    within: Duration,
}

impl HttpGate {
    /// Requests this URL with `GET`. Defaults to the status 200 and a time limit of 10 s.
    ///
    /// ```
    /// # use fabrs_deploy::{Gate, HttpGate};
    /// assert_eq!(HttpGate::get("http://127.0.0.1/").name(), "http://127.0.0.1/");
    /// ```
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            host_header: None,
            unix_socket: None,
            status: 200,
            texts: Vec::new(),
            within: REQUEST_TIMEOUT,
        }
    }

    /// Sets the expected status.
    ///
    /// ```
    /// # use fabrs_deploy::HttpGate;
    /// let login = HttpGate::get("http://127.0.0.1/account").status(302);
    /// assert!(format!("{login:?}").contains("302"));
    /// ```
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Requires this text in the response. Several calls require all of the texts.
    ///
    /// ```
    /// # use fabrs_deploy::HttpGate;
    /// let home = HttpGate::get("http://127.0.0.1/").contains("Welcome");
    /// assert!(format!("{home:?}").contains("Welcome"));
    /// ```
    pub fn contains(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// Sets the time limit of a request, from the connection to the end of the response.
    ///
    /// ```
    /// # use fabrs_deploy::HttpGate;
    /// let home = HttpGate::get("http://127.0.0.1/").within(std::time::Duration::from_millis(500));
    /// assert!(format!("{home:?}").contains("500ms"));
    /// ```
    #[doc(alias = "timeout")]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// Sets the `Host` header of the request: for a server with several virtual hosts.
    ///
    /// ```
    /// # use fabrs_deploy::HttpGate;
    /// let home = HttpGate::get("http://127.0.0.1/").host_header("shop.example.com");
    /// assert!(format!("{home:?}").contains("shop.example.com"));
    /// ```
    pub fn host_header(mut self, name: impl Into<String>) -> Self {
        self.host_header = Some(name.into());
        self
    }

    /// Sends the request to a Unix socket. The path is absolute, or relative to the directory of
    /// the release.
    ///
    /// ```
    /// # use fabrs_deploy::HttpGate;
    /// let home = HttpGate::get("http://localhost/").unix_socket("../../shared/shop.sock");
    /// assert!(format!("{home:?}").contains("shop.sock"));
    /// ```
    pub fn unix_socket(mut self, path: impl Into<String>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    async fn measure_host(self, host: WatchedHost) -> Result<Measurement, TaskError> {
        let [header, socket] =
            [&self.host_header, &self.unix_socket].map(|setting| setting.as_deref().unwrap_or_default());
        let (url, limit) = (&self.url, self.within.as_secs_f64());
        let variables = cmd!("url={url} host={header} socket={socket} limit={limit}");
        let script = ShellLine::raw(format!("{}\n{}", variables.as_str(), SCRIPT.trim_end()));
        let output = host.app().connection().probe(script).named(format!("request {}", self.name())).hide(Hide::Both);
        let output = output.warn().capture_all().await?;
        if !output.ok()? {
            return Ok(Measurement::bad(output.stderr()?.trim().to_owned()));
        }
        Ok(self.judge(&output.stdout()?))
    }

    /// Judges the output of the script.
    fn judge(&self, output: &str) -> Measurement {
        let (response, summary) = output.trim_end().rsplit_once('\n').unwrap_or_default();
        let (status, time) = summary.split_once(' ').unwrap_or_default();
        if status.parse() != Ok(self.status) {
            return Measurement::bad(format!("status {status} instead of {}", self.status));
        }
        match self.texts.iter().find(|text| !response.contains(*text)) {
            Some(text) => Measurement::bad(format!("the response does not contain `{text}`")),
            None => Measurement::good(format!("status {status} in {time} s")),
        }
    }
}

impl Gate for HttpGate {
    /// Returns the URL without its query and password.
    fn name(&self) -> String {
        let Ok(mut url) = url::Url::parse(&self.url) else { return "an invalid URL".to_owned() };
        url.set_query(None);
        // These calls fail for URLs without a host, which have no password.
        let _ = (url.set_password(None), url.set_username(""));
        url.to_string()
    }

    fn check(&self) -> Result<(), Error> {
        if url::Url::parse(&self.url).is_err() {
            return Err(Error::new(ErrorKind::Usage, "the URL of an HTTP gate is invalid"));
        }
        if self.within < MIN_TIMEOUT {
            return Err(Error::new(ErrorKind::Usage, "the time limit of an HTTP gate is below 1 ms"));
        }
        Ok(())
    }

    fn measure(&self, hosts: Arc<[WatchedHost]>) -> GateFuture {
        let gate = self.clone();
        measure_each(hosts, move |host| gate.clone().measure_host(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::gate::Verdict;

    #[test]
    fn the_name_has_neither_the_query_nor_the_password() {
        let gate = HttpGate::get("http://ann:secret@127.0.0.1:8000/price?token=secret");
        assert_eq!(gate.name(), "http://127.0.0.1:8000/price");
        gate.check().unwrap();
        assert!(gate.within(Duration::from_micros(400)).check().is_err(), "curl would disable the limit");
    }

    #[test]
    fn a_response_needs_the_status_and_all_texts() {
        let gate = HttpGate::get("http://127.0.0.1/").contains("Welcome");
        let judge = |output| gate.judge(output);
        assert_eq!(judge("Welcome\nback\n\n200 0.012"), Measurement::good("status 200 in 0.012 s"));
        assert_eq!(judge("Welcome\n502 0.012").text, "status 502 instead of 200");
        assert_eq!(judge("Sorry\n200 0.012").text, "the response does not contain `Welcome`");
        assert_eq!(judge("").verdict, Verdict::Bad);
    }
}
