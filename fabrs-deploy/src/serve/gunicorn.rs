//! A gunicorn that looks after itself.

use fabrs::{Command, cmd};

use crate::part::Part;
use crate::site::Site;
use crate::step::App;

/// A gunicorn whose number is in a file: sent HUP, it starts workers with the release that is live, and ends the old ones when
/// they have answered.
///
/// Start it by `current/env/bin/python -m gunicorn --chdir .../current`, and not with `--preload`: the workers then have the
/// code and the packages of the release that is live.
///
/// ```
/// use fabrs_deploy::{Gunicorn, Site};
///
/// let site = Site::new("/srv/shop").with(Gunicorn::pid_file("/run/shop/gunicorn.pid"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a site has it"]
pub struct Gunicorn {
    pid_file: String,
}

impl Gunicorn {
    /// Names the file that gunicorn writes its number to (`--pid`).
    pub fn pid_file(path: impl Into<String>) -> Self {
        Self { pid_file: path.into() }
    }

    fn take_up(&self, app: &App) -> Command {
        let file = &self.pid_file;
        app.connection().run(cmd!(
            "pid=$(cat {file}) && kill -HUP \"$pid\" || {{ echo 'gunicorn does not run: start it' >&2; exit 1; }}"
        ))
    }
}

impl Part for Gunicorn {
    fn onto(self, site: Site) -> Site {
        site.reload(move |app: App| self.take_up(&app))
    }
}
