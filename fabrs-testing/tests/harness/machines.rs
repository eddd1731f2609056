//! Tests of `MachineNetwork`: boots, reboots, power cuts, packages, and the end of a network.
//!
//! `scripts/full machines` runs these tests. `scripts/test` only checks the message about a missing
//! requirement, because the first boot downloads Debian.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fabrs_testing::{Capability, Machine, MachineNetwork, Process, marker, wait_until};

use crate::{LIMIT, output};

/// The time without an answer that counts as silence.
const SILENCE: Duration = Duration::from_millis(500);

/// Returns a network, or `None` outside `scripts/full machines`.
fn network<const N: usize>(names: [&str; N]) -> Option<MachineNetwork> {
    MachineNetwork::is_selected().then(|| MachineNetwork::start(names))
}

/// Runs a command line by `ssh` and returns its stdout.
fn ssh(network: &MachineNetwork, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = output(network.ssh().args(arguments));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    stdout
}

/// Opens a connection to sshd and reads the banner.
fn connect(machine: &Machine) -> TcpStream {
    let mut stream = TcpStream::connect(machine.addr()).expect("the relay listens");
    stream.set_read_timeout(Some(LIMIT)).expect("an open socket");
    let mut banner = [0; 8];
    stream.read_exact(&mut banner).expect("sshd sends its banner");
    assert_eq!(&banner, b"SSH-2.0-");
    stream
}

