//! Gunicorn without a service manager: reloaded by a signal to its process id.

use fabrs::{ShellLine, cmd};

use crate::plugin::Plugin;
use crate::restart_command::RestartCommand;
use crate::site::Site;

/// A gunicorn master process with a pid file, reloaded by `SIGHUP`.
///
/// On `SIGHUP`, gunicorn starts workers with the live release, and stops each old worker after its
/// last request. Start gunicorn with the Python of `current` and with `--chdir`, and without
/// `--preload`. Otherwise new workers still load the code or the packages of the old release.
///
/// The command line of the process must contain `gunicorn`. Otherwise the pid file is stale, and is
/// removed.
///
/// ```
/// use fabrs_deploy::{Gunicorn, Site};
///
/// let gunicorn = Gunicorn::pid_file("../../shared/gunicorn.pid")
///     .start(
///         "../../current/env/bin/python -m gunicorn --daemon \
///          --pid ../../shared/gunicorn.pid --chdir ../../current shop.wsgi",
///     );
/// let site = Site::new("/srv/shop").with(gunicorn);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a service plugin does nothing until `Site::with` adds it to a site"]
pub struct Gunicorn {
    pid_file: String,
    start: Option<String>,
}

impl Gunicorn {
    /// Sets the pid file (`--pid`). The path is absolute, or relative to the directory of the
    /// release.
    ///
    /// ```
    /// # use fabrs_deploy::Gunicorn;
    /// let gunicorn = Gunicorn::pid_file("/run/shop/gunicorn.pid");
    /// assert!(format!("{gunicorn:?}").contains("/run/shop/gunicorn.pid"));
    /// ```
    pub fn pid_file(path: impl Into<String>) -> Self {
        Self { pid_file: path.into(), start: None }
    }

    /// Sets the shell command that starts gunicorn if no process runs, for example on a first
    /// deploy. The command runs in the directory of the release. Without this setting, a deploy
    /// fails if gunicorn is not running.
    ///
    /// ```
    /// # use fabrs_deploy::Gunicorn;
    /// let gunicorn = Gunicorn::pid_file("../../shared/gunicorn.pid")
    ///     .start("../../bin/start-gunicorn");
    /// assert!(format!("{gunicorn:?}").contains("start-gunicorn"));
    /// ```
    pub fn start(mut self, line: impl Into<String>) -> Self {
        self.start = Some(line.into());
        self
    }

    fn restart_command(&self) -> RestartCommand {
        let file = &self.pid_file;
        let message = "gunicorn is not running: start it, or set `Gunicorn::start`";
        // After a power cut, the pid file remains. Its number can be the number of another process.
        let hup = cmd!(
            "pid=$(cat {file} 2> /dev/null) && \
             if [ -e /proc/\"$pid\"/cmdline ] && ! grep -q gunicorn /proc/\"$pid\"/cmdline; then rm -f {file}; false; \
             else kill -HUP \"$pid\" 2> /dev/null; fi"
        );
        let start = match &self.start {
            Some(line) => ShellLine::raw(line),
            None => cmd!("{{ echo {message} >&2; exit 1; }}"),
        };
        RestartCommand::run(hup.or(start)).named("reload gunicorn")
    }
}

impl Plugin for Gunicorn {
    fn add_to(self, site: Site) -> Site {
        site.restart(self.restart_command())
    }
}
