//! Property tests: no input makes a parser panic.

use fabrs_openssh::certificate::{HostCertificate, Validity};
use fabrs_openssh::config::{JumpHost, Query, SshConfig};
use fabrs_openssh::known_hosts::{CertificateStatus, HostKey, HostName, KnownHosts, format_entry};
use fabrs_openssh::revoked::RevokedKeys;
use proptest::prelude::*;

/// Generates text similar to a configuration, to pass the first checks of the parser.
fn configuration() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Host",
        "Match",
        "all",
        "final",
        "host",
        "User",
        "Port",
        "HostName",
        "IdentityFile",
        "ProxyJump",
        "ConnectTimeout",
        "IgnoreUnknown",
        "Include",
        "UserKnownHostsFile",
        "none",
        "22",
        "%h",
        "%",
        "${",
        "${A}",
        "~",
        "~/x",
        "*",
        "!",
        "!*",
        "=",
        "\"",
        "'",
        "\\",
        "#",
        " ",
        "\t",
        "\n",
        "\n",
        "\r\n",
        "\0",
        "ü",
        "99999999999w",
        ",",
        "[",
        "]",
        "@",
        ":",
    ]);
    prop::collection::vec(prop_oneof![9 => word.prop_map(str::to_owned), 1 => any::<String>()], 0..40)
        .prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_configuration_is_read_or_rejected(text in configuration(), host in "\\PC{0,12}") {
        let env = |name: &str| (name == "A").then(|| "%h".to_owned());
        if let Ok(config) = SshConfig::parse(&text, "config") {
            let _ = config.resolve(&Query::new(host, "alice", "/home/alice").env(&env));
        }
    }

    #[test]
    fn any_text_is_read_or_rejected(text in any::<String>()) {
        let _ = SshConfig::parse(&text, "config");
        let _ = text.parse::<JumpHost>();
    }

    #[test]
    fn any_revocation_list_is_read_or_rejected(bytes: Vec<u8>, sections: Vec<(u8, Vec<u8>)>, blob: Vec<u8>) {
        let mut krl = [&b"SSHKRL\n\0\0\0\0\x01"[..], &[0; 32]].concat();
        for (kind, section) in sections {
            krl.push(kind % 6);
            krl.extend(u32::try_from(section.len()).expect("a short section").to_be_bytes());
            krl.extend(section);
        }
        let key = HostKey::from_blob([&b"\0\0\0\x0bssh-ed25519\0"[..], &blob].concat()).expect("the key has a type");
        for bytes in [&bytes, &krl, &[&krl[..44], &bytes].concat()] {
            if let Ok(revoked) = RevokedKeys::parse(bytes, "revoked") {
                let _ = revoked.lookup_key(&key);
            }
        }
    }

    #[test]
    fn any_known_hosts_text_is_read(
        text in "([@|*?!,# \t\n\\[\\]:=a-z0-9]|ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg=|@revoked |\\|1\\||\\PC){0,60}",
        host in any::<String>(),
        port: u16,
        blob in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let known = KnownHosts::parse(&text, "known_hosts");
        let name = HostName::new(host, port);
        let _ = known.authorities_for(&name);
        if let Ok(key) = HostKey::from_blob(blob) {
            let _ = known.lookup(&name, &key);
        }
    }

    #[test]
    fn any_certificate_has_a_status(
        principals in prop::collection::vec(any::<String>(), 0..12),
        host in any::<String>(),
        (from, until, now) in any::<(u64, u64, u64)>(),
        is_for_host in any::<bool>(),
        critical_options in prop::collection::vec(any::<String>(), 0..3),
        signature_algorithm in any::<String>(),
        lists in "[-+^]?([a-z0-9-]{0,12},?){0,4}",
    ) {
        let key = HostKey::from_blob(*b"\0\0\0\x0bssh-ed25519\0\0\0\x01x").expect("a key");
        let known = KnownHosts::parse(&format!("@cert-authority * {key}"), "known_hosts");
        let validity = Validity { from, until };
        let shown = HostCertificate {
            authority: key.clone(), key, serial: 1, key_id: host.clone(), is_for_host, principals, validity, critical_options, signature_algorithm,
        };
        let status = known.check_certificate(&HostName::new(host, 22), &shown, now, std::slice::from_ref(&shown.signature_algorithm));
        if let CertificateStatus::Invalid { problem, .. } = status {
            prop_assert!(!problem.to_string().contains(char::is_control));
        }
        let _ = SshConfig::parse(&format!("CASignatureAlgorithms {lists}"), "config");
    }

    #[test]
    fn a_recorded_key_is_found_again(host in "\\PC{1,20}", port in 1..u16::MAX, id: u8, salt: Option<[u8; 20]>) {
        let key = HostKey::from_blob([b"\0\0\0\x0bssh-ed25519\0\0\0\x01".as_slice(), &[id]].concat()).expect("a key");
        let name = HostName::new(host, port);
        if let Ok(line) = format_entry(&name, &key, salt.as_ref()) {
            let known = KnownHosts::parse(&line, "known_hosts");
            prop_assert_eq!(known.algorithms_for(&name), vec!["ssh-ed25519"]);
        }
    }
}
