//! Comparisons of random revocation lists with `ssh-keygen`.

use std::fs;

use fabrs_openssh::revoked::RevokedKeys;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use crate::keyring::{Keyring, Subject, revoked_by_ssh_keygen, serials, text};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

/// Two authorities, a key, and certificates of the key by both authorities.
struct Certified {
    keyring: Keyring,
    authorities: [Subject; 2],
    subjects: Vec<Subject>,
}

impl Certified {
    fn new() -> Self {
        let keyring = Keyring::new();
        let authorities = [keyring.key("ca1", &["ed25519"]), keyring.key("ca2", &["ed25519"])];
        let key = keyring.key("key", &["ecdsa"]);
        let mut subjects = Vec::new();
        for authority in &authorities {
            for serial in (0..12).chain([40, 41, 300, u64::MAX]) {
                let id = format!("web{}", serial % 4);
                subjects.push(keyring.certify(&key, authority, serial, &id, true));
            }
        }
        subjects.push(key);
        Self { keyring, authorities, subjects }
    }

    /// Returns the argument of `ssh-keygen -s`: an authority, or `none`.
    fn authority(&self, number: usize) -> &str {
        self.authorities.get(number).map_or("none", |authority| text(&authority.path))
    }

    /// Looks up all subjects. Returns `None` if the list was rejected.
    fn lookup(&self, revoked: Option<&RevokedKeys>) -> Option<Vec<bool>> {
        revoked.map(|revoked| self.subjects.iter().map(|subject| subject.lookup(revoked).is_some()).collect())
    }
}

/// Generates lines of a specification for certificates.
fn specification() -> impl Strategy<Value = String> {
    let serial = prop_oneof![6 => 1u64..50, 2 => 1u64..2000, 1 => (u64::MAX - 70)..=u64::MAX];
    let range = (1u64..60, 1u64..400).prop_map(|(first, length)| format!("serial: {first}-{}", first + length));
    let steps =
        (1u64..20, 1usize..60, 2usize..9).prop_map(|(first, count, step)| serials((first..).step_by(step).take(count)));
    let line = prop_oneof![
        6 => serial.prop_map(|serial| format!("serial: {serial}")),
        1 => range,
        1 => steps,
        1 => (0..9).prop_map(|id| format!("id: web{id}")),
    ];
    prop::collection::vec(line, 1..12).prop_map(|lines| lines.join("\n"))
}

#[test]
fn random_specifications_revoke_the_same_certificates() {
    let certified = Certified::new();
    let parts = prop::collection::vec((0usize..3, specification()), 1..4);
    let result = runner(40).run(&parts, |parts| {
        for (index, (authority, specification)) in parts.iter().enumerate() {
            certified.keyring.krl("krl", Some(certified.authority(*authority)), specification, index > 0);
        }
        let krl = certified.keyring.path("krl");
        let revoked = RevokedKeys::load(&krl).expect("the KRL of ssh-keygen can be read");
        prop_assert_eq!(certified.lookup(Some(&revoked)), revoked_by_ssh_keygen(&krl, &certified.subjects));
        Ok(())
    });
    result.expect("both agree");
}

/// Creates a KRL with all section types of `ssh-keygen`.
fn whole_krl(certified: &Certified) -> Vec<u8> {
    let odd = serials((1..150).step_by(2));
    let line = certified.authorities[1].line();
    let rest = format!("serial: 1000-90000\nserial: 7000000\nid: web1\nid: web2\nsha1: {line}\nsha256: {line}");
    certified.keyring.krl("whole", Some(certified.authority(0)), &format!("{odd}\n{rest}"), false);
    let path = certified.keyring.krl("whole", Some(certified.authority(2)), &format!("serial: 40\nkey: {line}"), true);
    fs::read(path).expect("ssh-keygen wrote the KRL")
}

/// A change of bytes at an index.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (any::<Index>(), 1usize..9).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        _ if bytes.is_empty() => {}
        Change::Replace(at, byte) => *at.get_mut(bytes) = *byte,
        Change::Insert(at, inserted) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, inserted.iter().copied());
        }
        Change::Remove(at, count) => {
            let at = at.index(bytes.len());
            bytes.drain(at..bytes.len().min(at + count));
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
    }
}

#[test]
fn a_krl_with_a_changed_byte_has_the_same_result_in_ssh_keygen() {
    let mut certified = Certified::new();
    let whole = whole_krl(&certified);
    // `ssh-keygen` verifies the signature of each certificate, so fewer subjects save time.
    certified.subjects.drain(4..28);
    // Signatures and extensions depend on the version of `ssh-keygen`, so their section types are
    // excluded.
    let byte = any::<u8>().prop_filter("section types", |byte| ![4, 0x39, 255].contains(byte));
    let result = runner(100).run(&(8..whole.len(), byte), |(at, byte)| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        let krl = certified.keyring.write("changed", &bytes);
        let revoked = RevokedKeys::load(&krl);
        let theirs = revoked_by_ssh_keygen(&krl, &certified.subjects);
        prop_assert_eq!(certified.lookup(revoked.as_ref().ok()), theirs, "byte {} is {}: {:?}", at, byte, revoked);
        Ok(())
    });
    result.expect("both agree");
}

#[test]
fn a_changed_krl_is_read_or_rejected() {
    let certified = Certified::new();
    let whole = whole_krl(&certified);
    let result = runner(5000).run(&prop::collection::vec(change(), 1..6), |changes| {
        let mut bytes = whole.clone();
        for change in &changes {
            apply(&mut bytes, change);
        }
        certified.lookup(RevokedKeys::parse(&bytes, "krl").ok().as_ref());
        Ok(())
    });
    result.expect("no list makes the parser panic");
}
