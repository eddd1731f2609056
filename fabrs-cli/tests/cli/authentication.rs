//! Rejected host keys and logins: exit code 5, no command runs, and the error has a hint.

use std::fs;

use fabrs_testing::{Account, Capability, Fab, FabOutput, Key, KeyType, Sshd};

use crate::fixtures::{Marker, fab, marker_file};

/// Runs a shell line on a host that must reject the login. Checks that the line did not run.
#[track_caller]
fn rejected_login(run: Fab, sshd: &Sshd) -> FabOutput {
    let marker: Marker = marker_file(sshd);
    let ran = run.args(["--", &marker.line()]).code(5).stdout("").own_session().run();
    assert!(!marker.exists(), "{}", ran.stderr);
    ran
}

#[test]
fn an_unknown_host_key_is_an_error_with_its_fingerprint_and_a_hint() {
    let sshd = Sshd::start();
    fs::write(sshd.known_hosts(), "").expect("the test owns the file");
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    // With `yes`, `ssh` would reject the key too.
    for (strict, option) in [("yes", "-o StrictHostKeyChecking=ask "), ("ask", "")] {
        let config = config.replace("StrictHostKeyChecking yes", &format!("StrictHostKeyChecking {strict}"));
        let run = fab().project(&[("config", &config)]).args(["-S", "config", "-H", "host"]);
        let block = format!(
            "error: host: the host's ssh-ed25519 key is not known\n  caused by: it shows {}\n\
             hint: compare the fingerprint, then connect once with `ssh {option}-F config host`, or set `StrictHostKeyChecking accept-new`\n",
            sshd.host_keys()[0].fingerprint()
        );
        assert_eq!(rejected_login(run, &sshd).stderr, block);
    }
}

#[test]
fn the_ssh_command_of_a_hint_has_the_options_of_the_run() {
    let sshd = Sshd::start();
    fs::write(sshd.known_hosts(), "").expect("the test owns the file");
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let port = sshd.port().to_string();
    let run = fab().project(&[("my config", &config)]).args(["-S", "my config", "-H", "host"]);
    let run = run.args(["--port", &port, "-u", sshd.user()]).arg("-i").arg(sshd.identity());
    let stderr = rejected_login(run, &sshd).stderr;
    let hint = stderr.split_once("connect once with `").and_then(|(_, rest)| rest.split_once('`'));
    let command = hint.map(|(command, _)| command).unwrap_or_default();
    let (identity, user) = (sshd.identity().display().to_string(), sshd.user());
    assert_eq!(command, format!("ssh -o StrictHostKeyChecking=ask -F 'my config' -i {identity} -p {port} {user}@host"));
}

#[test]
fn accept_new_records_a_host_key_once() {
    let sshd = Sshd::start();
    fs::write(sshd.known_hosts(), "").expect("the test owns the file");
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let config = config.replace("StrictHostKeyChecking yes", "StrictHostKeyChecking accept-new");
    let run = || fab().project(&[("config", &config)]).args(["-S", "config", "-H", "host", "--", "echo in"]);
    let file = sshd.known_hosts();
    let warning = format!(
        "warning: host: recorded its ssh-ed25519 key {} in {}\n",
        sshd.host_keys()[0].fingerprint(),
        file.display()
    );
    run().stdout("in\n").stderr(warning).run();
    run().stdout("in\n").stderr("").run();
}

#[test]
fn a_changed_host_key_is_refused_with_file_and_line() {
    let mut sshd = Sshd::start();
    let file = sshd.known_hosts();
    let known = fs::read_to_string(&file).expect("the test owns the file");
    fs::write(&file, format!("# the fleet\n\n{known}")).expect("the test owns the file");
    sshd.rotate_host_key();
    let block = format!(
        "error: host: the host's ssh-ed25519 key has changed\n  \
         caused by: another key is on record in {}:3; the host shows {}\n\
         hint: if the new host key is genuine, remove the old one: `ssh-keygen -R '[127.0.0.1]:{}' -f {0}`\n",
        file.display(),
        sshd.host_keys()[0].fingerprint(),
        sshd.port()
    );
    assert_eq!(rejected_login(fab().on(&sshd), &sshd).stderr, block);
}

#[test]
fn a_revoked_host_key_is_refused() {
    let sshd = Sshd::start();
    let file = sshd.known_hosts();
    let key = sshd.host_keys()[0].public();
    fs::write(&file, format!("@revoked * {key}\n")).expect("the test owns the file");
    let stderr = rejected_login(fab().on(&sshd), &sshd).stderr;
    let start =
        format!("error: host: the host's ssh-ed25519 key is revoked\n  caused by: revoked in {}:1", file.display());
    assert!(stderr.starts_with(&start), "{stderr}");
}

#[test]
fn a_rejected_login_names_the_tried_keys_and_accepted_methods() {
    let sshd = Sshd::start();
    let run = fab();
    let other = Key::generate(run.dir().join("other"), KeyType::Ed25519, "");
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let config = config.replace(&sshd.identity().display().to_string(), &other.path().display().to_string());
    let run = run.project(&[("config", &config)]).args(["-S", "config", "-H", "host"]);
    let block = format!(
        "error: host: could not log in as {}\n  \
         caused by: the server refused `{}`; it accepts publickey\n\
         hint: is this the right user and key? try `ssh -v -F config host`\n",
        sshd.user(),
        other.path().display()
    );
    assert_eq!(rejected_login(run, &sshd).stderr, block);
}

#[test]
fn a_missing_or_invalid_private_key_is_named() {
    let sshd = Sshd::start();
    let run = fab().project(&[("junk", "no key\n")]);
    let (gone, junk) = (run.dir().join("gone"), run.dir().join("junk"));
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let named = format!("IdentityFile {}\n    IdentityFile ", gone.display());
    let config = config.replace("IdentityFile ", &named);
    let config = config.replace(&sshd.identity().display().to_string(), &junk.display().to_string());
    let run = run.project(&[("config", &config)]).args(["-S", "config", "-H", "host"]);
    let stderr = rejected_login(run, &sshd).stderr;
    assert!(stderr.contains(&format!("`{}` (no such file)", gone.display())), "{stderr}");
    assert!(stderr.contains(&format!("`{}` (", junk.display())), "{stderr}");
}

#[test]
fn a_password_login_without_a_terminal_is_an_error() {
    if !Capability::Password.is_available() {
        return;
    }
    let sshd = Sshd::builder().password_login().start();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let config = config.replace("IdentityFile", "PubkeyAuthentication no\n    IdentityFile");
    let run = fab().project(&[("config", &config)]).args(["-S", "config", "-H", "host"]);
    let block = format!(
        "error: host: could not log in as {}\n  \
         caused by: the server refused the login: the ssh config allows no key; it accepts publickey, password\n\
         hint: the server accepts passwords, but fabrs cannot prompt: use a key, or run the program at a terminal\n",
        sshd.user()
    );
    assert_eq!(rejected_login(run, &sshd).stderr, block);
}

#[test]
fn a_rejected_host_does_not_hide_another() {
    if !Capability::Accounts.is_available() {
        return;
    }
    let sshd = Sshd::builder().users([Account::Plain]).append_config("DenyUsers fabrs-dash\n").start();
    let ran = fab()
        .arg("-S")
        .arg(sshd.ssh_config())
        .args(["-H", "fabrs-dash@host,host", "--", "echo in"])
        .code(5)
        .stdout("[host] in\n")
        .run();
    assert!(ran.stderr.starts_with("error: host: could not log in as fabrs-dash\n"), "{}", ran.stderr);
}
