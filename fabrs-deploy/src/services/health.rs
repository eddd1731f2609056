//! A health check: a page that a host answers when it works.

use std::sync::Arc;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Hide, ShellLine, TaskError, cmd};

use crate::per_host::PerHost;
use crate::step::{App, DeployStep, StepFuture};

/// A page that is asked for on each host, from that host, until it answers with a status below 400.
///
/// It needs `curl`, `wget` or `python3` there.
///
/// ```
/// use fabrs_deploy::{HealthCheck, Site};
///
/// let site = Site::new("/srv/shop").health(HealthCheck::get("http://127.0.0.1:8000/health/").shows_release());
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is asked until a site has it"]
pub struct HealthCheck {
    url: PerHost,
    host_header: Option<String>,
    unix_socket: Option<String>,
    texts: Vec<String>,
    release_text: ReleaseText,
    attempts: u32,
    pause: Duration,
}

/// Whether the answer must name the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReleaseText {
    Optional,
    Required,
}

/// Asks for a page by what the host has.
const REQUEST: &str = "\
ask() { url=$1; host=$2; socket=$3
if [ \"$socket\" ] || command -v curl > /dev/null; then
curl --fail --silent --show-error --location --max-time 10 \
${host:+--header \"Host: $host\"} ${socket:+--unix-socket \"$socket\"} \"$url\"
elif command -v wget > /dev/null; then wget -q -T 10 -O - ${host:+--header=\"Host: $host\"} \"$url\"
else python3 -c 'import sys, urllib.request as r
q = r.Request(sys.argv[1], headers={\"Host\": sys.argv[2]} if sys.argv[2] else {})
sys.stdout.buffer.write(r.urlopen(q, timeout=10).read())' \"$url\" \"$host\"; fi; }";

impl HealthCheck {
    /// Asks for this page, 20 times at most, with half a second between.
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

    /// Requests a URL that depends on the host, otherwise like [`get`](Self::get).
    ///
    /// ```
    /// # use fabrs_deploy::HealthCheck;
    /// #[derive(serde::Deserialize)]
    /// struct Vars { address: String }
    ///
    /// let health = HealthCheck::url_for_host(|host| Ok(format!("http://{}:8000/health", host.vars::<Vars>()?.address)));
    /// # drop(health);
    /// ```
    pub fn url_for_host(url: impl Fn(&Connection) -> Result<String, Error> + Send + Sync + 'static) -> Self {
        Self { url: PerHost::Computed(Arc::new(url)), ..Self::get("") }
    }

    /// Asks as for this name (the header `Host`), which the server may choose a site by.
    pub fn host_header(mut self, name: impl Into<String>) -> Self {
        self.host_header = Some(name.into());
        self
    }

    /// Asks over a socket of the host's file system, by a path from the folder of the release, or from the root. The host then
    /// needs `curl`.
    pub fn unix_socket(mut self, path: impl Into<String>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// Takes only an answer with this text in it.
    pub fn shows(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// Takes only an answer with the name of the release in it: while a server takes up a release, the old one may still answer.
    pub fn shows_release(mut self) -> Self {
        self.release_text = ReleaseText::Required;
        self
    }

    /// Sets how often it is tried, at least once, and how long after a try that failed.
    pub fn attempts(mut self, attempts: u32, pause: Duration) -> Self {
        (self.attempts, self.pause) = (attempts.max(1), pause);
        self
    }

    async fn check_app(self, app: App) -> Result<(), TaskError> {
        let [host, socket] = [&self.host_header, &self.unix_socket].map(|said| said.as_deref().unwrap_or_default());
        let (url, tries, pause) = (&self.url.on(app.connection())?, self.attempts, self.pause.as_secs_f64());
        let mut says = self.texts;
        if self.release_text == ReleaseText::Required {
            says.push(app.release().to_string());
        }
        let wait = cmd!(
            "works() {{ answer=$(ask {url} {host} {socket} 2>&1) || return; for text in {says...}; do case $answer in *\"$text\"*) ;; \
             *) answer=\"it does not say $text\"; return 1 ;; esac; done; }}\n\
             n=1; until works; do if [ $n -ge {tries} ]; then printf '%s\\n' \"$answer\"; exit 1; fi; n=$((n+1)); sleep {pause}; done"
        );
        let line = ShellLine::raw(format!("{REQUEST}\n{}", wait.as_str()));
        // Whether it works is not to be seen before the change, so a dry run only plans it.
        let asked = app.connection().run(line).named(format!("check {url}")).warn().hide(Hide::Both).await?;
        if !asked.was_run() || asked.ok()? {
            return Ok(());
        }
        let why = asked.tail(5)?;
        let text = format!("{url} does not answer as it should: {}", why.trim());
        Err(Error::new(ErrorKind::Task, text).on(asked.host()).into())
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
