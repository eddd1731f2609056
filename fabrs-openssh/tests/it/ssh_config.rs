//! Comparisons of a corpus of `ssh_config` files with `ssh -G`.

use std::fs;

use crate::compare::{as_ssh_output, normalized, resolve};
use crate::openssh::{LocalUser, run, ssh_g};

#[track_caller]
fn agree(text: &str, hosts: &[&str]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config");
    fs::write(&path, text).expect("the test writes its configuration");
    let me = LocalUser::get();
    for (host, user) in hosts.iter().flat_map(|host| [(host, None), (host, Some("root"))]) {
        let ours = resolve(&path, me, host, user).expect("the configuration is valid");
        let ours = as_ssh_output(&ours, me);
        let arguments = user.map_or(Vec::new(), |user| vec!["-l", user]);
        let theirs = ssh_g(&path, &arguments, host).expect("the configuration is valid");
        assert_eq!(ours, normalized(theirs, &ours, me), "{host}, user {user:?}, in\n{text}");
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
fn vagrant_output_resolves_like_in_ssh() {
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
fn patterns_select_hosts() {
    let text = "Host *.example.com !bad.example.com\n Port 1\nHost web?\n Port 2\nHost Web1 \"a b\"\n Port 3\nHost !*\n \
                Port 4\nHost 10.*\n Port 5\n";
    agree(text, &["a.example.com", "bad.example.com", "web1", "Web1", "web10", "WEB1", "10.1.2.3", "example.com"]);
}

#[test]
fn lines_are_split_like_in_ssh() {
    agree(
        "\t HOST=web1\n\tport = 2222\nuser=\"alice smith\" # who\n  HostName\t'10.0.0.1'\n# Port 1\nIdentityFile \
         \"/k/a b\"\nIdentityFile /k/a\\ c\nIdentityFile=/k/\"d\"e\nHostKeyAlias \"Shop\"\r\n\n",
        &["web1", "db1"],
    );
    agree("ProxyCommand  nc \"%h\" %p # to the host  \n", &["web1"]);
    agree("ProxyCommand = nc %h %p\n", &["web1"]);
}

#[test]
fn host_names_are_expanded_and_converted_to_lower_case() {
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
fn final_reads_all_lines_twice() {
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
fn lists_of_algorithms_replace_and_change_the_same_defaults() {
    let cases = [
        ("Ciphers", &["aes256-ctr", "+aes128-cbc,aes128-ctr", "-aes*", "^aes256-ctr,3des-cbc", "aes128-ctr,,"][..]),
        ("MACs", &["hmac-sha2-256", "+hmac-md5", "-*-etm@*,umac*", "^hmac-sha2-512"]),
        ("KexAlgorithms", &["curve25519-sha256", "+diffie-hellman-group1-sha1", "-*sha1,ecdh*", "^ecdh-sha2-nistp521"]),
        ("HostKeyAlgorithms", &["ssh-*", "+ssh-rsa", "-*cert*,*nist*", "^ssh-rsa,rsa-sha2-256", "rsa-sha2-*"]),
        ("PubkeyAcceptedAlgorithms", &["ssh-ed25519", "+ssh-rsa", "-sk-*", "^ecdsa-sha2-nistp384"]),
        ("PubkeyAcceptedKeyTypes", &["+ssh-dss"]),
    ];
    for (keyword, lists) in cases {
        for list in lists {
            agree(&format!("Host web1\n {keyword} {list}\nHost *\n {keyword} -none\n"), &["web1", "db1"]);
        }
    }
    agree("RequiredRSASize 3072\nRequiredRSASize 1\n", &["web1"]);
}

#[test]
fn login_keywords_resolve_as_in_ssh() {
    agree("PreferredAuthentications password,nonsense\nNumberOfPasswordPrompts 1\n", &["web1"]);
    agree("RevokedHostKeys /k/revoked\nRevokedHostKeys none\n", &["web1"]);
    agree("RevokedHostKeys none\nRevokedHostKeys /k/revoked\n", &["web1"]);
}

#[test]
fn every_keyword_expands_the_same_tokens_as_ssh() {
    let tokens = "%%-%C-%d-%h-%i-%k-%L-%l-%n-%p-%r-%u";
    let text = format!(
        "Host web1\n HostName %h.Example.com\n HostKeyAlias Shop\n Port 2222\n User deploy\nHost *\n \
         IdentityAgent /run/{tokens}\n UserKnownHostsFile /k/{tokens} /l/%i\n"
    );
    agree(&text, &["web1", "db1", "10.0.0.1"]);
    // `ssh -G` prints these values unexpanded. `ssh` expands them when it connects.
    for keyword in ["CertificateFile", "IdentityFile"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("config");
        let name = |text: &str| directory.path().join(format!("key-{text}")).to_string_lossy().into_owned();
        fs::write(&path, format!("{text} {keyword} {}\nProxyCommand true\n", name("%C-%h-%i-%k-%L-%l-%n-%p-%r-%u-%%")))
            .expect("the test writes its configuration");
        let config = path.to_str().expect("test directories have plain names");
        let output = run("ssh", ["-v", "-F", config, "-o", "BatchMode=yes", "web1", "true"]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let ours = resolve(&path, LocalUser::get(), "web1", None).expect("the configuration is valid");
        let files = if keyword == "IdentityFile" { ours.identity_files } else { ours.certificate_files };
        let file = files.expect("the keyword is set")[0].to_string_lossy().into_owned();
        assert!(stderr.contains(&file), "{file} is not in\n{stderr}");
    }
}

#[test]
fn match_exec_runs_the_same_command() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = directory.path().join("log");
    let text = format!(
        "Host web1\n HostName db1\n User deploy\nMatch exec \"echo %C-%d-%h-%i-%k-%L-%l-%n-%p-%r-%u-%% >> '{}'\"\n \
         Port 1\nMatch host none exec \"touch '{0}.not'\"\n Port 2\nMatch !exec false host db1\n \
         IdentityFile /k/a\nMatch exec=\"exit 1\"\n IdentityFile /k/b\nMatch final exec \"test %p = 1\"\n \
         User second\n",
        log.display()
    );
    agree(&text, &["web1", "web2"]);
    let lines = fs::read_to_string(&log).expect("the commands wrote the log");
    let lines: Vec<&str> = lines.lines().collect();
    // Two hosts, two users and two passes, each in this crate and in `ssh`, result in 16 lines.
    assert_eq!(lines.len(), 16, "{lines:#?}");
    for (ours, theirs) in [(0..2, 2..4), (4..6, 6..8), (8..10, 10..12), (12..14, 14..16)] {
        assert_eq!(lines[ours], lines[theirs]);
    }
    assert!(!directory.path().join("log.not").exists(), "a command ran after a criterion that failed");
}

#[test]
fn a_jump_host_on_another_port_of_the_same_address_is_used() {
    let text = "Host vm\n HostName 10.0.0.1\n Port 2222\n ProxyJump 10.0.0.1\nHost vm2\n HostName 10.0.0.1\n \
                ProxyJump 10.0.0.1:2222\nHost vm3\n HostName 10.0.0.1\n Port 2222\n ProxyJump ann@10.0.0.1:2222\n";
    agree(text, &["vm", "vm2", "vm3"]);
}

#[test]
fn a_jump_host_has_the_tokens_of_a_proxy_command() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config");
    let text = "Host web1\n HostName %h.example.com\n ProxyJump %r@gw.%n,gw-%p.%h\n";
    fs::write(&path, text).expect("the test writes its configuration");
    let ours = resolve(&path, LocalUser::get(), "web1", Some("ann")).expect("the configuration is valid");
    let chain: Vec<String> = ours.proxy_jump.expect("the keyword is set").iter().map(ToString::to_string).collect();
    assert_eq!(chain, ["ann@gw.web1", "gw-22.web1.example.com"]);
    for unknown in ["%u", "%k", "%"] {
        fs::write(&path, format!("ProxyJump gw{unknown}\n")).expect("the test writes its configuration");
        assert!(resolve(&path, LocalUser::get(), "web1", None).is_err(), "{unknown}");
    }
}

#[test]
fn flags_resolve_as_in_ssh_also_under_old_names() {
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
fn the_first_of_proxy_jump_and_proxy_command_applies() {
    agree("Host web1\n ProxyJump none\nHost *\n ProxyJump alice@jump:2222,[::1]:23\n", &["web1", "db1"]);
    agree("ProxyJump jump\nProxyCommand nc %h %p\n", &["web1"]);
    agree("ProxyCommand nc %h %p\nProxyJump jump\n", &["web1"]);
    agree("ProxyCommand none\nProxyJump jump\n", &["web1"]);
    agree("ProxyJump ssh://alice@jump:2222\n", &["web1"]);
    agree("ProxyJump jump # the bastion\n", &["web1"]);
}

/// `ssh -G` prints unexpanded tokens, so the test runs the command and compares its arguments.
#[test]
fn the_tokens_of_a_proxy_command_match_ssh() {
    #[track_caller]
    fn agree(tokens: &str, more: &str) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let [path, script, seen] = ["config", "script", "seen"].map(|name| directory.path().join(name));
        // The script exits without waiting for input. The file is complete before `ssh` notices the
        // exit.
        fs::write(&script, format!("printf '%s\\n' \"$@\" > '{}'", seen.display()))
            .expect("the test owns the directory");
        let command = format!("sh '{}' {tokens}", script.display());
        fs::write(&path, format!("{more}\nProxyCommand {command}\n")).expect("the test owns the directory");
        let me = LocalUser::get();
        let config = path.to_str().expect("test directories have plain names");
        run("ssh", ["-F", config, "-p", "2222", "-o", "BatchMode=yes", "-l", "ann", "web", "true"]);
        let theirs = fs::read_to_string(&seen).ok();
        drop(fs::remove_file(&seen));
        let ours = resolve(&path, me, "web", Some("ann")).expect("the configuration is valid");
        let line = ours.proxy_command.expect("a proxy command is set").expand("ann", 2222);
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
fn a_jump_loop_is_an_error_in_ssh_and_a_direct_connection_here() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config");
    fs::write(&path, "Host *\n ProxyJump jump\n").expect("the test writes its configuration");
    let stderr = ssh_g(&path, &[], "jump").expect_err("ssh sees the loop");
    assert!(stderr.contains("jumphost loop"), "{stderr}");
    let me = LocalUser::get();
    let ours = resolve(&path, me, "jump", None).expect("the configuration is valid");
    assert_eq!(ours.proxy_jump, Some(Vec::new()));
    assert!(
        ours.warnings[0]
            .to_string()
            .ends_with("config:2: `ProxyJump` is ignored for `jump`: the host is one of its own jump hosts")
    );
}

#[test]
fn lines_rejected_by_ssh_are_errors_with_file_and_line() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config");
    let me = LocalUser::get();
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
        "Match exec \"%x\"",
        "Hsot web1",
        "Mach host web1",
        "Taste sweet",
        "Host other\n\tTaste sweet",
        "Ciphers aes*",
        "Ciphers none",
        "Ciphers +nonsense",
        "MACs hmac-*",
        "KexAlgorithms curve*",
        "KexAlgorithms ^x",
        "HostKeyAlgorithms nonsense",
        "PubkeyAcceptedAlgorithms ssh-ed25519,x",
        "PubkeyAcceptedKeyTypes x",
        "RequiredRSASize abc",
        "RequiredRSASize -1",
        "NumberOfPasswordPrompts abc",
        "PreferredAuthentications a b",
        "RevokedHostKeys a b",
        "RevokedHostKeys \"\"",
    ] {
        fs::write(&path, format!("\n{line}\n")).expect("the test writes its configuration");
        assert!(ssh_g(&path, &[], "web1").is_err(), "ssh accepts `{line}`");
        let error = resolve(&path, me, "web1", None).expect_err(line).to_string();
        let at = 2 + line.matches('\n').count();
        assert!(error.starts_with(&format!("{}:{at}: ", path.display())), "{error}");
    }
    fs::write(&path, "\u{feff}Host web1\n Port 2222\n").expect("the test writes its configuration");
    assert!(ssh_g(&path, &[], "web1").is_err(), "ssh accepts a byte order mark");
    let error = resolve(&path, me, "web1", None).expect_err("the file has a byte order mark").to_string();
    assert!(
        error.ends_with("config:1: the file starts with a byte order mark (BOM): save it as UTF-8 without a BOM"),
        "{error}"
    );
}
