//! Programs of supervisord.

use fabrs::prelude::secs;
use fabrs::{Command, Connection, ShellLine, cmd};

use crate::plugin::Plugin;
use crate::site::Site;
use crate::step::App;

/// A program of supervisord: told to take up each release, and looked at afterwards. One that does not run is started.
///
/// ```
/// use fabrs_deploy::{Site, Supervisor};
///
/// let site = Site::new("/srv/shop").with(Supervisor::reload("web")).with(Supervisor::restart("worker"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a site has it"]
pub struct Supervisor {
    mode: ReloadMode,
    program: String,
    supervisorctl: String,
}

/// ReloadMode a program takes up a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReloadMode {
    Reload,
    Restart,
}

impl Supervisor {
    /// Sends a program HUP, at which servers like gunicorn take up another release without a request lost.
    pub fn reload(program: impl Into<String>) -> Self {
        Self { mode: ReloadMode::Reload, program: program.into(), supervisorctl: "supervisorctl".to_owned() }
    }

    /// Restarts a program: a worker, which has its `stopwaitsecs` to end what it is at.
    pub fn restart(program: impl Into<String>) -> Self {
        Self { mode: ReloadMode::Restart, ..Self::reload(program) }
    }

    /// Takes this program, with these options, in the place of `supervisorctl`: a line for the shell, in the folder of the release.
    pub fn supervisorctl(mut self, line: impl Into<String>) -> Self {
        self.supervisorctl = line.into();
        self
    }

    fn reload_or_start(&self, host: &Connection) -> Command {
        let program = &self.program;
        let control = &self.supervisorctl;
        let words = match self.mode {
            ReloadMode::Reload => cmd!("signal HUP {program}"),
            ReloadMode::Restart => cmd!("restart {program}"),
        };
        let (status, start) = (cmd!("status {program}"), cmd!("start {program}"));
        let (words, status, start) = (words.as_str(), status.as_str(), start.as_str());
        let line =
            format!("if {control} {status} | grep -qw RUNNING; then {control} {words}; else {control} {start}; fi");
        host.run(ShellLine::raw(line)).named(format!("supervisorctl {words}"))
    }

    fn check_running(&self, host: &Connection) -> Command {
        let (program, control) = (&self.program, &self.supervisorctl);
        let status = cmd!("status {program}");
        let line = format!("{control} {} | tee /dev/stderr | grep -qw RUNNING", status.as_str());
        let look = host.run(ShellLine::raw(line)).named(format!("supervisorctl {}", status.as_str()));
        look.hide(fabrs::Hide::Both).retry(3, secs(1))
    }
}

impl Plugin for Supervisor {
    fn add_to(self, site: Site) -> Site {
        let (reload, verify) = (self.clone(), self);
        site.restart(move |app: App| reload.reload_or_start(app.connection()))
            .health(move |app: App| verify.check_running(app.connection()))
    }
}
