//! Debian's real `vagrant`, with machines of a stub provider in the Vagrantfile.
//!
//! No hypervisor is involved. The provider reports an sshd of the test as a running machine. So
//! these tests cover the Vagrantfile, the output of `vagrant ssh-config` and the connection. They
//! do not cover `vagrant up` and the images of machines.

use std::path::Path;

use fabrs_testing::{Fab, Sshd};

use crate::fixtures::fab;
use crate::vagrant::key_with_blanks;

/// A Vagrant provider. The variable `MACHINES` has a line for each running machine:
/// `NAME PORT USER KEY`. Other machines are not running.
const VAGRANTFILE: &str = r#"
class StubProvider < Vagrant.plugin("2", :provider)
  def initialize(machine)
    @name = machine.name.to_s
  end

  def state
    Vagrant::MachineState.new(:running, "running", "The machine runs.")
  end

  def ssh_info
    machines = ENV["MACHINES"].lines.map { |line| line.chomp.split(" ", 4) }
    name, port, user, key = machines.find { |machine| machine[0] == @name }
    { host: "127.0.0.1", port: port.to_i, username: user, private_key_path: [key] } unless name.nil?
  end
end

class StubPlugin < Vagrant.plugin("2")
  name "stub"
  provider("stub") { StubProvider }
end

Vagrant.configure("2") do |config|
  config.vm.box = "none"
  ["web", "db"].each do |name|
    config.vm.define(name) { |machine| machine.vm.provider "stub" }
  end
end
"#;

/// Returns a run in a project with the Vagrantfile. `running` are the running machines.
fn real_vagrant(sshd: &Sshd, running: &[&str]) -> Fab {
    let is_installed = Path::new("/usr/bin/vagrant").exists();
    assert!(is_installed, "Vagrant is missing: run `scripts/install-tools vagrant=vagrant`");
    let key = key_with_blanks(sshd);
    let machines = running.iter().map(|name| format!("{name} {} {} {key}\n", sshd.port(), sshd.user()));
    fab()
        .project(&[("Vagrantfile", VAGRANTFILE)])
        .env("MACHINES", machines.collect::<String>())
        .env("VAGRANT_DEFAULT_PROVIDER", "stub")
}

const ECHO: [&str; 3] = ["--serial", "--", "echo x"];

#[test]
fn commands_run_on_machines_of_the_real_vagrant() {
    let sshd = Sshd::start();
    let toml = "[env.vagrant]\nvagrant = true\n[env.one]\nvagrant = ['db']\n";
    let run = |environment: &str| {
        let fab = real_vagrant(&sshd, &["web", "db"]).project(&[("fabrs.toml", toml)]);
        fab.arg(environment).args(ECHO)
    };
    run("vagrant").stdout("[web] x\n[db] x\n").stderr("echo x: 2 ok\n").run();
    run("one").stdout("x\n").stderr("").run();
}

#[test]
fn the_error_names_a_stopped_machine_of_the_real_vagrant() {
    let sshd = Sshd::start();
    let toml = "[env.vagrant]\nvagrant = true\n[env.one]\nvagrant = ['db']\n";
    let run = |environment: &str| {
        let fab = real_vagrant(&sshd, &["web"]).project(&[("fabrs.toml", toml)]);
        fab.arg(environment).args(ECHO).code(4).stdout("")
    };
    run("vagrant").stderr_contains("error: a Vagrant machine is not running\n").run();
    run("one").stderr_contains("error: the Vagrant machine `db` is not running\n").run();
}

#[test]
fn a_machine_unknown_to_the_real_vagrant_is_an_error() {
    let sshd = Sshd::start();
    let toml = "[env.other]\nvagrant = ['nope']\n";
    let run = real_vagrant(&sshd, &["web", "db"]).project(&[("fabrs.toml", toml)]).arg("other").args(ECHO);
    run.code(2).stdout("").stderr_contains("caused by: The machine with the name 'nope' was not found").run();
}

#[test]
fn a_real_vagrantfile_needs_no_fabrs_toml() {
    let sshd = Sshd::start();
    let run = real_vagrant(&sshd, &["web", "db"]).args(["vagrant", "--serial", "--"]);
    let line = "id -un; echo $SSH_CONNECTION | cut -d' ' -f4";
    let (user, port) = (sshd.user(), sshd.port());
    run.arg(line).stdout(format!("[web] {user}\n[web] {port}\n[db] {user}\n[db] {port}\n")).run();
}