/// Returns `true` if the peer sends neither data, nor an end of file, nor a reset.
fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE)).expect("an open socket");
    let mut rest = [0; 4096];
    matches!(stream.read(&mut rest), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Reads all data sent so far.
fn drain(stream: &mut TcpStream) {
    while !is_silent(stream) {}
}

/// Returns the processes, mounts, namespaces and control groups with the name of a network.
fn remains(name: &str) -> Vec<String> {
    let processes = Process::all().into_iter().map(|process| process.cmdline);
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let dirs = ["/run/netns", "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/tmp"];
    let entries = dirs.into_iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten();
    let entries = entries.map(|entry| entry.path().display().to_string());
    processes.chain(mounts.lines().map(str::to_owned)).chain(entries).filter(|text| text.contains(name)).collect()
}

#[test]
fn a_missing_requirement_of_machines_has_a_remedy() {
    // The note of the capability names the packages. The panic of `require` has the exact reason.
    assert!(Capability::Machines.to_string().contains("apt-get install systemd-container"));
    if !Capability::Machines.is_available() {
        let refused = std::panic::catch_unwind(|| MachineNetwork::start(["web1"]));
        let refused = refused.expect_err("machines are not available");
        let message = refused.downcast_ref::<String>().expect("the panic has a message");
        assert!(message.starts_with("machines cannot boot: "), "{message}");
    }
}

#[test]
fn a_machine_boots_with_systemd_and_accepts_logins() {
    let Some(network) = network(["web1", "web2"]) else { return };
    for name in ["web1", "web2"] {
        assert_eq!(
            ssh(&network, &[name, "systemctl is-system-running --wait; hostname; id -un"]),
            format!("running\n{name}\ndeploy\n")
        );
        assert_eq!(ssh(&network, &[name, "sudo -n id -un; cat /proc/1/comm"]), "root\nsystemd\n");
        assert_eq!(ssh(&network, &["-l", "root", name, "id -un"]), "root\n");
    }
    let web1 = network.machine("web1");
    assert_eq!(
        web1.run("hostname; getent hosts web2 | cut -d ' ' -f 1"),
        format!("web1\n{}\n", network.machine("web2").ip())
    );
    // Services, timers and units of a user.
    ssh(&network, &["web1", "sudo -n systemctl restart ssh.service"]);
    assert_eq!(ssh(&network, &["web1", "systemctl --user is-system-running --wait"]), "running\n");
    web1.run("systemd-run --wait --quiet touch /root/made-by-a-unit");
    assert!(web1.disk().join("root/made-by-a-unit").exists());
}

#[test]
fn a_restarted_service_does_not_affect_other_machines() {
    let Some(network) = network(["web1", "web2"]) else { return };
    let cron = |name: &str| network.machine(name).run("systemctl show --property=MainPID cron.service");
    let (first, second) = (cron("web1"), cron("web2"));
    ssh(&network, &["web1", "sudo -n systemctl restart cron.service"]);
    assert_ne!(cron("web1"), first);
    assert_eq!(cron("web2"), second);
}

#[test]
fn a_reboot_keeps_the_disk_and_changes_the_boot_id() {
    let Some(network) = network(["web1"]) else { return };
    let web1 = network.machine("web1");
    ssh(&network, &["web1", "echo kept > file"]);
    let first = web1.boot_id();
    assert!(!web1.has_booted_again(&first));

    web1.reboot();
    let second = web1.boot_id();
    assert_ne!(first, second);
    assert_eq!(ssh(&network, &["web1", "cat file"]), "kept\n");

    // A reboot over SSH, as by a deploy tool.
    let _ = output(network.ssh().args(["web1", "sudo -n systemctl reboot"]));
    wait_until("the machine has booted again", LIMIT, || web1.has_booted_again(&second));
    assert_eq!(ssh(&network, &["web1", "cat file"]), "kept\n");
}

#[test]
fn a_power_cut_is_silent_and_the_disk_is_kept() {
    let Some(network) = network(["web1", "web2"]) else { return };
    let web1 = network.machine("web1");
    let first = web1.boot_id();
    ssh(&network, &["web1", "echo kept > file"]);
    let mut open = connect(web1);
    drain(&mut open);
    let mut direct = network.inside(|| TcpStream::connect((web1.ip(), 22)).expect("sshd listens"));
    drain(&mut direct);

    web1.power_cut();
    assert!(!web1.is_on() && !web1.is_up());
    assert!(is_silent(&mut open), "an open connection receives no end");
    open.write_all(b"SSH-2.0-test\r\n").expect("a write does not fail");
    assert!(is_silent(&mut open), "an open connection receives no reset");
    assert!(is_silent(&mut direct), "a connection inside receives no end");
    let mut new = TcpStream::connect(web1.addr()).expect("the relay listens");
    assert!(is_silent(&mut new), "a new connection receives no banner");
    assert_eq!(fs::read_to_string(web1.disk().join("home/deploy/file")).expect("a readable disk"), "kept\n");
    assert_eq!(ssh(&network, &["web2", "id -un"]), "deploy\n");

    web1.power_on();
    web1.wait_until_up();
    assert!(web1.has_booted_again(&first));
    assert_eq!(ssh(&network, &["web1", "cat file"]), "kept\n");
}

#[test]
fn a_powered_off_machine_boots_again() {
    let Some(network) = network(["web1"]) else { return };
    let web1 = network.machine("web1");
    let _ = output(network.ssh().args(["web1", "sudo -n systemctl poweroff"]));
    wait_until("the machine is off", LIMIT, || !web1.is_on());
    web1.power_on();
    web1.wait_until_up();
    assert_eq!(ssh(&network, &["web1", "id -un"]), "deploy\n");
}

#[test]
fn an_unplugged_connection_is_silent_and_continues() {
    let Some(network) = network(["web1", "web2"]) else { return };
    let web1 = network.machine("web1");
    let mut open = connect(web1);
    drain(&mut open);
    let ping = format!("timeout 2 bash -c '</dev/tcp/{}/22'", web1.ip());
    network.machine("web2").run(&ping);

    web1.unplug();
    open.write_all(b"hello\r\n").expect("a write does not fail");
    assert!(is_silent(&mut open));
    let code = network.machine("web2").command(&ping).stderr(Stdio::null()).status().expect("`nsenter` is installed");
    assert!(!code.success(), "another machine cannot connect");
    assert_eq!(web1.run("id -un"), "root\n");

    web1.plug();
    open.set_read_timeout(Some(LIMIT)).expect("an open socket");
    let mut answer = String::new();
    open.read_to_string(&mut answer).expect("sshd receives the line and ends the connection");
    assert_eq!(answer, "Invalid SSH identification string.\r\n");
    network.machine("web2").run(&ping);
}

#[test]
fn a_refused_port_is_reset_outside_and_refused_inside() {
    let Some(network) = network(["web1"]) else { return };
    let web1 = network.machine("web1");
    let mut outside = TcpStream::connect(web1.forward(81)).expect("the relay listens");
    let error = outside.read(&mut [0]).expect_err("the port is closed");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let inside = network.inside(|| TcpStream::connect((web1.ip(), 81)).expect_err("the port is closed"));
    assert_eq!(inside.kind(), io::ErrorKind::ConnectionRefused);

    // Programs started inside use the addresses of the machines.
    let (code, stdout, stderr) = network.inside(|| {
        let config = network.ssh_config_inside();
        output(Command::new("ssh").arg("-F").arg(config).args(["web1", "echo $SSH_CONNECTION"]).stdin(Stdio::null()))
    });
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(stdout.split(' ').nth(2), Some(web1.ip().to_string().as_str()));
}

#[test]
fn two_networks_do_not_disturb_each_other() {
    let Some(first) = network(["web1"]) else { return };
    let second = MachineNetwork::start(["web1"]);
    assert_ne!(first.name(), second.name());
    ssh(&first, &["web1", "echo first > file"]);
    ssh(&second, &["web1", "echo second > file"]);
    assert_eq!(ssh(&first, &["web1", "cat file"]), "first\n");
    // Neither network has a route to the other.
    let line = format!("ip route get {}", second.machine("web1").ip());
    let (code, ..) = output(&mut first.machine("web1").command(&line));
    assert_ne!(code, Some(0));

    let name = first.name().to_owned();
    drop(first);
    assert_eq!(remains(&name), [""; 0]);
    assert_eq!(ssh(&second, &["web1", "cat file"]), "second\n");
}

#[test]
fn nothing_remains_after_drop() {
    let Some(network) = network(["web1", "web2"]) else { return };
    let mark = marker();
    network.machine("web1").run(&format!("systemd-run --quiet --unit=sleeper sleep {mark}"));
    network.machine("web2").power_cut();
    let (name, dir) = (network.name().to_owned(), network.dir().to_owned());
    assert!(remains(&name).len() > 3, "{:?}", remains(&name));
    drop(network);
    assert_eq!(remains(&name), [""; 0]);
    assert_eq!(fabrs_testing::processes_matching(&mark), []);
    assert!(!Path::new(&dir).exists());
}

#[test]
fn a_network_of_a_killed_process_is_removed_by_the_next_test() {
    const HOLD: &str = "FABRS_TEST_HOLD_NETWORK";
    let Some(own) = network(["web1"]) else { return };
    if std::env::var_os(HOLD).is_some() {
        // The other process of this test: holds its network until its end.
        println!("network {} {}", own.name(), own.dir().display());
        io::stdin().read_to_end(&mut Vec::new()).expect("stdin is a pipe");
        return;
    }
    let test = "machines::a_network_of_a_killed_process_is_removed_by_the_next_test";
    let mut other = Command::new(std::env::current_exe().expect("the path of the test"));
    other.args(["--exact", "--nocapture", test]).env(HOLD, "1");
    let mut other = other.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the test is executable");
    let lines = BufReader::new(other.stdout.take().expect("a pipe")).lines();
    let line = lines.map_while(Result::ok).find(|line| line.contains("network fabrs-"));
    let line = line.expect("the other process boots its network");
    let name = line.split_whitespace().find(|word| word.starts_with("fabrs-")).expect("a name").to_owned();
    assert_eq!(ssh(&own, &["web1", "hostname"]), "web1\n");
    assert!(remains(&name).len() > 3, "a network of a live process is kept");

    other.kill().and_then(|()| other.wait()).expect("the test started the process");
    let _next = MachineNetwork::start(["web1"]);
    wait_until("the network is removed", LIMIT, || remains(&name).is_empty());
    assert_eq!(ssh(&own, &["web1", "hostname"]), "web1\n");
}

#[test]
fn users_and_packages_are_on_their_machine_only() {
    if !MachineNetwork::is_selected() {
        return;
    }
    let database = Machine::builder("db1").packages("redis", ["redis-server"]).user("ann");
    let network = MachineNetwork::builder().machine("web1").machine(database).start();
    assert_eq!(ssh(&network, &["-l", "ann", "db1", "id -un; redis-cli ping"]), "ann\nPONG\n");
    let (code, ..) = output(network.ssh().args(["-l", "ann", "web1", "true"]));
    assert_eq!(code, Some(255));

    let mut redis = TcpStream::connect(network.machine("db1").forward(6379)).expect("the relay listens");
    let closed = redis.read(&mut [0]).expect_err("the server listens on its own loopback only");
    assert_eq!(closed.kind(), io::ErrorKind::ConnectionReset);
    assert!(!network.machine("web1").disk().join("usr/bin/redis-cli").exists());
}

#[test]
fn packages_are_installed_in_a_running_machine() {
    let Some(network) = network(["web1"]) else { return };
    let web1 = network.machine("web1");
    web1.apt_install(["nginx-light"]);
    wait_until("nginx runs", LIMIT, || web1.run("systemctl is-active nginx || true") == "active\n");
    let mut http = TcpStream::connect(web1.forward(80)).expect("the relay listens");
    http.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("an open connection");
    let mut answer = String::new();
    http.read_to_string(&mut answer).expect("nginx answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
