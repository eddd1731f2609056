//! Handle of a machine: commands, power, cable and packages.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::builder::MachineBuilder;
use super::command::{PATH, command, run};
use super::disk::MachineDisk;
use super::lan::Lan;
use super::power::PowerSwitch;
use super::relay::PortRelay;
use crate::banner::sends_banner;
use crate::wait::poll;

/// The time limit for a boot, long enough during the compilation of other crates.
const BOOT_LIMIT: Duration = Duration::from_mins(3);
/// The port of sshd.
pub(super) const SSH_PORT: u16 = 22;

/// A real machine with Debian 12, systemd and sshd. Member of a
/// [`MachineNetwork`](crate::MachineNetwork).
///
/// The accounts `root` and `deploy` accept the key of the network. `deploy` uses sudo without a
/// password.
#[derive(Debug)]
pub struct Machine {
    pub(super) name: String,
    pub(super) index: u8,
    pub(super) lan: Lan,
    /// Declared before `power` and `disk`: fields drop in the order of their declaration.
    pub(super) ssh: PortRelay,
    pub(super) forwards: Mutex<Vec<(u16, PortRelay)>>,
    pub(super) power: PowerSwitch,
    pub(super) disk: MachineDisk,
}

impl Machine {
    /// Returns a builder for a machine with a name, also its host name.
    ///
    /// # Examples
    ///
    /// ```
    /// use fabrs_testing::{Machine, MachineNetwork};
    ///
    /// let database = Machine::builder("db1").packages("db", ["postgresql"]).user("ann");
    /// let network = MachineNetwork::builder().machines(["web1", "web2"]).machine(database);
    /// # drop(network);
    /// ```
    pub fn builder(name: &str) -> MachineBuilder {
        MachineBuilder::new(name)
    }

    /// Returns the host name, also the alias in `ssh_config`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address of sshd on loopback, for connections from the test.
    ///
    /// A connection to a machine without power or cable stays silent. A connection to a machine
    /// without a running sshd is reset. For the exact errors of a direct connection, use
    /// [`MachineNetwork::inside`](crate::MachineNetwork::inside).
    pub fn addr(&self) -> SocketAddr {
        self.ssh.addr()
    }

