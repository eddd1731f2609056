//! `ssh_config`, held against `ssh -G`: a corpus of files.

use std::fs;

use crate::compare::{evened_out, in_words_of_ssh, resolve};
use crate::openssh::{Me, run, ssh_g};

#[track_caller]
fn agree(text: &str, hosts: &[&str]) {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("config");
    fs::write(&path, text).expect("the test writes its configuration");
    let me = Me::known();
    for (host, user) in hosts.iter().flat_map(|host| [(host, None), (host, Some("root"))]) {
        let ours = resolve(&path, me, host, user).expect("the configuration is a good one");
        let ours = in_words_of_ssh(&ours, me);
        let arguments = user.map_or(Vec::new(), |user| vec!["-l", user]);
        let theirs = ssh_g(&path, &arguments, host).expect("the configuration is a good one");
        assert_eq!(ours, evened_out(theirs, &ours, me), "{host}, user {user:?}, in\n{text}");
    }
}

#[test]
fn the_first_value_wins_and_keys_accumulate() {
    agree("", &["web1", "WEB1", "10.0.0.1", "::1", "FE80::0001"]);
    agree(
        "User early\nHost web*\n Port 2222\n User late\n IdentityFile /k/a\nHost *\n Port 23\n IdentityFile /k/b\n \
         IdentityFile /k/a\n IdentitiesOnly yes\n",
        &["web1", "db1"],
    );
    agree("IdentityFile none\n", &["web1"]);
    agree("IdentityFile none\nIdentityFile /k/a\n", &["web1"]);
    agree("ConnectTimeout none\nConnectTimeout 1m30\nServerAliveInterval 2m\nServerAliveCountMax 0\n", &["web1"]);
}

#[test]
fn what_vagrant_prints_is_read_alike() {
    let machine = |name: &str, key: &str, more: &str| {
        format!(
            "Host {name}\n  HostName 127.0.0.1\n  User vagrant\n  Port 2222\n  UserKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking no\n  PasswordAuthentication no\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
             LogLevel FATAL\n{more}\n"
        )
    };
    agree(&machine("default", "/home/ann/.vagrant.d/insecure_private_key", ""), &["default", "other"]);
    let keys = "\"/home/ann/my shop/private_key\"\n  IdentityFile \"/home/ann/my shop/other key\"";
    let more =
        "  ForwardAgent yes\n  ForwardX11 yes\n  PubkeyAcceptedKeyTypes +ssh-rsa\n  HostKeyAlgorithms +ssh-rsa\n";
    let proxy = "  ProxyCommand ssh -q 'jump host' -W %h:%p\n";
    let three = machine("web", keys, more) + &machine("db", "/k/db", proxy) + &machine("queue", "/k/queue", "");
    agree(&three, &["web", "db", "queue", "other"]);
}

#[test]
fn patterns_choose_hosts() {
    let text = "Host *.example.com !bad.example.com\n Port 1\nHost web?\n Port 2\nHost Web1 \"a b\"\n Port 3\nHost !*\n \
                Port 4\nHost 10.*\n Port 5\n";
    agree(text, &["a.example.com", "bad.example.com", "web1", "Web1", "web10", "WEB1", "10.1.2.3", "example.com"]);
}

#[test]
fn lines_are_split_alike() {
    agree(
        "\t HOST=web1\n\tport = 2222\nuser=\"alice smith\" # who\n  HostName\t'10.0.0.1'\n# Port 1\nIdentityFile \
         \"/k/a b\"\nIdentityFile /k/a\\ c\nIdentityFile=/k/\"d\"e\nHostKeyAlias \"Shop\"\r\n\n",
        &["web1", "db1"],
    );
    agree("ProxyCommand  nc \"%h\" %p # to the host  \n", &["web1"]);
    agree("ProxyCommand = nc %h %p\n", &["web1"]);
}

#[test]
fn host_names_are_expanded_and_put_in_lower_case() {
    agree("Host web*\n HostName %h.Example.com\nHost odd\n HostName a%%b\n", &["web1", "WEB1", "odd"]);
}

