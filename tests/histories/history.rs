//! A history: five runs with random faults, and the journals of the hosts.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use fabrs_testing::faults::{Cut, Proxy};
use fabrs_testing::{Process, Sshd, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::fault::Fault;
use crate::journal::Journal;
use crate::rng::Rng;
use crate::run::{HOSTS, Run};

/// The time limit of a history.
const LIMIT: Duration = Duration::from_secs(90);

/// A history, ready to be played.
#[derive(Debug)]
pub(crate) struct History {
    sshd: Sshd,
    folder: PathBuf,
    rng: Rng,
}

/// The result of a history.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// The number of runs with a switch on all hosts.
    pub(crate) switches: usize,
    /// The number of failed runs.
    pub(crate) failed_runs: usize,
}

/// A started run and the fault of the run.
#[derive(Debug)]
struct StartedRun {
    child: Child,
    proxy: Proxy,
    /// The file with the error output of the run.
    stderr: PathBuf,
    fault: Fault,
    started_at: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Stopped(Duration),
    After,
}

impl History {
    pub(crate) fn of(rng: Rng) -> Self {
        let sshd = Sshd::builder().aliases(HOSTS).option("MaxStartups", "200").start();
        let folder = sshd.scratch().join("history");
        for folder in HOSTS.map(|host| folder.join(host)).iter().chain([&folder]) {
            fs::create_dir_all(folder).expect("the scratch folder is ours");
            fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("the directory is ours");
        }
        Self { sshd, folder, rng }
    }

    /// Plays the history and checks the journals.
    ///
    /// # Errors
    ///
    /// Describes the violated rule, or the exceeded time limit.
    pub(crate) fn play(mut self) -> Result<Summary, String> {
        let began = Instant::now();
        let mut runs: Vec<StartedRun> = (1..=5).map(|number| self.start(number, began)).collect();
        let faults: Vec<Fault> = runs.iter().map(|run| run.fault).collect();
        let over = poll(LIMIT, || {
            for run in &mut runs {
                run.inject_fault(began.elapsed());
            }
            runs.iter_mut().all(StartedRun::has_ended).then_some(())
        });
        let failed = runs.iter_mut().filter_map(|run| run.child.try_wait().ok()?).filter(|status| !status.success());
        let failed_runs = failed.count();
        runs.iter_mut().for_each(StartedRun::end);
        // The remote shells with a lock end by themselves.
        poll(Duration::from_secs(10), || self.sshd.session_processes().is_empty().then_some(()));
        self.sshd.session_processes().iter().for_each(Process::kill);
        if over.is_none() {
            return Err(format!("it took longer than {LIMIT:?}: {faults:?}"));
        }
        let journals = HOSTS.map(|host| Journal::read(&self.folder.join(host)));
        for (host, journal) in HOSTS.iter().zip(&journals) {
            journal.check().map_err(|why| format!("{host}: {why}; {faults:?}"))?;
        }
        let everywhere = journals.iter().map(Journal::switched).reduce(|all, one| &all & &one);
        let switches = everywhere.unwrap_or_else(HashSet::new).len();
        let sound = faults.iter().filter(|fault| **fault == Fault::None).count();
        if sound > 0 && switches == 0 {
            let errors: Vec<String> =
                runs.iter().filter(|run| run.fault == Fault::None).map(StartedRun::error_output).collect();
            return Err(format!("no run came to its end: {faults:?}\n{}", errors.join("\n")));
        }
        Ok(Summary { switches, failed_runs })
    }

    fn start(&mut self, number: usize, began: Instant) -> StartedRun {
        let (name, proxy) = (format!("run{number}"), Proxy::to(self.sshd.addr()));
        let config = fs::read_to_string(self.sshd.ssh_config()).expect("the harness wrote the config");
        let through = format!(
            "Host *\n    Port {}\n    HostKeyAlias [127.0.0.1]:{}\n    ServerAliveInterval 1\n",
            proxy.port(),
            self.sshd.port()
        );
        let ssh_config = self.sshd.dir().join(format!("config-{name}"));
        fs::write(&ssh_config, through + &config).expect("the directory is ours");
        let fault = Fault::random(&mut self.rng);
        let stderr = self.sshd.dir().join(format!("stderr-{name}"));
        let output = File::create(&stderr).expect("the directory is ours");
        let run = Run { name, ssh_config, folder: self.folder.clone(), blocks: fault.blocks() };
        let mut command = run.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let child = command.spawn().expect("this program can be started");
        StartedRun { child, proxy, stderr, fault, started_at: began.elapsed(), state: State::Before }
    }
}

impl StartedRun {
    /// Injects the fault of the run when the time of the fault has come.
    fn inject_fault(&mut self, now: Duration) {
        let since = now.saturating_sub(self.started_at);
        match (self.state, self.fault) {
            (State::Before, Fault::Stopped { at, pause }) if since >= at => {
                self.signal(Signal::STOP);
                self.state = State::Stopped(at + pause);
            }
            (State::Stopped(until), _) if since >= until => {
                self.signal(Signal::CONT);
                self.state = State::After;
            }
            (State::Before, Fault::Killed { at }) if since >= at => {
                self.signal(Signal::KILL);
                self.state = State::After;
            }
            (State::Before, Fault::Cut { at }) if since >= at => {
                self.proxy.cut_now(Cut::Reset);
                self.state = State::After;
            }
            _ => {}
        }
    }

    /// Returns the error output of the run.
    fn error_output(&self) -> String {
        fs::read_to_string(&self.stderr).expect("the file exists until the server ends")
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // The process may have ended. The process is reaped later, so the process id is not reused
        // yet.
        let _ = kill_process(pid.expect("a process has a number"), signal);
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    fn end(&mut self) {
        // SIGKILL also ends a stopped process.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
