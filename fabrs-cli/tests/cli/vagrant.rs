//! Hosts of Vagrant: queried only if needed, and connected according to `vagrant ssh-config`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fabrs_testing::{Fab, Process, Sshd, marker, processes_matching, wait_until};

use crate::fixtures::{LIMIT, fab, sorted};

const ALL: &str = "[env.vagrant]\nvagrant = true\n";

/// Returns a run in a project with this `fabrs.toml`. A script replaces Vagrant, as in
/// [`with_fake_vagrant`].
pub(crate) fn vagrant_project(toml: &str, script: &str) -> Fab {
    with_fake_vagrant(fab().project(&[("fabrs.toml", toml), ("Vagrantfile", "")]), script)
}

/// Replaces Vagrant in the `PATH` by a script. Each call appends a line to the file `calls` in the
/// directory of the run.
pub(crate) fn with_fake_vagrant(fab: Fab, script: &str) -> Fab {
    let calls = fab.dir().join("calls");
    let script = format!("#!/bin/sh\necho \"$*\" >> '{}'\n{script}\n", calls.display());
    let fab = fab.project(&[("bin/vagrant", &script)]);
    let bin = fab.dir().join("bin");
    fs::set_permissions(bin.join("vagrant"), fs::Permissions::from_mode(0o755)).expect("the test owns the directory");
    let path = std::env::var("PATH").expect("the variable is set");
    fab.env("PATH", format!("{}:{path}", bin.display()))
}

/// Returns the arguments of all calls of the script, one line each.
pub(crate) fn vagrant_calls(dir: &Path) -> String {
    fs::read_to_string(dir.join("calls")).unwrap_or_default()
}

/// Copies the key of a server to a path with spaces, as in the directory of a project.
pub(crate) fn key_with_blanks(sshd: &Sshd) -> String {
    let folder = sshd.dir().join("my projects/.vagrant/machines");
    fs::create_dir_all(&folder).expect("the test owns the directory");
    let key = folder.join("private key");
    fs::copy(sshd.identity(), &key).expect("the key is readable");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("the test owns the file");
    key.to_str().expect("test directories have plain names").to_owned()
}

/// Returns a script that prints the `ssh_config` of Vagrant. All machines are this server.
pub(crate) fn print_ssh_config(sshd: &Sshd, names: &[&str]) -> String {
    let (user, port, key) = (sshd.user(), sshd.port(), key_with_blanks(sshd));
    let machines = names.iter().map(|name| {
        format!(
            "Host {name}\n  HostName 127.0.0.1\n  User {user}\n  Port {port}\n  UserKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking no\n  PasswordAuthentication no\n  IdentityFile \"{key} of another\"\n  \
             IdentityFile \"{key}\"\n  IdentitiesOnly yes\n  LogLevel FATAL\n  ForwardAgent yes\n  \
             PubkeyAcceptedKeyTypes +ssh-rsa\n  HostKeyAlgorithms +ssh-rsa\n\n"
        )
    });
    format!("cat <<'END'\n{}END", machines.collect::<Vec<_>>().concat())
}

/// Returns a script that fails with a recorded error of Vagrant.
fn print_recorded_error(recorded: &str) -> String {
    let text = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../fabrs-core/src/config/vagrant/recorded").join(recorded),
    );
    format!("cat >&2 <<'END'\n{}END\nexit 1", text.expect("the error was recorded"))
}

const NO_FORWARDING: &str =
    "warning: agent forwarding is off: `SSH_AUTH_SOCK` is not set, or the ssh config has `IdentityAgent none`\n";