#[test]
fn match_criteria_are_evaluated_in_order() {
    agree("Match all\n Port 1\n", &["web1"]);
    agree("Match host web1\n Port 1\nMatch !host web1\n Port 2\n", &["web1", "WEB1", "db1"]);
    agree("Host web1\n HostName db1\nMatch host db1\n Port 1\nMatch originalhost web1\n User x\n", &["web1", "db1"]);
    agree("Match user root\n Port 1\nHost *\n User root\nMatch user root\n Port 2\n", &["web1"]);
    agree("Match host web*,!web2 user root\n Port 1\nMatch localuser nobody-at-all\n Port 3\n", &["web1", "web2"]);
    agree("Match host \"web1,db1\" !localuser nobody-at-all\n Port 1\n", &["web1", "db1"]);
    agree("Host web1\n Port 1\nMatch host x\n Port 2\nHost db1\n Port 3\n", &["web1", "db1", "x"]);
}

#[test]
fn final_reads_everything_twice() {
    let text = "Match final host *.example.com\n Port 1\nMatch canonical\n User x\nHost web1\n HostName \
                Web1.Example.com\n IdentityFile /k/a\nHost web1.example.com\n IdentityFile /k/b\nMatch !final\n \
                IdentitiesOnly yes\n";
    agree(text, &["web1", "web1.example.com", "db1"]);
    agree("Match canonical all\n Port 1\nMatch final all\n Port 2\n", &["web1"]);
}

#[test]
fn known_hosts_settings_are_the_same() {
    agree(
        "Host a\n UserKnownHostsFile /k/%h /k/%n-%p-%r-%u-%% ~/k\n GlobalKnownHostsFile /g/1 ~/g2\nHost b\n \
         UserKnownHostsFile none\n GlobalKnownHostsFile none\nHost *\n UserKnownHostsFile /k/last\n HashKnownHosts \
         yes\n",
        &["a", "b", "c"],
    );
    for word in ["yes", "TRUE", "no", "off", "false", "ask", "Accept-New"] {
        agree(&format!("StrictHostKeyChecking {word}\nStrictHostKeyChecking ask\n"), &["web1"]);
    }
}

#[test]
fn certificates_accumulate_and_their_signatures_are_listed() {
    agree("CertificateFile ~/a\nHost web1\n CertificateFile /k/b\nHost *\n CertificateFile ~/a\n", &["web1", "db1"]);
    agree("CertificateFile none\n", &["web1"]);
    for list in [
        "ssh-ed25519",
        "rsa-sha2-256,ssh-ed25519,rsa-sha2-256",
        "ecdsa-*,ssh-rsa",
        "+ssh-rsa",
        "+ssh-ed25519,ssh-dss",
        "-ecdsa-*,rsa-sha2-256",
        "-nothing",
        "^ssh-rsa,rsa-sha2-512",
        "ssh-ed25519,ssh-rsa-cert-v01@openssh.com",
    ] {
        agree(
            &format!("Host web1\n CASignatureAlgorithms {list}\nHost *\n CASignatureAlgorithms ssh-rsa\n"),
            &["web1", "db1"],
        );
    }
}

#[test]
fn switches_are_the_same_under_old_names_too() {
    agree(
        "BatchMode yes\nServerAliveInterval 5\nPasswordAuthentication no\nChallengeResponseAuthentication \
         no\nPubkeyAuthentication no\nKeepAlive no\nCompression yes\nSendEnv LANG LC_*\n",
        &["web1"],
    );
    agree("PubkeyAuthentication no\nDSAAuthentication yes\nForwardAgent yes\n", &["web1"]);
    agree("ForwardAgent /run/agent\nIdentityAgent /run/%u/agent\n", &["web1"]);
    agree("ForwardAgent yes\nForwardAgent /run/agent\nIdentityAgent SSH_AUTH_SOCK\n", &["web1"]);
    agree("IdentityAgent none\n", &["web1"]);
}

#[test]
fn jump_hosts_and_proxy_commands_compete() {
    agree("Host web1\n ProxyJump none\nHost *\n ProxyJump alice@jump:2222,[::1]:23\n", &["web1", "db1"]);
    agree("ProxyJump jump\nProxyCommand nc %h %p\n", &["web1"]);
    agree("ProxyCommand nc %h %p\nProxyJump jump\n", &["web1"]);
    agree("ProxyCommand none\nProxyJump jump\n", &["web1"]);
    agree("ProxyJump ssh://alice@jump:2222\n", &["web1"]);
    agree("ProxyJump jump # the bastion\n", &["web1"]);
}

