//! Comparisons of random `ssh_config` files with `ssh -G`.

use std::fs;

use proptest::prelude::*;

use crate::compare::{as_ssh_output, normalized, resolve};
use crate::openssh::{LocalUser, ssh_g};

/// Generates meaningful lines, and malformed lines rejected by `ssh` as well. Lines with a
/// different meaning in different versions of `ssh` are excluded: `ProxyJump none` next to a
/// `ProxyCommand`, and `%C` behind a jump host.
fn line() -> impl Strategy<Value = String> {
    let hosts = || prop::sample::select(vec!["web1", "web*", "db?", "*", "!web1", "*.example.com", "Web1", "x.y"]);
    let files = || prop::sample::select(vec!["/k/a", "/k/b", "none", "\"/k/c d\"", "/k/e\\ f"]);
    let flag = || prop::sample::select(vec!["yes", "no", "TRUE", "false", "off"]);
    let criterion = prop_oneof![
        prop::sample::select(vec!["host", "originalhost", "!host"])
            .prop_flat_map(move |name| hosts().prop_map(move |host| format!("{name} {host}"))),
        prop::sample::select(vec![
            "user root",
            "!user root",
            "localuser *",
            "final",
            "!final",
            "canonical",
            "exec true",
            "!exec true",
            "exec \"test %n = web1\""
        ])
        .prop_map(str::to_owned),
    ];
    let blank = prop::sample::select(vec![" ", "\t", "=", " = "]);
    let setting = prop_oneof![
        prop::sample::select(vec!["root", "alice", "\"a b\""]).prop_map(|user| ("User", user.to_owned())),
        prop::sample::select(vec!["22", "2222", "65535"]).prop_map(|port| ("Port", port.to_owned())),
        prop::sample::select(vec!["%h.example.com", "db1", "X.Y", "10.0.0.1"])
            .prop_map(|name| ("HostName", name.to_owned())),
        files().prop_map(|file| ("IdentityFile", file.to_owned())),
        (files(), prop::sample::select(vec!["/k/g", "# all"]))
            .prop_map(|(a, b)| ("UserKnownHostsFile", format!("{a} {b}"))),
        files().prop_map(|file| ("GlobalKnownHostsFile", file.to_owned())),
        flag().prop_map(|flag| ("StrictHostKeyChecking", flag.to_owned())),
        flag().prop_map(|flag| ("IdentitiesOnly", flag.to_owned())),
        flag().prop_map(|flag| ("PasswordAuthentication", flag.to_owned())),
        prop::sample::select(vec!["jump", "a@jump:23,b"]).prop_map(|jump| ("ProxyJump", jump.to_owned())),
        prop::sample::select(vec!["nc %h %p", "none"]).prop_map(|command| ("ProxyCommand", command.to_owned())),
        prop::sample::select(vec!["5", "1m", "none", "0"]).prop_map(|time| ("ConnectTimeout", time.to_owned())),
        files().prop_map(|file| ("CertificateFile", file.to_owned())),
        prop::sample::select(vec!["+ssh-rsa", "-ecdsa*", "ssh-ed25519,rsa*"])
            .prop_map(|list| ("CASignatureAlgorithms", list.to_owned())),
        prop::sample::select(vec!["+aes128-cbc", "-*gcm*", "^aes256-ctr", "aes128-ctr"])
            .prop_map(|list| ("Ciphers", list.to_owned())),
        prop::sample::select(vec!["+ssh-rsa", "-*cert*", "^rsa*", "ssh-*"])
            .prop_map(|list| ("HostKeyAlgorithms", list.to_owned())),
        prop::sample::select(vec!["/run/%i", "/run/%l-%p", "/run/%k-%L"])
            .prop_map(|agent| ("IdentityAgent", agent.to_owned())),
        prop::sample::select(vec!["Shop", "web1"]).prop_map(|alias| ("HostKeyAlias", alias.to_owned())),
    ];
    prop_oneof![
        15 => prop::collection::vec(hosts(), 1..4).prop_map(|hosts| format!("Host {}", hosts.join(" "))),
        15 => prop::collection::vec(criterion, 1..3).prop_map(|criteria| format!("Match {}", criteria.join(" "))),
        40 => (setting, blank).prop_map(|((name, value), blank)| format!("  {name}{blank}{value}")),
        6 => prop::sample::select(vec!["", "# Port 1", "Match all", "Host web1 # Port 1"]).prop_map(str::to_owned),
        // The rate of malformed lines is low, because a malformed line makes the whole file
        // invalid.
        1 => prop::sample::select(vec!["Port x", "User a b", "Match user", "HostKeyAlias \"\"", "ConnectTimeout 1x",
            "Hsot web1", "Ciphers aes*"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_files_resolve_like_in_ssh(
        lines in prop::collection::vec(line(), 0..12),
        host in prop::sample::select(vec!["web1", "db1", "web1.example.com", "Web1"]),
    ) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("config");
        fs::write(&path, lines.join("\n")).expect("the test writes its configuration");
        let me = LocalUser::get();
        let theirs = ssh_g(&path, &[], host);
        match resolve(&path, me, host, None) {
            Ok(ours) => {
                let ours = as_ssh_output(&ours, me);
                let theirs = theirs.map_err(TestCaseError::fail)?;
                prop_assert_eq!(&ours, &normalized(theirs, &ours, me));
            }
            Err(error) => prop_assert!(theirs.is_err(), "ssh accepts the file: {}", error),
        }
    }
}
