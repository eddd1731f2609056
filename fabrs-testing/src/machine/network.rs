//! Network of machines: start, access from tests, and end.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::apt_source::Mirror;
use super::builder::{MachineBuilder, MachineNetworkBuilder};
use super::cache::{CACHE_VARIABLE, ImageCache};
use super::cgroup::CgroupMounts;
use super::disk::{MachineDisk, MachineIdentity};
use super::lan::Lan;
use super::leftovers::{self, NetworkDir};
use super::machine::{Machine, SSH_PORT};
use super::power::{BootSettings, PowerSwitch};
use super::relay::PortRelay;
use super::requirements;
use crate::keys::{Key, KeyType};

/// Machines in one network. All machines, mounts, namespaces and files end on drop.
///
/// Several networks may exist at the same time, in one or in several processes. Keep the value in a
/// local variable of the test, because a `static` is never dropped. The machines of a killed test
/// process keep running, and the next start of a network removes them.
///
/// # Images
///
/// The first start downloads Debian and makes the base of all disks, in one to three minutes. The
/// base is cached in `target/machines`, or in the directory of the environment variable
/// `FABRS_MACHINES`. A later start takes two or three seconds.
///
/// # Limits
///
/// Machines share the kernel and the clock of the host. Kernel settings outside `net.*`, the clock
/// and `MemoryMax=` cannot be tested. After a power cut, data without `fsync` is still on the disk,
/// because the host keeps its page cache.
///
/// # Examples
///
/// ```
/// use fabrs_testing::MachineNetwork;
///
/// if MachineNetwork::is_selected() {
///     let network = MachineNetwork::start(["web1"]);
///     let output = network.ssh().args(["web1", "sudo -n systemctl is-system-running"]).output();
///     assert_eq!(output.expect("`ssh` is installed").stdout, b"running\n");
/// }
/// ```
#[derive(Debug)]
pub struct MachineNetwork {
    /// Declared before `dir`: fields drop in the order of their declaration.
    machines: Vec<Machine>,
    /// The relay to the Debian mirror, if the machines have access. Only its end on drop is used.
    _mirror: Option<PortRelay>,
    lan: Lan,
    identity: Key,
    dir: NetworkDir,
}

impl MachineNetworkBuilder {
    /// Boots all machines, and waits until they are up.
    ///
    /// # Panics
    ///
    /// If this machine cannot boot other machines, a package cannot be installed, or a boot fails.
    #[track_caller]
    pub fn start(self) -> MachineNetwork {
        self.check();
        requirements::require();
        leftovers::remove_abandoned();
        MachineNetwork::boot(&self)
    }
}

impl MachineNetwork {
    /// Returns a builder without machines.
    pub fn builder() -> MachineNetworkBuilder {
        MachineNetworkBuilder::default()
    }