/// What `ssh` hands to the shell is seen by running it: `ssh -G` prints the tokens as they are.
#[test]
fn the_tokens_of_a_proxy_command_are_those_of_ssh() {
    #[track_caller]
    fn agree(tokens: &str, more: &str) {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let [path, script, seen] = ["config", "script", "seen"].map(|name| directory.path().join(name));
        // It ends by itself: `ssh` does not see it end before all is written.
        fs::write(&script, format!("printf '%s\\n' \"$@\" > '{}'", seen.display())).expect("the directory is ours");
        let command = format!("sh '{}' {tokens}", script.display());
        fs::write(&path, format!("{more}\nProxyCommand {command}\n")).expect("the directory is ours");
        let me = Me::known();
        let config = path.to_str().expect("test directories have plain names");
        run("ssh", ["-F", config, "-p", "2222", "-o", "BatchMode=yes", "-l", "ann", "web", "true"]);
        let theirs = fs::read_to_string(&seen).ok();
        drop(fs::remove_file(&seen));
        let ours = resolve(&path, me, "web", Some("ann")).expect("the configuration is a good one");
        let line = ours.proxy_command.expect("there is one").line("ann", 2222);
        let ours = line.ok().and_then(|line| {
            run("sh", ["-c", &format!("exec {line}")]);
            fs::read_to_string(&seen).ok()
        });
        assert_eq!(ours, theirs, "{command}");
    }
    agree("%h %n %p %r %% %k", "HostName %h.Example.com\nHostKeyAlias Shop");
    agree("%h %n %k a%%b%pc", "");
    agree("'%h  %p' \"$HOME/%r\" ~ $((1+1)); echo not reached", "HostName 127.0.0.1");
    for unknown in ["C", "d", "f", "H", "i", "j", "L", "l", "u", "x"] {
        agree(&format!("%{unknown}"), "");
    }
}

#[test]
fn a_jump_host_that_is_its_own_is_refused_by_ssh_and_reached_directly_here() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("config");
    fs::write(&path, "Host *\n ProxyJump jump\n").expect("the test writes its configuration");
    let refusal = ssh_g(&path, &[], "jump").expect_err("ssh sees the loop");
    assert!(refusal.contains("jumphost loop"), "{refusal}");
    let me = Me::known();
    let ours = resolve(&path, me, "jump", None).expect("the configuration is a good one");
    assert_eq!(ours.proxy_jump, Some(Vec::new()));
    assert!(
        ours.warnings[0]
            .to_string()
            .ends_with("config:2: `ProxyJump` is passed over for `jump`, which is one of its jump hosts")
    );
}

#[test]
fn what_ssh_refuses_is_refused_with_file_and_line() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("config");
    let me = Me::known();
    for line in [
        "Port abc",
        "Port 0",
        "Port",
        "Port 22 23",
        "StrictHostKeyChecking maybe",
        "BatchMode perhaps",
        "ConnectTimeout soon",
        "CASignatureAlgorithms foo",
        "CASignatureAlgorithms +",
        "CASignatureAlgorithms ssh-ed25519,Ssh-rsa",
        "CertificateFile",
        "CertificateFile a b",
        "ServerAliveCountMax x",
        "User \"open",
        "User \"\"",
        "ProxyJump a,,b",
        "ProxyJump @jump",
        "UserKnownHostsFile none /k/a",
        "Match flavour sweet",
        "Match all host web1",
        "Match user",
        "IdentityAgent ${NOT_SET_ANYWHERE}",
        "UserKnownHostsFile /k/%x",
        "HostName %x",
    ] {
        fs::write(&path, format!("\n{line}\n")).expect("the test writes its configuration");
        assert!(ssh_g(&path, &[], "web1").is_err(), "ssh takes `{line}`");
        let error = resolve(&path, me, "web1", None).expect_err(line).to_string();
        assert!(error.starts_with(&format!("{}:2: ", path.display())), "{error}");
    }
}
