//! The health check: requests a URL on each host until the application responds.

use std::sync::Arc;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Hide, ShellLine, TaskError, cmd};

use crate::per_host::PerHost;
use crate::step::{App, DeployStep, StepFuture};

/// Requests the URL until the response is healthy.
const SCRIPT: &str = include_str!("health_check.sh");

/// A health check: each host requests a URL until the response has a status below 400.
///
/// The host needs `curl`, `wget` or `python3`. A dry run only plans the check.
///
/// ```
/// use fabrs_deploy::{HealthCheck, Site};
///
/// let health = HealthCheck::get("http://127.0.0.1:8000/health/").contains_release();
/// let site = Site::new("/srv/shop").health(health);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a health check does nothing until `Site::health` adds it to a site"]
pub struct HealthCheck {
    url: PerHost,
    host_header: Option<String>,
    unix_socket: Option<String>,
    texts: Vec<String>,
    release_text: ReleaseText,
    attempts: u32,
    pause: Duration,
}

/// The requirement for the release id in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReleaseText {
    Optional,
    Required,
}

impl HealthCheck {
    /// Requests this URL with `GET`. Redirects are followed. Defaults to at most 20 attempts with a
    /// pause of 500 ms, and a time limit of 10 s for each attempt.
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// let health = HealthCheck::get("http://127.0.0.1:8000/health/");
    /// assert!(format!("{health:?}").contains("http://127.0.0.1:8000/health/"));
    /// ```
    pub fn get(url: impl Into<String>) -> Self {
        let (attempts, pause) = (20, Duration::from_millis(500));
        let url = PerHost::Fixed(url.into());
        Self {
            url,
            host_header: None,
            unix_socket: None,
            texts: Vec::new(),
            release_text: ReleaseText::Optional,
            attempts,
            pause,
        }
    }

    /// Requests a URL that depends on the host. Otherwise like [`get`](Self::get).
    ///
    /// A deploy calls `url` for each host before any change, so an error leaves all hosts
    /// unchanged.
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// #[derive(serde::Deserialize)]
    /// struct Vars { address: String }
    ///
    /// let health = HealthCheck::url_for_host(|host| {
    ///     let vars: Vars = host.vars()?;
    ///     Ok(format!("http://{}:8000/health", vars.address))
    /// });
    /// assert!(!format!("{health:?}").contains("http://"));
    /// ```
    pub fn url_for_host(url: impl Fn(&Connection) -> Result<String, Error> + Send + Sync + 'static) -> Self {
        Self { url: PerHost::Computed(Arc::new(url)), ..Self::get("") }
    }

    /// Sets the `Host` header of the request: for a server with several virtual hosts.
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// let health = HealthCheck::get("http://127.0.0.1/health/").host_header("shop.example.com");
    /// assert!(format!("{health:?}").contains("shop.example.com"));
    /// ```
    pub fn host_header(mut self, name: impl Into<String>) -> Self {
        self.host_header = Some(name.into());
        self
    }

    /// Sends the request to a Unix socket. The path is absolute, or relative to the directory of
    /// the release. The host needs `curl`.
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// let health = HealthCheck::get("http://localhost/health/")
    ///     .unix_socket("../../shared/shop.sock");
    /// assert!(format!("{health:?}").contains("../../shared/shop.sock"));
    /// ```
    pub fn unix_socket(mut self, path: impl Into<String>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// Requires this text in the response. Several calls require all of the texts.
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// let health = HealthCheck::get("http://127.0.0.1:8000/health/").contains("database: ok");
    /// assert!(format!("{health:?}").contains("database: ok"));
    /// ```
    pub fn contains(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// Requires the release id in the response. During a graceful reload, the old release may still
    /// respond to the first requests.
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// let health = HealthCheck::get("http://127.0.0.1:8000/health/").contains_release();
    /// assert!(format!("{health:?}").contains("Required"));
    /// ```
    pub fn contains_release(mut self) -> Self {
        self.release_text = ReleaseText::Required;
        self
    }

    /// Sets the maximum number of attempts, at least 1, and the pause after a failed attempt.
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// use fabrs::prelude::secs;
    ///
    /// let health = HealthCheck::get("http://127.0.0.1:8000/health/").attempts(60, secs(1));
    /// assert!(format!("{health:?}").contains("attempts: 60"));
    /// ```
    pub fn attempts(mut self, attempts: u32, pause: Duration) -> Self {
        (self.attempts, self.pause) = (attempts.max(1), pause);
        self
    }

    async fn check_app(self, app: App) -> Result<(), TaskError> {
        let [host, socket] =
            [&self.host_header, &self.unix_socket].map(|setting| setting.as_deref().unwrap_or_default());
        let url = &app.fill_side(&self.url.on(app.connection())?);
        let (attempts, pause) = (self.attempts, self.pause.as_secs_f64());
        let mut texts = self.texts;
        if self.release_text == ReleaseText::Required {
            texts.push(app.release().to_string());
        }
        let variables =
            cmd!("url={url} host={host} socket={socket} attempts={attempts} pause={pause}; set -- {texts...}");
        let line = ShellLine::raw(format!("{}\n{}", variables.as_str(), SCRIPT.trim_end()));
        // A `run` and not a `probe`: in a dry run, the new release is not live yet.
        let output = app.connection().run(line).named(format!("check {url}")).warn().hide(Hide::Both).await?;
        if !output.was_run() || output.ok()? {
            return Ok(());
        }
        let reason = output.tail(5)?;
        let text = format!("health check of {url} failed: {}", reason.trim());
        Err(Error::new(ErrorKind::Task, text).on(output.host()).into())
    }
}

impl DeployStep for HealthCheck {
    fn run(&self, app: App) -> StepFuture {
        Box::pin(self.clone().check_app(app))
    }

    fn check(&self, host: &Connection) -> Result<(), Error> {
        self.url.on(host).map(drop)
    }
}
