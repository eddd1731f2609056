//! Access to a demo host: keys, users, addresses and forwarding.

use std::fs;
use std::process::Stdio;

use fabrs_testing::{Key, KeyType};

use crate::fixtures::{demo, run, ssh, stdout_of, text};

/// Returns the value of a keyword in the `ssh_config` of a demo.
fn config_value(demo: &fabrs_demo::Demo, keyword: &str) -> String {
    let config = fs::read_to_string(demo.ssh_config()).expect("the test owns the file");
    let value = config.lines().find_map(|line| line.trim().strip_prefix(keyword));
    value.expect("the keyword is set").trim().to_owned()
}

#[test]
fn two_demos_have_different_keys() {
    let (first, second) = (demo(&["demo"]), demo(&["demo"]));
    for file in ["IdentityFile", "UserKnownHostsFile"] {
        let [first, second] =
            [&first, &second].map(|demo| fs::read(config_value(demo, file)).expect("the test owns the file"));
        assert_ne!(first, second, "{file}");
    }
}

#[test]
fn hosts_of_a_demo_have_different_host_keys() {
    let demo = demo(&["demo1", "demo2"]);
    let known = fs::read_to_string(config_value(&demo, "UserKnownHostsFile")).expect("the test owns the file");
    let keys: Vec<&str> = known.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{known}");
}

#[test]
fn another_key_and_a_password_are_refused() {
    let demo = demo(&["demo"]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = Key::generate(dir.path().join("other"), KeyType::Ed25519, "");
    let attempt = |identity: &std::path::Path, methods: &str| {
        let mut command = std::process::Command::new("ssh");
        command
            .args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
            .args(["-o", &format!("PreferredAuthentications={methods}"), "-p", &config_value(&demo, "Port"), "-i"])
            .arg(identity)
            .args(["demo@127.0.0.1", "echo in"])
            .stdin(Stdio::null());
        command.output().expect("`ssh` is installed")
    };
    for methods in ["publickey", "password", "keyboard-interactive", "none"] {
        let output = attempt(key.path(), methods);
        assert!(text(&output.stderr).contains("Permission denied (publickey)"), "{methods}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    // With the key of the demo, the same command line succeeds.
    assert_eq!(text(&attempt(config_value(&demo, "IdentityFile").as_ref(), "publickey").stdout), "in\n");
}

#[test]
fn an_unknown_user_is_refused() {
    let demo = demo(&["demo"]);
    let as_user = |user: &str| {
        let output = ssh(demo.ssh_config(), "demo").args(["-l", user, "id -un"]).output().expect("`ssh` is installed");
        (text(&output.stdout), output.status.code())
    };
    assert_eq!(as_user("root"), ("root\n".to_owned(), Some(0)));
    assert_eq!(as_user("eve"), (String::new(), Some(255)));
    // The server reads `/etc/passwd` at each login, so a new account can log in.
    stdout_of(&demo, "demo", "echo 'eve:x:1001:1001::/tmp:/bin/sh' | sudo tee -a /etc/passwd");
    assert_eq!(as_user("eve"), ("eve\n".to_owned(), Some(0)));
}

#[test]
fn the_server_listens_on_loopback_only() {
    let demo = demo(&["demo"]);
    let port: u16 = config_value(&demo, "Port").parse().expect("a number");
    let listening = |file: &str| {
        let sockets = fs::read_to_string(file).unwrap_or_default();
        let local = sockets.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // State 0A is LISTEN.
            (fields.get(3) == Some(&"0A")).then(|| fields[1].to_owned())
        });
        local.filter(|local| local.ends_with(&format!(":{port:04X}"))).collect::<Vec<_>>()
    };
    let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
    assert_eq!(listening("/proc/net/tcp"), [format!("{loopback:08X}:{port:04X}")]);
    assert_eq!(listening("/proc/net/tcp6"), Vec::<String>::new());
}

#[test]
fn port_and_agent_forwarding_are_refused() {
    let demo = demo(&["demo"]);
    let port = config_value(&demo, "Port");
    let output =
        ssh(demo.ssh_config(), "demo").args(["-W", &format!("127.0.0.1:{port}")]).output().expect("`ssh` is installed");
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    let agent = run(&demo, "demo", "echo ${SSH_AUTH_SOCK-none}");
    assert_eq!(text(&agent.stdout), "none\n");
}