#[test]
fn a_machine_is_reached_only_by_the_config_of_vagrant() {
    let sshd = Sshd::start();
    let fab = vagrant_project(ALL, &print_ssh_config(&sshd, &["default"]));
    let home = fab.dir().with_file_name("home");
    fs::create_dir(home.join(".ssh")).expect("the test owns the home directory");
    let elsewhere = "Host *\n  HostName 127.0.0.2\n  Port 1\n  User nobody\n  IdentityFile /no/key\n";
    fs::write(home.join(".ssh/config"), elsewhere).expect("the test owns the home directory");
    let line = "echo \"$LOGNAME\" $SSH_CONNECTION | cut -d' ' -f1,4,5";
    let expected = format!("{} 127.0.0.1 {}\n", sshd.user(), sshd.port());
    let ran = fab.args(["vagrant", "--", line]).stdout(expected).run();
    // The recorded config has `ForwardAgent yes`.
    assert_eq!(ran.stderr, NO_FORWARDING);
    assert_eq!(vagrant_calls(&ran.dir), "ssh-config\n", "one call, in the folder of the project");
    assert!(!home.join(".ssh/known_hosts").exists(), "the host key is not recorded");
}

/// In the format of Vagrant's `config.ssh.proxy_command`.
#[test]
fn a_machine_behind_a_proxy_command_is_reached() {
    let sshd = Sshd::start();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}; echo %h:%p >&2; cat <&3 & exec cat >&3", sshd.port());
    let proxy = format!("  HostName web.invalid\n  Port 2222\n  ProxyCommand bash -c '{script}'\n");
    let printed = print_ssh_config(&sshd, &["web"]).replacen("  HostName", &(proxy + "  HostName"), 1);
    let ran = vagrant_project(ALL, &printed).args(["vagrant", "--", "echo $SSH_CONNECTION | cut -d' ' -f3,4"]).run();
    assert_eq!(ran.stdout, format!("127.0.0.1 {}\n", sshd.port()));
    assert!(ran.stderr.contains("ProxyCommand: web.invalid:2222\n"), "{}", ran.stderr);
}

#[test]
fn machines_work_with_roles_exclusions_and_settings() {
    let sshd = Sshd::start();
    let toml = "[env.vagrant]\nvagrant = ['web', 'db', 'queue']\nhosts = ['@local']\n";
    let fab = || vagrant_project(toml, &print_ssh_config(&sshd, &["web", "db", "queue"]));
    let ran = fab().args(["vagrant", "--serial", "-x", "db", "--", "echo x"]).run();
    assert_eq!(ran.stdout, "[local] x\n[web] x\n[queue] x\n");
    assert_eq!(vagrant_calls(&ran.dir), "ssh-config web db queue\n");

    let ran = fab().args(["vagrant", "-H", "web,db", "--", "echo x"]).run();
    assert_eq!(sorted(&ran.stdout), ["[db] x", "[web] x"]);
    let refused = fab().args(["vagrant", "-H", "web", "--port", "1", "--", "echo x"]).code(4);
    refused.stderr_contains("web:1: could not connect to 127.0.0.1 port 1\n").run();
}

#[test]
fn the_sudo_password_is_not_in_the_environment_of_vagrant() {
    let sshd = Sshd::start();
    let script =
        format!("echo \"pw ${{FABRS_SUDO_PASSWORD-unset}}\" >> calls\n{}", print_ssh_config(&sshd, &["default"]));
    let fab = vagrant_project(ALL, &script).env("FABRS_SUDO_PASSWORD", "hunter2-hunter2");
    let ran = fab.args(["vagrant", "--", "true"]).run();
    assert_eq!(vagrant_calls(&ran.dir), "ssh-config\npw unset\n");
}

#[test]
fn all_machines_are_used_in_the_order_of_vagrant() {
    let sshd = Sshd::start();
    let ran = vagrant_project(ALL, &print_ssh_config(&sshd, &["web", "db"]))
        .args(["vagrant", "--serial", "--", "echo x"])
        .run();
    assert_eq!(ran.stdout, "[web] x\n[db] x\n");
    let dry = vagrant_project(ALL, &print_ssh_config(&sshd, &["web", "db"]))
        .args(["vagrant", "--serial", "-n", "--", "rm -r x"])
        .run();
    let planned = "[web] would run: rm -r x\n[db] would run: rm -r x\nrm -r x: 2 ok\ndry run: nothing was changed\n";
    assert_eq!(dry.stderr, format!("{NO_FORWARDING}{planned}"));
}

