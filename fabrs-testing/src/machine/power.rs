//! Power of a machine: nspawn with a systemd as PID 1, started again after a reboot.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::cgroup::Cgroup;
use super::command::{command, end};
use super::lan::Lan;
use crate::process::Process;
use crate::wait::poll;

/// The exit code of nspawn after a reboot inside the machine.
const REBOOT: i32 = 133;
/// The time limit for the end of a machine.
const END_LIMIT: Duration = Duration::from_secs(30);
/// The number of characters of the console in a panic message.
const MAX_SHOWN_CONSOLE: usize = 3_000;

/// Moves the shell into the control groups named before `--`, then executes the rest.
///
/// With `--keep-unit`, nspawn stays in the control group of its parent. Without a separate group,
/// machines would share one group, and a `systemctl restart` would affect other machines.
const GROUP_SCRIPT: &str = r#"while [ "$1" != -- ]; do echo $$ > "$1" || exit; shift; done; shift; exec "$@""#;

/// The settings of a machine, the same for each boot.
#[derive(Debug)]
pub(super) struct BootSettings {
    /// The name of the machine for nspawn, unique on this host.
    pub(super) id: String,
    pub(super) cgroup: Cgroup,
    pub(super) console: PathBuf,
    pub(super) lan: Lan,
    pub(super) index: u8,
    pub(super) root: PathBuf,
}

/// The switch of a machine. The machine loses its power on drop.
#[derive(Debug)]
pub(super) struct PowerSwitch {
    settings: Arc<BootSettings>,
    state: Arc<Mutex<PowerState>>,
    /// Waits for nspawn.
    waiter: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct PowerState {
    is_on: bool,
    is_plugged: bool,
    /// The process ID of nspawn.
    nspawn: Option<i32>,
}

impl PowerSwitch {
    /// Creates the switch of a machine without power.
    pub(super) fn new(settings: BootSettings) -> Self {
        let state = PowerState { is_on: false, is_plugged: true, nspawn: None };
        Self { settings: Arc::new(settings), state: Arc::new(Mutex::new(state)), waiter: Mutex::new(None) }
    }

    /// Boots the machine. Does nothing if the machine is on.
    pub(super) fn on(&self) {
        let mut waiter = lock(&self.waiter);
        if waiter.as_ref().is_some_and(|waiter| !waiter.is_finished()) {
            return;
        }
        let mut state = lock(&self.state);
        state.is_on = true;
        self.settings.lan.attach(self.settings.index, state.is_plugged);
        drop(state);
        let (settings, state) = (Arc::clone(&self.settings), Arc::clone(&self.state));
        *waiter = Some(thread::spawn(move || boot_until_off(&settings, &state)));
    }

    /// Cuts the power. The network ends first, so no peer receives a packet about the end.
    pub(super) fn cut(&self) {
        self.settings.lan.set_plugged(self.settings.index, false);
        self.off();
    }

    /// Kills all processes of the machine and waits for their end.
    fn off(&self) {
        let mut waiter = lock(&self.waiter);
        lock(&self.state).is_on = false;
        let Some(boot) = waiter.take() else { return };
        // A new nspawn enters the control group only after its start, so one kill is not enough.
        let ended = poll(END_LIMIT, || {
            self.settings.cgroup.kill();
            (boot.is_finished() && !self.settings.cgroup.has_processes()).then_some(())
        });
        if ended.is_some() {
            // A panic of the thread is visible in its output.
            let _ = boot.join();
        }
    }

    /// Plugs or unplugs the cable. A reboot does not change the cable.
    pub(super) fn set_plugged(&self, is_plugged: bool) {
        let mut state = lock(&self.state);
        state.is_plugged = is_plugged;
        self.settings.lan.set_plugged(self.settings.index, is_plugged);
    }

    /// Returns `true` until the power is cut or the machine has powered off.
    pub(super) fn is_on(&self) -> bool {
        lock(&self.waiter).as_ref().is_some_and(|waiter| !waiter.is_finished())
    }

    /// Returns the host's process ID of the machine's PID 1.
    pub(super) fn init(&self) -> Option<i32> {
        let nspawn = lock(&self.state).nspawn?;
        let is_init = |pid: i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
            pids.split_whitespace().count() > 1 && pids.split_whitespace().last() == Some("1")
        };
        // During the start, nspawn has other children, too.
        let children = Process::all().into_iter().filter(|process| process.ppid == nspawn);
        children.map(|process| process.pid).find(|pid| is_init(*pid))
    }

    /// Returns the end of the console output.
    pub(super) fn console(&self) -> String {
        let bytes = fs::read(&self.settings.console).unwrap_or_default();
        end(&String::from_utf8_lossy(&bytes), MAX_SHOWN_CONSOLE).to_owned()
    }
}

impl Drop for PowerSwitch {
    fn drop(&mut self) {
        self.off();
    }
}

/// Boots the machine, again after each reboot, until the machine powers off or loses its power.
fn boot_until_off(settings: &BootSettings, state: &Mutex<PowerState>) {
    loop {
        let mut nspawn = {
            let mut state = lock(state);
            if !state.is_on {
                return;
            }
            let nspawn = spawn(settings);
            state.nspawn = i32::try_from(nspawn.id()).ok();
            nspawn
        };
        let status = nspawn.wait().expect("the thread started the process");
        let mut state = lock(state);
        state.nspawn = None;
        if status.code() != Some(REBOOT) || !state.is_on {
            return;
        }
        settings.lan.attach(settings.index, state.is_plugged);
    }
}

fn spawn(settings: &BootSettings) -> Child {
    settings.cgroup.create().expect("root can create control groups");
    let console = File::options().create(true).append(true).open(&settings.console).expect("a writable directory");
    let mut shell = command("setsid");
    shell
        // The machine sees cgroup 2 only, like a plain Debian 12.
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        // The settings below /proc/sys/net belong to the machine's network namespace.
        .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network")
        .args(["sh", "-c", GROUP_SCRIPT, "sh"])
        .args(settings.cgroup.procs_files())
        .args(["--", "systemd-nspawn", "--quiet", "--directory"])
        .arg(&settings.root)
        .arg(format!("--machine={}", settings.id))
        .arg(format!("--network-namespace-path={}", settings.lan.machine_namespace(settings.index).display()))
        // No service of the host takes part.
        .args(["--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off", "--timezone=off"])
        .args(["--capability=CAP_NET_ADMIN", "--console=read-only", "--kill-signal=SIGRTMIN+3", "--boot"])
        .stdin(Stdio::null())
        .stdout(console.try_clone().expect("an open file"))
        .stderr(console);
    shell.spawn().expect("`setsid` is installed")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