    /// Boots machines with the default settings, and waits until they are up.
    ///
    /// # Panics
    ///
    /// See [`MachineNetworkBuilder::start`].
    #[track_caller]
    pub fn start<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::builder().machines(names).start()
    }

    /// Returns `true` in `scripts/full machines`, recognised by the environment variable
    /// `FABRS_MACHINES`. Otherwise prints a note to stderr, so the test can return early.
    ///
    /// The first use of machines takes minutes, so `scripts/test` boots no machine.
    ///
    /// # Panics
    ///
    /// If the variable is set and this machine cannot boot other machines. The message has the
    /// reason and a remedy.
    #[track_caller]
    pub fn is_selected() -> bool {
        if env::var_os(CACHE_VARIABLE).is_none() {
            let _ = writeln!(io::stderr(), "NOT TESTED HERE: machines with systemd (run `scripts/full machines`)");
            return false;
        }
        requirements::require();
        true
    }

    #[track_caller]
    fn boot(settings: &MachineNetworkBuilder) -> Self {
        let cache = ImageCache::open();
        let dir = NetworkDir::create();
        let identity = Key::generate(dir.path().join("identity"), KeyType::Ed25519, "");
        let lan = Lan::create(dir.name(), unused_subnet());
        let relay = |mirror: &Mirror| PortRelay::to_outside(&lan, mirror.port, mirror.addr());
        let mirror = settings.mirror.as_ref().map(relay);
        let mut network = Self { machines: Vec::new(), _mirror: mirror, lan, identity, dir };
        let mut known_hosts = String::new();
        for (index, machine) in (0..).zip(&settings.machines) {
            let (machine, host_key) = network.prepare(&cache, settings, machine, index);
            let _ = writeln!(known_hosts, "[127.0.0.1]:{},{} {host_key}", machine.addr().port(), machine.ip());
            network.machines.push(machine);
        }
        network.write("known_hosts", &known_hosts);
        network.write("ssh_config", &network.config(Machine::addr));
        network.write("ssh_config_inside", &network.config(|machine| (machine.ip(), SSH_PORT).into()));
        network.machines.iter().for_each(Machine::power_on);
        network.machines.iter().for_each(Machine::wait_until_up);
        network
    }

    /// Makes the disk of a machine. Returns the machine without power and its host key.
    #[track_caller]
    fn prepare(
        &self,
        cache: &ImageCache,
        all: &MachineNetworkBuilder,
        own: &MachineBuilder,
        index: u8,
    ) -> (Machine, String) {
        let base = cache.base();
        let layer = own.layer.as_ref().map(|(name, packages)| cache.layer(name, packages));
        let images: Vec<&Path> = layer.as_deref().into_iter().chain([base.as_path()]).collect();
        let dir = self.dir.path().join("machines").join(&own.name);
        let disk = MachineDisk::mount(&dir, &images);

        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        for (index, machine) in (0..).zip(&all.machines) {
            let _ = writeln!(hosts, "{} {}", self.lan.address(index), machine.name);
        }
        if let Some(mirror) = &all.mirror {
            let _ = writeln!(hosts, "{} {}", self.lan.bridge_address(), mirror.host);
        }
        let public_key = self.identity.public();
        let identity = MachineIdentity { name: &own.name, hosts: &hosts, users: &own.users, public_key: &public_key };
        let host_key = disk.personalise(&identity);

        let mounts = CgroupMounts::find().expect("the requirements include cgroup 2");
        let power = PowerSwitch::new(BootSettings {
            id: format!("{}-{}", self.dir.name(), own.name),
            cgroup: mounts.group(&format!("{}/{}", self.dir.name(), own.name)),
            console: dir.join("console.log"),
            lan: self.lan.clone(),
            index,
            root: disk.root().to_owned(),
        });
        let ssh = PortRelay::start(&self.lan, (self.lan.address(index), SSH_PORT).into());
        let lan = self.lan.clone();
        let machine = Machine { name: own.name.clone(), index, lan, ssh, forwards: Mutex::default(), power, disk };
        (machine, host_key)
    }

    /// Returns the machine with a name.
    ///
    /// # Panics
    ///
    /// If no machine has the name.
    #[track_caller]
    pub fn machine(&self, name: &str) -> &Machine {
        match self.machines.iter().find(|machine| machine.name == name) {
            Some(machine) => machine,
            None => panic!("no machine has the name `{name}`"),
        }
    }

    /// Returns all machines, in the order of the builder.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// Returns the path of the private key of `root`, `deploy` and all other users.
    pub fn identity(&self) -> &Path {
        self.identity.path()
    }

    /// Returns the path of a `known_hosts` file that trusts all machines.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }

    /// Returns the path of an `ssh_config` with all machines under their names, for connections
    /// from the test over loopback. The user is `deploy`.
    pub fn ssh_config(&self) -> PathBuf {
        self.dir.path().join("ssh_config")
    }

    /// Returns the path of an `ssh_config` for connections from [`MachineNetwork::inside`]. The
    /// user is `deploy`.
    pub fn ssh_config_inside(&self) -> PathBuf {
        self.dir.path().join("ssh_config_inside")
    }

    /// Returns the command `ssh -F CONFIG` in batch mode, with an empty stdin. Add the name of a
    /// machine and a command line.
    pub fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.arg("-F").arg(self.ssh_config()).args(["-o", "BatchMode=yes"]).stdin(Stdio::null());
        command
    }

    /// Calls a function on a thread inside the network, and returns its result.
    ///
    /// New threads and processes of the function are also inside. They reach the machines by
    /// [`Machine::ip`], with the errors of a direct connection. They do not reach the host's
    /// loopback or another network.
    pub fn inside<T: Send>(&self, function: impl FnOnce() -> T + Send) -> T {
        let enter_and_call = || {
            self.lan.enter();
            function()
        };
        thread::scope(|scope| match scope.spawn(enter_and_call).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Returns the directory with the files of the network.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the name of the network: the name of its directory, its namespace and its control
    /// group, and the start of the names of its machines in `machinectl` and `ip netns`.
    pub fn name(&self) -> &str {
        self.dir.name()
    }

    fn config(&self, addr: impl Fn(&Machine) -> SocketAddr) -> String {
        let mut text = String::new();
        for machine in &self.machines {
            let addr = addr(machine);
            let _ = writeln!(text, "Host {}\n    HostName {}\n    Port {}", machine.name, addr.ip(), addr.port());
        }
        let _ = writeln!(
            text,
            "Host *\n    User deploy\n    IdentityFile \"{}\"\n    IdentitiesOnly yes\n    UserKnownHostsFile \"{}\"\n    \
             GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes",
            self.identity().display(),
            self.known_hosts().display(),
        );
        text
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).expect("a writable directory");
    }
}

impl Drop for MachineNetwork {
    fn drop(&mut self) {
        // Ends all machines at the same time. Their switches then only wait for the end.
        if let Some(mounts) = CgroupMounts::find() {
            mounts.group(self.dir.name()).kill();
        }
    }
}

/// Returns a subnet different from those of the process's other networks, for clear messages.
///
/// Networks with equal addresses would not disturb each other, because each has its own namespace.
fn unused_subnet() -> [u8; 3] {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(64).wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    let [_, _, high, low] = number.to_be_bytes();
    [10, high, low]
}
