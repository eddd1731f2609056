//! Comparisons of `known_hosts` lookups with `ssh-keygen`.

use std::fs;
use std::path::{Path, PathBuf};

use fabrs_openssh::known_hosts::{HostKey, HostKeyStatus, HostName, KnownHosts, format_entry};

use crate::openssh::{run, stdout};

/// A directory with keys of several types, made by `ssh-keygen`.
struct Keys {
    directory: tempfile::TempDir,
}

impl Keys {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Creates a key and returns its type and its base64 text, as in a `known_hosts` file.
    fn make(&self, name: &str, kind: &[&str]) -> String {
        let path = self.path(name);
        let arguments = ["-q", "-N", "", "-C", "test", "-f", text(&path)];
        assert!(run("ssh-keygen", arguments.iter().chain(kind)).status.success(), "ssh-keygen makes a key");
        let public = fs::read_to_string(path.with_extension("pub")).expect("ssh-keygen wrote the public key");
        public.trim_end().trim_end_matches(" test").to_owned()
    }

    fn write(&self, name: &str, lines: &[String]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, lines.join("\n") + "\n").expect("the test writes its file");
        path
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("test directories have plain names")
}

fn key(public: &str) -> HostKey {
    let known = KnownHosts::parse(&format!("host {public}"), "key");
    let entry = known.entries_for(&HostName::new("host", 22)).next().expect("the key can be read");
    entry.key().clone()
}

/// Returns the numbers of the lines found by `ssh-keygen -F`.
fn lines_found(file: &Path, name: &str) -> Vec<usize> {
    let output = run("ssh-keygen", ["-F", name, "-f", text(file)]);
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |line: &str| line.split(" found: line ").nth(1)?.split(' ').next()?.parse().ok();
    found.lines().filter_map(number).collect()
}

#[test]
fn ssh_keygen_finds_the_same_lines() {
    let keys = Keys::new();
    let ed25519 = keys.make("ed25519", &["-t", "ed25519"]);
    let ecdsa = keys.make("ecdsa", &["-t", "ecdsa"]);
    let rsa = keys.make("rsa", &["-t", "rsa", "-b", "2048"]);
    let file = keys.write(
        "known_hosts",
        &[
            "# a comment".to_owned(),
            format!("web1,10.0.0.1 {ed25519} comment here"),
            format!("  web?\t\t{rsa}"),
            format!("*.example.com,!bad.example.com {ecdsa}"),
            format!("[web1]:2222,[10.0.0.1]:* {ed25519}"),
            format!("@cert-authority *.example.com {rsa}"),
            format!("@revoked * {ecdsa}"),
            "broken".to_owned(),
            "web1 ssh-ed25519 AAAA".to_owned(),
            format!("WEB1,db1 {rsa}"),
            String::new(),
            format!("::1,fe80::1%eth0 {rsa}"),
        ],
    );
    let known = KnownHosts::load([&file]).expect("the file can be read");
    assert_eq!(known.warnings().iter().map(|warning| warning.at.line).collect::<Vec<_>>(), [8, 9]);
    for (host, port) in [
        ("web1", 22),
        ("web2", 22),
        ("web10", 22),
        ("db1", 22),
        ("a.example.com", 22),
        ("bad.example.com", 22),
        ("web1", 2222),
        ("web2", 2222),
        ("10.0.0.1", 22),
        ("10.0.0.1", 2223),
        ("a.example.com", 2222),
        ("::1", 22),
    ] {
        let name = HostName::new(host, port);
        let ours: Vec<usize> = known.entries_for(&name).map(|entry| entry.location().line).collect();
        // `ssh-keygen` also prints a line with a malformed key, but no client can use the line.
        let theirs: Vec<usize> = lines_found(&file, &name.to_string()).into_iter().filter(|line| *line != 9).collect();
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn names_hashed_by_ssh_keygen_are_found() {
    let keys = Keys::new();
    let ed25519 = keys.make("ed25519", &["-t", "ed25519"]);
    let file = keys.write("known_hosts", &[format!("web1,web2 {ed25519}"), format!("[db1]:2222 {ed25519}")]);
    assert!(run("ssh-keygen", ["-q", "-H", "-f", text(&file)]).status.success(), "ssh-keygen hashes the file");
    assert!(!fs::read_to_string(&file).expect("the file can be read").contains("web1"));
    let known = KnownHosts::load([&file]).expect("the file can be read");
    for name in [HostName::new("web1", 22), HostName::new("WEB2", 22), HostName::new("db1", 2222)] {
        assert!(matches!(known.lookup(&name, &key(&ed25519)), HostKeyStatus::Known { .. }), "{name}");
        assert_eq!(known.algorithms_for(&name), ["ssh-ed25519"]);
    }
    assert_eq!(known.lookup(&HostName::new("db1", 22), &key(&ed25519)), HostKeyStatus::Unknown);
}

#[test]
fn formatted_lines_are_found_by_ssh_keygen() {
    let keys = Keys::new();
    let ed25519 = key(&keys.make("ed25519", &["-t", "ed25519"]));
    let names =
        [HostName::new("Web1", 22), HostName::new("web1", 2222), HostName::new("::1", 22), HostName::alias("shop")];
    for salt in [None, Some([0xa5; 20])] {
        let lines: Vec<String> =
            names.iter().map(|name| format_entry(name, &ed25519, salt.as_ref()).expect("a plain name")).collect();
        let file = keys.write("known_hosts", &lines);
        for (index, name) in names.iter().enumerate() {
            assert_eq!(lines_found(&file, &name.to_string()), [index + 1], "{name}");
        }
    }
}

#[test]
fn fingerprints_are_those_of_ssh_keygen() {
    let keys = Keys::new();
    for (name, kind) in [
        ("ed25519", &["-t", "ed25519"][..]),
        ("ecdsa", &["-t", "ecdsa", "-b", "384"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
    ] {
        let public = keys.make(name, kind);
        let shown = stdout(&run("ssh-keygen", ["-l", "-f", text(&keys.path(name))])).expect("ssh-keygen shows the key");
        let fingerprint = shown.split(' ').nth(1).expect("the fingerprint is the second word");
        assert_eq!(key(&public).fingerprint(), fingerprint, "{name}");
        assert_eq!(key(&public).to_string(), public, "{name}");
    }
}

#[test]
fn several_files_form_a_single_list_and_missing_files_are_skipped() {
    let keys = Keys::new();
    let ed25519 = keys.make("ed25519", &["-t", "ed25519"]);
    let first = keys.write("first", &[format!("web1 {ed25519}")]);
    let second = keys.write("second", &[String::new(), format!("@revoked web1 {ed25519}")]);
    let known = KnownHosts::load([first, keys.path("missing"), second.clone()]).expect("the files can be read");
    match known.lookup(&HostName::new("web1", 22), &key(&ed25519)) {
        HostKeyStatus::Revoked { at } => assert_eq!(at.to_string(), format!("{}:2", second.display())),
        status => panic!("the key is revoked: {status:?}"),
    }
    assert!(KnownHosts::load([keys.directory.path()]).is_err(), "a directory is not a `known_hosts` file");
}
