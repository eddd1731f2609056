//! Tests of `Sshd`: logins, host keys and accounts.

use std::fs;
use std::net::TcpStream;
use std::thread;

use fabrs_testing::{Account, Capability, Key, KeyType, Sshd, TerminalSession};

use crate::{LIMIT, output};

#[test]
fn ssh_runs_a_command_with_the_generated_config() {
    let sshd = Sshd::start();
    let (code, stdout, stderr) = output(sshd.ssh().args(["host", "id -un; exit 7"]));
    assert_eq!((code, stdout.trim(), stderr.as_str()), (Some(7), sshd.user(), ""));
    assert!(sshd.log().contains("Accepted publickey for"), "{}", sshd.log());
    assert!(sshd.log().contains(&sshd.identity_key().fingerprint()), "{}", sshd.log());
}

#[test]
fn a_wrong_key_is_refused() {
    let sshd = Sshd::start();
    let wrong = Key::generate(sshd.dir().join("wrong"), KeyType::Ed25519, "");
    // ssh would offer the IdentityFile of the config in addition to `-i`.
    let config = fs::read_to_string(sshd.ssh_config()).expect("the file was written");
    let config = config.replace(&sshd.identity().display().to_string(), &wrong.path().display().to_string());
    fs::write(sshd.ssh_config(), config).expect("a writable directory");
    let (code, _, stderr) = output(sshd.ssh().args(["host", "true"]));
    assert_eq!(code, Some(255));
    assert!(stderr.contains("Permission denied (publickey)"), "{stderr}");
}

#[test]
fn an_additional_authorized_key_is_accepted() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for kind in [KeyType::Ecdsa, KeyType::Rsa] {
        let key = Key::generate(dir.path().join(format!("{kind:?}")), kind, "");
        let sshd = Sshd::builder().authorize(&key).identity_type(kind).start();
        let (code, _, stderr) = output(sshd.ssh().arg("-i").arg(key.path()).args(["host", "true"]));
        assert_eq!(code, Some(0), "{stderr}");
        assert!(sshd.log().contains(&key.fingerprint()), "{}", sshd.log());
    }
}

#[test]
fn a_changed_host_key_is_refused_until_it_is_trusted() {
    let mut sshd = Sshd::builder().host_keys([KeyType::Ed25519, KeyType::Ecdsa]).start();
    let port = sshd.port();
    assert_eq!(output(sshd.ssh().args(["host", "true"])).0, Some(0));

    sshd.rotate_host_key();
    let (code, _, stderr) = output(sshd.ssh().args(["host", "true"]));
    assert_eq!((code, sshd.port()), (Some(255), port));
    assert!(stderr.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{stderr}");

    sshd.trust_host_key();
    assert_eq!(output(sshd.ssh().args(["host", "true"])).0, Some(0));
}

#[test]
fn a_certified_host_key_is_trusted_by_its_authority_only() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let authority = Key::generate(dir.path().join("ca"), KeyType::Ed25519, "");
    let mut sshd = Sshd::builder().host_ca(&authority).start();
    let known = fs::read_to_string(sshd.known_hosts()).expect("the file was written");
    assert!(known.starts_with("@cert-authority ") && known.lines().count() == 1, "{known}");
    assert_eq!(output(sshd.ssh().args(["host", "true"])).0, Some(0));
    sshd.rotate_host_key();
    assert_eq!(output(sshd.ssh().args(["host", "true"])).0, Some(0), "the authority signed the new key too");
}

#[test]
fn a_stopped_server_refuses_and_a_restarted_server_answers() {
    let mut sshd = Sshd::start();
    sshd.stop();
    assert!(TcpStream::connect(sshd.addr()).is_err());
    sshd.restart();
    assert_eq!(output(sshd.ssh().args(["host", "true"])).0, Some(0));
}

#[test]
fn a_server_answers_on_several_addresses() {
    let mut addresses = vec!["127.0.0.1", "127.0.0.2"];
    if Capability::Ipv6.is_available() {
        addresses.push("::1");
    }
    let names = ["web1", "web2", "web3"];
    let listen = addresses.iter().map(|text| text.parse().expect("an address"));
    let sshd = Sshd::builder().listen(listen).aliases(names).start();
    for (name, address) in names.iter().zip(addresses.iter().cycle()) {
        let (code, stdout, stderr) = output(sshd.ssh().args([*name, "echo $SSH_CONNECTION"]));
        assert_eq!(code, Some(0), "{name}: {stderr}");
        assert_eq!(stdout.split(' ').nth(2), Some(*address));
    }
}

