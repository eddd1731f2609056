//! Network of machines: a network namespace with a bridge, and a cable to each machine.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};

use super::command::{command, run, succeeds};

/// A network namespace with a bridge. The namespace has no route to another network.
///
/// The first machine has the index 0, the port `m0` of the bridge, and the host number 10.
#[derive(Debug, Clone)]
pub(super) struct Lan {
    /// The name of the namespace, also the prefix of the names of the machines' namespaces.
    name: String,
    /// The first three bytes of all addresses.
    subnet: [u8; 3],
}

impl Lan {
    /// Creates the namespace and its bridge.
    ///
    /// # Panics
    ///
    /// If a command of `ip` fails.
    #[track_caller]
    pub(super) fn create(name: &str, subnet: [u8; 3]) -> Self {
        let lan = Self { name: name.to_owned(), subnet };
        run(command("ip").args(["netns", "add", name]));
        lan.ip("link set lo up");
        lan.ip("link add br0 type bridge");
        lan.ip(&format!("addr add {}/24 dev br0", lan.bridge_address()));
        lan.ip("link set br0 up");
        lan
    }

    /// Returns the address of the bridge, the end of the network at the test.
    pub(super) fn bridge_address(&self) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, 1)
    }

    /// Returns the address of a machine.
    pub(super) fn address(&self, index: u8) -> Ipv4Addr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, 10 + index)
    }

    /// Returns the path of a machine's network namespace.
    pub(super) fn machine_namespace(&self, index: u8) -> PathBuf {
        namespace_path(&self.machine_name(index))
    }

    /// Creates the network namespace of a machine with a cable to the bridge, and removes an
    /// earlier namespace of the machine.
    ///
    /// A new namespace for each boot drops addresses and firewall rules set by the last boot. The
    /// MAC address stays the same, because other machines remember it for a while.
    #[track_caller]
    pub(super) fn attach(&self, index: u8, is_plugged: bool) {
        let machine = self.machine_name(index);
        succeeds(command("ip").args(["netns", "delete", &machine]));
        // The kernel removes the devices of a deleted namespace later.
        succeeds(command("ip").args(["-n", &self.name, "link", "delete", &format!("m{index}")]));
        run(command("ip").args(["netns", "add", &machine]));
        self.ip(&format!(
            "link add m{index} type veth peer name eth0 address 02:00:00:00:00:{:02x} netns {machine}",
            10 + index
        ));
        self.ip(&format!("link set m{index} master br0"));
        for line in [
            "link set lo up".to_owned(),
            format!("addr add {}/24 dev eth0", self.address(index)),
            "link set eth0 up".to_owned(),
        ] {
            run(command("ip").args(["-n", &machine]).args(line.split(' ')));
        }
        self.set_plugged(index, is_plugged);
    }

    /// Plugs or unplugs the cable of a machine, at the side of the bridge.
    #[track_caller]
    pub(super) fn set_plugged(&self, index: u8, is_plugged: bool) {
        self.ip(&format!("link set m{index} {}", if is_plugged { "up" } else { "down" }));
    }

    /// Moves the current thread into the namespace. Its new threads and processes start there.
    ///
    /// # Panics
    ///
    /// If the namespace does not exist.
    pub(super) fn enter(&self) {
        let namespace = File::open(namespace_path(&self.name)).expect("the network exists until drop");
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("root can enter a network namespace");
    }

    /// Runs a command of `ip` in the namespace.
    #[track_caller]
    fn ip(&self, line: &str) {
        run(command("ip").args(["-n", &self.name]).args(line.split(' ')));
    }

    fn machine_name(&self, index: u8) -> String {
        format!("{}-m{index}", self.name)
    }
}

/// Removes the namespaces of a network by the name of the network, and the namespaces of its
/// machines.
pub(super) fn remove_namespaces(name: &str) {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    for found in
        names.filter(|found| found.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("-m")))
    {
        succeeds(command("ip").args(["netns", "delete", &found]));
    }
}

fn namespace_path(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}
