//! Programs of supervisord.

use fabrs::prelude::secs;
use fabrs::{Command, Connection, ShellLine, cmd};

use crate::part::Part;
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
    how: How,
    program: String,
    control: String,
}

/// How a program takes up a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Reload,
    Restart,
}

impl Supervisor {
    /// Sends a program HUP, at which servers like gunicorn take up another release without a request lost.
    pub fn reload(program: impl Into<String>) -> Self {
        Self { how: How::Reload, program: program.into(), control: "supervisorctl".to_owned() }
    }

    /// Restarts a program: a worker, which has its `stopwaitsecs` to end what it is at.
    pub fn restart(program: impl Into<String>) -> Self {
        Self { how: How::Restart, ..Self::reload(program) }
    }

    /// Takes this program, with these options, in the place of `supervisorctl`: a line for the shell, in the folder of the release.
    pub fn control(mut self, line: impl Into<String>) -> Self {
        self.control = line.into();
        self
    }

    fn take_up(&self, host: &Connection) -> Command {
        let program = &self.program;
        let control = &self.control;
        let words = match self.how {
            How::Reload => cmd!("signal HUP {program}"),
            How::Restart => cmd!("restart {program}"),
        };
        let (status, start) = (cmd!("status {program}"), cmd!("start {program}"));
        let (words, status, start) = (words.as_str(), status.as_str(), start.as_str());
        let line =
            format!("if {control} {status} | grep -qw RUNNING; then {control} {words}; else {control} {start}; fi");
        host.run(ShellLine::raw(line)).named(format!("supervisorctl {words}"))
    }

    fn is_running(&self, host: &Connection) -> Command {
        let (program, control) = (&self.program, &self.control);
        let status = cmd!("status {program}");
        let line = format!("{control} {} | tee /dev/stderr | grep -qw RUNNING", status.as_str());
        let look = host.run(ShellLine::raw(line)).named(format!("supervisorctl {}", status.as_str()));
        look.hide(fabrs::Hide::Both).retry(3, secs(1))
    }
}

impl Part for Supervisor {
    fn onto(self, site: Site) -> Site {
        let (reload, verify) = (self.clone(), self);
        site.reload(move |app: App| reload.take_up(app.connection()))
            .verify(move |app: App| verify.is_running(app.connection()))
    }
}