#[test]
fn a_password_login_prompts_and_succeeds() {
    if !Capability::Password.is_available() {
        return;
    }
    let sshd = Sshd::builder().password_login().start();
    let mut ssh = TerminalSession::command("ssh");
    ssh.arg("-F").arg(sshd.ssh_config()).args(["-o", "PubkeyAuthentication=no", "host", "echo got $((6 * 7))"]);
    let mut pty = TerminalSession::spawn(ssh);
    pty.expect("password:", LIMIT);
    pty.send("wrong\n");
    pty.expect("password:", LIMIT);
    pty.send(&format!("{}\n", sshd.password()));
    pty.expect("got 42", LIMIT);
    assert_eq!(pty.wait(LIMIT), 0);
    assert!(!pty.screen().contains(sshd.password()), "a password is not echoed");
}

#[test]
fn an_encrypted_key_prompts_for_its_passphrase() {
    let sshd = Sshd::builder().passphrase("let me in").start();
    assert_eq!(output(sshd.ssh().args(["host", "true"])).0, Some(255), "no terminal for a prompt");
    let mut ssh = TerminalSession::command("ssh");
    ssh.arg("-F").arg(sshd.ssh_config()).args(["host", "echo got $((6 * 7))"]);
    let mut pty = TerminalSession::spawn(ssh);
    pty.expect("passphrase", LIMIT);
    pty.send("let me in\n");
    pty.expect("got 42", LIMIT);
}

#[test]
fn servers_can_start_in_parallel() {
    let starts: Vec<_> = (0..4).map(|_| thread::spawn(Sshd::start)).collect();
    let sshds: Vec<Sshd> = starts.into_iter().map(|start| start.join().expect("the server starts")).collect();
    for sshd in &sshds {
        assert_eq!(output(sshd.ssh().args(["host", "true"])).0, Some(0));
    }
}

#[test]
fn a_forced_command_replaces_the_requested_command() {
    let sshd = Sshd::builder().key_options(r#"command="echo forced: $SSH_ORIGINAL_COMMAND""#).start();
    assert_eq!(output(sshd.ssh().args(["host", "date"])).1, "forced: date\n");
}

#[test]
fn an_option_overrides_the_default() {
    let sshd = Sshd::builder().option("PermitTTY", "no").option("SetEnv", "COLOUR=blue").start();
    assert_eq!(output(sshd.ssh().args(["host", "echo $COLOUR"])).1, "blue\n");
}

#[test]
#[should_panic(expected = "Bad configuration option: NoSuchKeyword")]
fn a_failed_start_panics_with_the_log() {
    drop(Sshd::builder().option("NoSuchKeyword", "yes").start());
}

#[test]
fn accounts_differ_in_shell_and_rights() {
    if !Capability::Accounts.is_available() {
        return;
    }
    let sshd = Sshd::builder().users([Account::Dash, Account::Root]).start();
    assert_eq!(sshd.user(), "fabrs-dash");
    let (_, shell, _) = output(sshd.ssh().args(["host", "readlink /proc/$$/exe; :"]));
    assert!(shell.trim().ends_with("/dash"), "{shell}");
    let (_, root, _) = output(sshd.ssh().args(["-l", Account::Root.name(), "host", "id -u"]));
    assert_eq!(root, "0\n");
    let (_, scratch, stderr) =
        output(sshd.ssh().arg("host").arg(format!("cd {} && touch x && ls", sshd.scratch().display())));
    assert_eq!(scratch, "x\n", "{stderr}");
}

#[test]
fn each_account_has_its_own_sudo_rights() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let accounts = [Account::Plain, Account::Sudo, Account::SudoNopasswd, Account::SudoPty, Account::SudoLimited];
    let sshd = Sshd::builder().users(accounts).start();
    let sudo = |account: Account, line: &str| {
        let (code, stdout, stderr) = output(sshd.ssh().args(["-l", account.name(), "host", line]));
        (code == Some(0), stdout, stderr)
    };
    assert!(!sudo(Account::Plain, "sudo -n id -un").0);
    assert!(sudo(Account::Sudo, "sudo -n id -un").2.contains("password is required"));
    for account in [Account::SudoNopasswd, Account::SudoPty, Account::SudoLimited] {
        assert_eq!(sudo(account, "sudo -n /usr/bin/id -un").1, "root\n", "{account:?}");
    }
    assert!(!sudo(Account::SudoLimited, "sudo -n sh -c '/usr/bin/id -un'").0);

    let mut ssh = TerminalSession::command("ssh");
    ssh.arg("-F").arg(sshd.ssh_config()).args(["-tt", "-l", Account::Sudo.name(), "host", "sudo id -un"]);
    let mut pty = TerminalSession::spawn(ssh);
    pty.expect("password for", LIMIT);
    pty.send(&format!("{}\n", sshd.password()));
    pty.expect("root", LIMIT);
    assert_eq!(pty.wait(LIMIT), 0);
}