#[test]
fn vagrant_runs_only_if_a_machine_is_needed() {
    let toml = format!("{ALL}[env.named]\nvagrant = ['web', 'db']\n[env.live]\nhosts = ['@local']\n");
    let never = "echo was run >&2; exit 9";
    let run = |arguments: &[&str]| vagrant_project(&toml, never).args(arguments).any_code().run();
    for arguments in [
        &["vagrant", "-H", "@local", "--", "echo x"][..],
        &["live", "--", "echo x"],
        &["-H", "@local", "--", "echo x"],
        &["vagrant", "--help"],
        &["vagrant", "--version"],
        &["vagrant", "--", " "],
    ] {
        let ran = run(arguments);
        assert!(vagrant_calls(&ran.dir).is_empty() && !ran.stderr.contains("was run"), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(vagrant_calls(&run(&["vagrant", "--", "echo x"]).dir), "ssh-config\n");
}

#[test]
fn errors_of_vagrant_have_an_exit_code_and_a_hint() {
    let run = |toml: &str, script: &str, code: i32| {
        let ran = vagrant_project(toml, script).args(["vagrant", "--", "echo x"]).code(code).stdout("").run();
        ran.stderr.replace(&ran.dir.display().to_string(), "DIR")
    };
    let without = vagrant_project(ALL, "exit 9");
    fs::remove_file(without.dir().join("Vagrantfile")).expect("the test owns the file");
    let missing = format!(
        "error: no Vagrantfile in `{}` or its parent directories\nhint: run `vagrant init` to create one\n",
        without.dir().display()
    );
    without.args(["vagrant", "--", "echo x"]).code(2).stdout("").stderr(missing).run();
    assert_eq!(
        run("[env.vagrant]\nvagrant = ['db']", &print_recorded_error("not_ready.txt"), 4),
        "error: the Vagrant machine `db` is not running\nhint: run `vagrant up db`\n"
    );
    assert_eq!(
        run("[env.vagrant]\nvagrant = ['nope']", &print_recorded_error("unknown_machine.txt"), 2),
        "error: `vagrant ssh-config` in `DIR` ended with exit status 1\n  \
         caused by: The machine with the name 'nope' was not found configured for\n             \
         this Vagrant environment.\nhint: run `vagrant status` to see the machines and their state\n"
    );
    assert_eq!(
        run(ALL, "true", 3),
        "error: `vagrant ssh-config` listed no machine\n\
         hint: run `vagrant up` to start the machines, or `vagrant status` to list them\n"
    );
    let empty = vagrant_project(ALL, "true");
    let path = empty.dir().join("nothing").display().to_string();
    empty
        .env("PATH", path)
        .args(["vagrant", "--", "echo x"])
        .code(1)
        .stderr(
            "error: `vagrant` is not installed: could not run `vagrant ssh-config`\n\
             hint: install Vagrant, or select hosts with `-H HOST`, without an environment\n",
        )
        .run();
}

#[test]
fn an_invalid_host_is_reported_before_vagrant_runs() {
    let ran = vagrant_project(ALL, "exit 9").args(["vagrant", "-H", "web[2-1]", "--", "true"]).code(2).run();
    assert!(vagrant_calls(&ran.dir).is_empty(), "{}", ran.stderr);
}

#[test]
fn an_interrupt_ends_a_hung_vagrant_and_its_children() {
    let nap = marker();
    let script = format!("sleep {nap} & echo hanging > hanging; wait");
    let running = vagrant_project(ALL, &script).args(["vagrant", "--", "echo x"]).code(130).limit(LIMIT).spawn();
    let dir = running.dir();
    wait_until("Vagrant hangs", LIMIT, || dir.join("hanging").exists());
    running.interrupt();
    let ran = running.wait();
    assert_eq!(ran.stderr, "error: the run was stopped before the first command\n");
    wait_until("all processes have ended", LIMIT, || processes_matching(&nap) == Vec::<Process>::new());
}