    /// Returns the address on loopback for a port of the machine, for example 80 or 5432.
    pub fn forward(&self, port: u16) -> SocketAddr {
        let mut forwards = self.forwards.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, relay)) = forwards.iter().find(|(forwarded, _)| *forwarded == port) {
            return relay.addr();
        }
        let relay = PortRelay::start(&self.lan, (self.ip(), port).into());
        let addr = relay.addr();
        forwards.push((port, relay));
        addr
    }

    /// Returns the address in the network of the machines.
    pub fn ip(&self) -> Ipv4Addr {
        self.lan.address(self.index)
    }

    /// Returns `deploy@127.0.0.1:port`.
    pub fn host_string(&self) -> String {
        format!("deploy@{}", self.addr())
    }

    /// Returns the root directory of the disk on the host. Also readable while the machine is off.
    pub fn disk(&self) -> &Path {
        self.disk.root()
    }

    /// Returns a command for a shell line as root inside the machine, without SSH and network.
    ///
    /// # Panics
    ///
    /// If the machine is off.
    #[track_caller]
    pub fn command(&self, line: &str) -> Command {
        let Some(init) = self.power.init() else { panic!("`{}` is off", self.name) };
        let mut command = enter(init, &["--mount", "--uts", "--ipc", "--pid", "--net"]);
        command.args(["env", "-i", &format!("PATH={PATH}"), "HOME=/root", "LC_ALL=C.UTF-8", "sh", "-c", line]);
        command
    }

    /// Runs a shell line as root inside the machine, and returns its stdout.
    ///
    /// # Panics
    ///
    /// If the machine is off, or the line fails. The message has the output.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        run(&mut self.command(line))
    }

    /// Installs packages with `apt-get`, through the host's network. The machine itself has no
    /// route to a mirror.
    ///
    /// # Panics
    ///
    /// If the machine is off, or the installation fails.
    #[track_caller]
    pub fn apt_install<'a>(&self, packages: impl IntoIterator<Item = &'a str>) {
        let Some(init) = self.power.init() else { panic!("`{}` is off", self.name) };
        let resolver = self.disk().join("etc/resolv.conf");
        fs::copy("/etc/resolv.conf", &resolver).expect("root can write");
        let line = "apt-get -qq update && exec apt-get -qq -y --no-install-recommends install \"$@\"";
        let mut install = enter(init, &["--mount", "--uts", "--ipc", "--pid"]);
        install.env("DEBIAN_FRONTEND", "noninteractive").args(["sh", "-c", line, "sh"]).args(packages);
        run(&mut install);
        fs::remove_file(&resolver).expect("root can write");
    }

    /// Returns the boot ID, a new value after each boot.
    ///
    /// # Panics
    ///
    /// If the machine is off.
    #[track_caller]
    pub fn boot_id(&self) -> String {
        self.run("cat /proc/sys/kernel/random/boot_id").trim().to_owned()
    }

    /// Returns `true` if the machine has booted since `earlier`, an earlier [`Machine::boot_id`],
    /// and is up.
    pub fn has_booted_again(&self, earlier: &str) -> bool {
        self.is_up() && self.stdout("cat /proc/sys/kernel/random/boot_id").is_some_and(|id| id.trim() != earlier)
    }

    /// Reboots the machine, and waits until it is up again.
    ///
    /// # Panics
    ///
    /// If the machine is off, or the boot fails.
    #[track_caller]
    pub fn reboot(&self) {
        let earlier = self.boot_id();
        // The shutdown may kill the command before its end.
        let _ = self.command("systemctl reboot").output();
        self.wait_for_boot(|| self.has_booted_again(&earlier));
    }

    /// Cuts the power. Peers receive no packet about the end. The disk keeps its content.
    ///
    /// # Panics
    ///
    /// If the network of the machine has ended.
    #[track_caller]
    pub fn power_cut(&self) {
        self.power.cut();
    }

    /// Boots the machine after a power cut or a `poweroff`. Does nothing if the machine is on.
    ///
    /// Does not wait for the boot, see [`Machine::wait_until_up`].
    #[track_caller]
    pub fn power_on(&self) {
        self.power.on();
    }

    /// Returns `false` after a power cut, and after the end of a `poweroff`.
    pub fn is_on(&self) -> bool {
        self.power.is_on()
    }

    /// Returns `true` if the boot is complete: sshd answers, and no service is still starting.
    pub fn is_up(&self) -> bool {
        // Right after the banner, PAM may still reject users: "System is booting up".
        self.is_on()
            && sends_banner(&self.addr())
            && self
                .stdout("systemctl is-system-running --wait || true")
                .is_some_and(|state| matches!(state.trim(), "running" | "degraded"))
    }

    /// Waits until the boot is complete, see [`Machine::is_up`].
    ///
    /// # Panics
    ///
    /// If the machine is off, or the boot fails. The message has the console output.
    #[track_caller]
    pub fn wait_until_up(&self) {
        self.wait_for_boot(|| self.is_up());
    }

    /// Unplugs the network cable. Open connections stay silent.
    #[track_caller]
    pub fn unplug(&self) {
        self.power.set_plugged(false);
    }

    /// Plugs the network cable in again.
    #[track_caller]
    pub fn plug(&self) {
        self.power.set_plugged(true);
    }

    /// Returns the end of the console output, for messages about failures.
    pub fn console(&self) -> String {
        self.power.console()
    }

    #[track_caller]
    fn wait_for_boot(&self, is_done: impl Fn() -> bool) {
        let outcome = poll(BOOT_LIMIT, || {
            if is_done() {
                return Some(true);
            }
            (!self.is_on()).then_some(false)
        });
        match outcome {
            Some(true) => {}
            Some(false) => panic!("`{}` is off; console: {}", self.name, self.console()),
            None => panic!("`{}` is not up after {BOOT_LIMIT:?}; console: {}", self.name, self.console()),
        }
    }

    /// Returns the stdout of a line, if the machine is on and the line succeeds.
    fn stdout(&self, line: &str) -> Option<String> {
        self.power.init()?;
        let output = self.command(line).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    }
}

/// Returns a command with the given namespaces of a machine.
fn enter(init: i32, namespaces: &[&str]) -> Command {
    let mut nsenter = command("nsenter");
    nsenter.arg("--target").arg(init.to_string()).args(namespaces).arg("--");
    nsenter
}
