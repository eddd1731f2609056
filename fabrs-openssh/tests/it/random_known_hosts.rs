//! Comparisons of random `known_hosts` files with `ssh-keygen`.

use std::fs;
use std::path::Path;

use fabrs_openssh::known_hosts::{HostKey, HostKeyStatus, HostName, KnownHosts, format_entry};
use proptest::prelude::*;

use crate::openssh::run;

/// Generates an Ed25519 key. Any 32 bytes are a valid key.
fn key(id: u8) -> HostKey {
    let blob = [&b"\0\0\0\x0bssh-ed25519\0\0\0\x20"[..], &[id; 32]].concat();
    HostKey::from_blob(blob).expect("the key is well formed")
}

/// The names to look up.
fn lookup_names() -> Vec<HostName> {
    let named =
        [("web1", 22), ("WEB1", 22), ("web2", 2222), ("web1", 2222), ("bad.example.com", 22), ("a.example.com", 22)];
    let addresses = [("10.0.0.1", 22), ("::1", 22), ("::1", 2222), ("fe80::1%eth0", 22)];
    named.iter().chain(&addresses).map(|(host, port)| HostName::new(host, *port)).collect()
}

/// Generates typical lines and malformed lines. Lines with a tab after a marker are excluded,
/// because `ssh-keygen` and `ssh` read these lines differently.
fn line() -> impl Strategy<Value = String> {
    let pattern = prop::sample::select(vec![
        "web1",
        "WEB1",
        "web?",
        "*",
        "w*1",
        "!web1",
        "!web2",
        "*.example.com",
        "!bad.example.com",
        "[web1]:2222",
        "[web?]:*",
        "10.0.0.1",
        "10.0.0.*",
        "::1",
        "[::1]:2222",
        "fe80::1%eth0",
        "web[12]",
        "!*",
        "",
    ]);
    let hashed = (0..lookup_names().len(), any::<[u8; 20]>()).prop_map(|(n, salt)| {
        let line = format_entry(&lookup_names()[n], &key(0), Some(&salt)).expect("a plain name");
        line.split(' ').next().expect("splitting gives at least one part").to_owned()
    });
    let hosts = prop_oneof![
        4 => prop::collection::vec(pattern, 1..4).prop_map(|patterns| patterns.join(",")),
        1 => hashed,
    ];
    let blank = || prop::sample::select(vec![" ", "  ", "\t", " \t "]);
    let marker = prop::sample::select(vec!["", "", "", "@revoked ", "@cert-authority  "]);
    let end = prop::sample::select(vec!["", "\r", " a comment # here", "  ", "\tx\r"]);
    let before = prop::sample::select(vec!["", "", "  ", "\t"]);
    let good = (before, marker, hosts, blank(), 0u8..4, blank(), end).prop_map(
        |(before, marker, hosts, blank, id, other, end)| {
            let key = key(id).to_string().replace(' ', other);
            format!("{before}{marker}{hosts}{blank}{key}{end}")
        },
    );
    let odd = prop::sample::select(vec![
        "",
        "  ",
        "# web1 ssh-ed25519 AAAA",
        "web1",
        "web1 ssh-ed25519",
        "@unknown web1 ssh-ed25519 AAAA",
        "web1 1024 35 123",
        "|1|bad|bad ssh-ed25519 AAAA",
        "@revoked",
    ]);
    prop_oneof![8 => good, 1 => odd.prop_map(str::to_owned)]
}

/// Returns the numbers of the lines found by `ssh-keygen -F`.
fn found(file: &Path, name: &HostName) -> Vec<usize> {
    let file = file.to_str().expect("test directories have plain names");
    let output = run("ssh-keygen", ["-F", &name.to_string(), "-f", file]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |line: &str| line.split(" found: line ").nth(1)?.split(' ').next()?.parse().ok();
    text.lines().filter_map(number).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_files_have_the_same_lines_for_a_host(lines in prop::collection::vec(line(), 0..12), ended: bool) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("known_hosts");
        fs::write(&file, lines.join("\n") + if ended { "\n" } else { "" }).expect("the test writes its file");
        let known = KnownHosts::load([&file]).expect("the file can be read");
        // `ssh-keygen` prints a line with valid hosts and a malformed key, but no client can use
        // the line.
        let broken: Vec<usize> = known.warnings().iter().map(|warning| warning.at.line).collect();
        for name in lookup_names() {
            let ours: Vec<usize> = known.entries_for(&name).map(|entry| entry.location().line).collect();
            let mut theirs = found(&file, &name);
            theirs.retain(|line| !broken.contains(line));
            prop_assert_eq!(&ours, &theirs, "{} in {:?}", name, lines);
        }
    }

    #[test]
    fn random_files_match_after_hashing_by_ssh_keygen(lines in prop::collection::vec(line(), 0..8)) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("known_hosts");
        // `ssh-keygen` rejects a file with a malformed line, and stops at an empty pattern.
        let is_good = |line: &String| {
            let hosts = line.split([' ', '\t']).find(|word| word.contains(',')).unwrap_or_default();
            KnownHosts::parse(line, "line").warnings().is_empty() && !hosts.split(',').any(str::is_empty)
        };
        let good: Vec<String> = lines.into_iter().filter(is_good).collect();
        fs::write(&file, good.join("\n") + "\n").expect("the test writes its file");
        let before = KnownHosts::load([&file]).expect("the file can be read");
        let path = file.to_str().expect("test directories have plain names");
        let hashed = run("ssh-keygen", ["-q", "-H", "-f", path]);
        prop_assert!(hashed.status.success(), "{}", String::from_utf8_lossy(&hashed.stderr));
        let after = KnownHosts::load([&file]).expect("the file can be read");
        for name in lookup_names() {
            for id in 0..4 {
                let same = |known: &KnownHosts| std::mem::discriminant(&known.lookup(&name, &key(id)));
                prop_assert_eq!(same(&before), same(&after), "{}, key {} in {:?}", name, id, good);
            }
        }
    }

    #[test]
    fn random_files_show_the_same_fingerprints(lines in prop::collection::vec(line(), 1..8)) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("known_hosts");
        // `ssh-keygen` requires a line without a marker, with a host, and with single blanks.
        let single = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = lines.into_iter().filter(|line| !line.contains('@')).map(single);
        let plain: Vec<String> = plain.filter(|line| !line.starts_with("ssh-")).collect();
        fs::write(&file, plain.join("\n") + "\n").expect("the test writes its file");
        let known = KnownHosts::load([&file]).expect("the file can be read");
        let output = run("ssh-keygen", ["-l", "-f", file.to_str().expect("test directories have plain names")]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let theirs: Vec<&str> = text.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        let ours: Vec<String> = known.entries().map(|entry| entry.key().fingerprint()).collect();
        prop_assert_eq!(ours, theirs, "{:?}", plain);
    }
}

#[test]
fn a_hashed_name_matches_only_itself() {
    for name in lookup_names() {
        let line = format_entry(&name, &key(1), Some(&[9; 20])).expect("a plain name");
        let known = KnownHosts::parse(&line, "known_hosts");
        for other in lookup_names() {
            let status = known.lookup(&other, &key(1));
            // `WEB1` equals `web1`, and a name with a port falls back to the name without the port.
            let same = other == name || (other.to_string() == format!("[{name}]:2222"));
            assert_eq!(matches!(status, HostKeyStatus::Known { .. }), same, "{other} in {line}");
        }
    }
}
