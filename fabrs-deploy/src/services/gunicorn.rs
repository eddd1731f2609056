//! A gunicorn that looks after itself.

use fabrs::{Command, ShellLine, cmd};

use crate::plugin::Plugin;
use crate::site::Site;
use crate::step::App;

/// A gunicorn whose process id is in a file: on HUP it starts workers with the live release, and ends the old ones when they have
/// answered.
///
/// Start it by `current/env/bin/python -m gunicorn --chdir .../current`, and not with `--preload`: the workers then have the
/// code and the packages of the live release.
///
/// ```
/// use fabrs_deploy::{Gunicorn, Site};
///
/// let gunicorn = Gunicorn::pid_file("../../shared/gunicorn.pid")
///     .start("../../current/env/bin/python -m gunicorn --daemon --pid ../../shared/gunicorn.pid --chdir ../../current shop.wsgi");
/// let site = Site::new("/srv/shop").with(gunicorn);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a site has it"]
pub struct Gunicorn {
    pid_file: String,
    start: Option<String>,
}

impl Gunicorn {
    /// Sets the file with the process id (`--pid`), absolute or from the folder of the release.
    pub fn pid_file(path: impl Into<String>) -> Self {
        Self { pid_file: path.into(), start: None }
    }

    /// Sets the shell line that starts gunicorn if it does not run, as on a first deploy. It runs in the folder of the release.
    pub fn start(mut self, line: impl Into<String>) -> Self {
        self.start = Some(line.into());
        self
    }

    fn reload(&self, app: &App) -> Command {
        let file = &self.pid_file;
        let hint = "gunicorn does not run: start it, or give `Gunicorn::start`";
        let hup = cmd!("pid=$(cat {file} 2> /dev/null) && kill -HUP \"$pid\" 2> /dev/null");
        let start = match &self.start {
            Some(line) => ShellLine::raw(line),
            None => cmd!("{{ echo {hint} >&2; exit 1; }}"),
        };
        app.connection().run(hup.or(start)).named("reload gunicorn")
    }
}

impl Plugin for Gunicorn {
    fn add_to(self, site: Site) -> Site {
        site.restart(move |app: App| self.reload(&app))
    }
}
