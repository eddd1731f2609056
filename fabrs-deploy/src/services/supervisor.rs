//! Programs of supervisord: reloaded or restarted with `supervisorctl`.

use fabrs::prelude::secs;
use fabrs::{Command, Connection, ShellLine, cmd};

use crate::plugin::Plugin;
use crate::restart_command::RestartCommand;
use crate::site::Site;
use crate::step::App;

/// A program of supervisord, reloaded or restarted with each release.
///
/// A stopped program is started. After the reload, the program must have the state `RUNNING`, with
/// up to 3 retries.
///
/// ```
/// use fabrs_deploy::{Site, Supervisor};
///
/// let site = Site::new("/srv/shop")
///     .with(Supervisor::reload("web"))
///     .with(Supervisor::restart("worker"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a service plugin does nothing until `Site::with` adds it to a site"]
pub struct Supervisor {
    mode: ReloadMode,
    program: String,
    supervisorctl: String,
}

/// The action for a running program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReloadMode {
    Reload,
    Restart,
}

impl Supervisor {
    /// Reloads a program with `SIGHUP` (`supervisorctl signal HUP`). Servers such as gunicorn
    /// reload without losing a request.
    ///
    /// ```
    /// # use fabrs_deploy::Supervisor;
    /// assert!(format!("{:?}", Supervisor::reload("web")).contains("Reload"));
    /// ```
    pub fn reload(program: impl Into<String>) -> Self {
        Self { mode: ReloadMode::Reload, program: program.into(), supervisorctl: "supervisorctl".to_owned() }
    }

    /// Restarts a program (`supervisorctl restart`). supervisord stops the old process with
    /// `stopsignal` and kills it after `stopwaitsecs`.
    ///
    /// ```
    /// # use fabrs_deploy::Supervisor;
    /// assert!(format!("{:?}", Supervisor::restart("worker")).contains("Restart"));
    /// ```
    pub fn restart(program: impl Into<String>) -> Self {
        Self { mode: ReloadMode::Restart, ..Self::reload(program) }
    }

    /// Sets the `supervisorctl` command with its options, as a shell command in the directory of
    /// the release. Defaults to `supervisorctl`.
    ///
    /// ```
    /// # use fabrs_deploy::Supervisor;
    /// let web = Supervisor::reload("web")
    ///     .supervisorctl("supervisorctl -c ../../shared/supervisord.conf");
    /// assert!(format!("{web:?}").contains("-c ../../shared/supervisord.conf"));
    /// ```
    pub fn supervisorctl(mut self, line: impl Into<String>) -> Self {
        self.supervisorctl = line.into();
        self
    }

    fn restart_command(&self) -> RestartCommand {
        let (program, supervisorctl) = (&self.program, &self.supervisorctl);
        let action = match self.mode {
            ReloadMode::Reload => cmd!("signal HUP {program}"),
            ReloadMode::Restart => cmd!("restart {program}"),
        };
        let (status, start) = (cmd!("status {program}"), cmd!("start {program}"));
        let (action, status, start) = (action.as_str(), status.as_str(), start.as_str());
        let line = format!(
            "if {supervisorctl} {status} | grep -qw RUNNING; then {supervisorctl} {action}; else {supervisorctl} {start}; fi"
        );
        RestartCommand::run(ShellLine::raw(line)).named(format!("supervisorctl {action}"))
    }

    fn check_running(&self, host: &Connection) -> Command {
        let (program, supervisorctl) = (&self.program, &self.supervisorctl);
        let status = cmd!("status {program}");
        let line = format!("{supervisorctl} {} | tee /dev/stderr | grep -qw RUNNING", status.as_str());
        let check = host.run(ShellLine::raw(line)).named(format!("supervisorctl {}", status.as_str()));
        check.hide(fabrs::Hide::Both).retry(3, secs(1))
    }
}

impl Plugin for Supervisor {
    fn add_to(self, site: Site) -> Site {
        site.restart(self.restart_command()).health(move |app: App| self.check_running(app.connection()))
    }
}
