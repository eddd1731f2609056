//! Comparisons of revocation lists with `ssh-keygen`.

use std::fs;
use std::path::Path;

use fabrs_openssh::Error;
use fabrs_openssh::known_hosts::HostKey;
use fabrs_openssh::revoked::{Revocation, RevokedKeys};

use crate::keyring::{Keyring, Subject, revoked_by_ssh_keygen, serials, text};
use crate::openssh::run;

/// Key types, and true for types supported by every `ssh-keygen`.
const KINDS: [(&str, &[&str], bool); 7] = [
    ("ed25519", &["ed25519"], true),
    ("ecdsa256", &["ecdsa", "-b", "256"], true),
    ("ecdsa384", &["ecdsa", "-b", "384"], true),
    ("ecdsa521", &["ecdsa", "-b", "521"], true),
    ("rsa", &["rsa", "-b", "2048"], true),
    ("dsa", &["dsa"], false),
    ("mldsa", &["mldsa44-ed25519"], false),
];

// Section types of a KRL.
const SERIAL_LIST: u8 = 0x20;
const SERIAL_RANGE: u8 = 0x21;
const SERIAL_BITMAP: u8 = 0x22;
const KEY_IDS: u8 = 0x23;

/// Creates a key of each type. Security keys have invented key data, because no device is
/// available.
fn keys_of_all_types(keyring: &Keyring) -> Vec<Subject> {
    let mut keys: Vec<Subject> = KINDS
        .iter()
        .filter_map(|(name, kind, always)| match always {
            true => Some(keyring.key(name, kind)),
            false => keyring.try_key(name, kind),
        })
        .collect();
    // The point of an ECDSA key follows the names of its type and curve.
    let point = &keys[1].key.blob()[35..];
    for (name, blob) in [
        ("sk-ed25519", [b"\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0\x20", &[7; 32][..], b"\0\0\0\x04ssh:"].concat()),
        ("sk-ecdsa", [b"\0\0\0\x22sk-ecdsa-sha2-nistp256@openssh.com\0\0\0\x08nistp256", point, b"\0\0\0\0"].concat()),
    ] {
        let key = HostKey::from_blob(blob).expect("the key is well formed");
        keys.push(keyring.public_key(name, &key));
    }
    keys
}

/// Asserts that a KRL revokes the same subjects in this crate and in `ssh-keygen`, and returns
/// their number.
#[track_caller]
fn agree(krl: &Path, subjects: &[Subject]) -> usize {
    let theirs = revoked_by_ssh_keygen(krl, subjects).expect("ssh-keygen reads its own KRL");
    let revoked = RevokedKeys::load(krl).expect("the KRL of ssh-keygen can be read");
    for (subject, expected) in subjects.iter().zip(&theirs) {
        let ours = subject.lookup(&revoked);
        assert_eq!(ours.is_some(), *expected, "{ours:?} in {}: {subject:?}", krl.display());
    }
    theirs.iter().filter(|is_revoked| **is_revoked).count()
}

/// Returns the subsection types in the certificate sections of a KRL.
fn certificate_sections(krl: &Path) -> Vec<u8> {
    let bytes = fs::read(krl).expect("ssh-keygen wrote the KRL");
    let string = |at: &mut usize| {
        let length = u32::from_be_bytes(bytes[*at..*at + 4].try_into().expect("four bytes"));
        *at += 4 + length as usize;
    };
    let (mut at, mut kinds) = (36, Vec::new());
    string(&mut at);
    string(&mut at);
    while at < bytes.len() {
        let mut inner = at + 5;
        let is_certificates = bytes[at] == 1;
        at += 1;
        string(&mut at);
        if is_certificates {
            string(&mut inner);
            string(&mut inner);
            while inner < at {
                kinds.push(bytes[inner]);
                inner += 1;
                string(&mut inner);
            }
        }
    }
    kinds
}

#[test]
fn keys_of_every_type_are_revoked_by_themselves_and_by_their_fingerprints() {
    let keyring = Keyring::new();
    let authority = keyring.key("authority", &["ed25519"]);
    let mut subjects = keys_of_all_types(&keyring);
    for serial in 0..subjects.len() {
        let certificate = keyring.certify(&subjects[serial], &authority, serial as u64, "web", true);
        subjects.push(certificate);
    }
    let keys = subjects.len() / 2;
    for index in 0..keys {
        let line = subjects[index].line();
        let shown = run("ssh-keygen", ["-l", "-f", text(&subjects[index].path)]);
        let fingerprint = String::from_utf8_lossy(&shown.stdout).into_owned();
        let fingerprint = fingerprint.split(' ').nth(1).expect("the fingerprint is the second word");
        for specification in [
            line.clone(),
            format!("key: {line}"),
            format!("sha1: {line}"),
            format!("sha256: {line}"),
            format!("hash: {fingerprint}"),
        ] {
            let krl = keyring.krl("krl", None, &specification, false);
            assert_eq!(agree(&krl, &subjects), 2, "the key and its certificate: {specification}");
            let revoked = RevokedKeys::load(&krl).expect("the KRL can be read");
            assert_eq!(subjects[index].lookup(&revoked), Some(Revocation::Key));
            assert_eq!(subjects[keys + index].lookup(&revoked), Some(Revocation::Key));
        }
    }
}

#[test]
fn certificates_of_every_type_are_revoked_with_their_authority() {
    let keyring = Keyring::new();
    let authorities = [
        keyring.key("ed25519-ca", &["ed25519"]),
        keyring.key("ecdsa-ca", &["ecdsa"]),
        keyring.key("rsa-ca", &["rsa", "-b", "2048"]),
    ];
    let mut subjects = keys_of_all_types(&keyring);
    let keys = subjects.len();
    for index in 0..keys {
        for (serial, authority) in (1..).zip(&authorities) {
            subjects.push(keyring.certify(&subjects[index], authority, serial, "web", true));
        }
    }
    for authority in &authorities {
        for kind in ["key", "sha1", "sha256"] {
            let krl = keyring.krl("krl", None, &format!("{kind}: {}", authority.line()), false);
            assert_eq!(agree(&krl, &subjects), keys, "one certificate of each key");
            let revoked = RevokedKeys::load(&krl).expect("the KRL can be read");
            let is_authority = |subject: &Subject| subject.lookup(&revoked) == Some(Revocation::Authority);
            assert_eq!(subjects.iter().filter(|subject| is_authority(subject)).count(), keys);
            assert_eq!(revoked.lookup_key(&authority.key), Some(Revocation::Key));
        }
        for (specification, count) in [("serial: 1-3", keys), ("id: web", keys), ("serial: 4", 0), ("id: db", 0)] {
            let krl = keyring.krl("krl", Some(text(&authority.path)), specification, false);
            assert_eq!(agree(&krl, &subjects), count, "{specification}");
        }
    }
}

#[test]
fn a_certificate_in_a_specification_revokes_its_serial_or_else_its_key_id() {
    let keyring = Keyring::new();
    let (key, authority) = (keyring.key("key", &["ed25519"]), keyring.key("ca", &["ecdsa"]));
    let certify = |serial, key_id| keyring.certify(&key, &authority, serial, key_id, true);
    let subjects = [certify(0, "web1"), certify(0, "web2"), certify(7, "web1"), certify(8, "web1"), certify(7, "web3")];
    for (index, expected) in [(0, vec![0, 2, 3]), (2, vec![2, 4])] {
        let krl = keyring.krl("krl", None, &subjects[index].line(), false);
        agree(&krl, &subjects);
        let revoked = RevokedKeys::load(&krl).expect("the KRL can be read");
        let found = subjects.iter().enumerate().filter(|(_, subject)| subject.lookup(&revoked).is_some());
        assert_eq!(found.map(|(index, _)| index).collect::<Vec<_>>(), expected);
    }
}

/// Creates certificates of a key by one authority, with serial numbers at the limits of ranges and
/// bitmaps.
fn certificates(keyring: &Keyring, key: &Subject, authority: &Subject) -> Vec<Subject> {
    let serials = (0..=17).chain([63, 64, 65, 255, 256, 257, 999, 1000, 1001, 1 << 32, u64::MAX - 1, u64::MAX]);
    serials.map(|serial| keyring.certify(key, authority, serial, &format!("web{}", serial % 5), true)).collect()
}

#[test]
fn serials_are_revoked_by_list_range_and_bitmap() {
    let keyring = Keyring::new();
    let (key, authority) = (keyring.key("key", &["ed25519"]), keyring.key("ca", &["ed25519"]));
    let other = keyring.key("other-ca", &["ed25519"]);
    let mut subjects = certificates(&keyring, &key, &authority);
    subjects.push(keyring.certify(&key, &other, 7, "web1", true));
    subjects.push(key);
    let (odd, thirds) = (serials((1..600).step_by(2)), serials((u64::MAX - 900..=u64::MAX).step_by(3)));
    for (specification, kind) in [
        ("serial: 7", SERIAL_LIST),
        ("serial: 0x7", SERIAL_LIST),
        ("serial: 18446744073709551615", SERIAL_LIST),
        ("serial: 1\nserial: 4294967296\nserial: 18446744073709551614", SERIAL_LIST),
        ("serial: 1-1000", SERIAL_RANGE),
        ("serial: 64-18446744073709551615", SERIAL_RANGE),
        ("serial: 1-18446744073709551615", SERIAL_RANGE),
        (&odd, SERIAL_BITMAP),
        (&thirds, SERIAL_BITMAP),
        ("id: web1\nid: web3", KEY_IDS),
    ] {
        for authority in [text(&authority.path), text(&other.path), "none"] {
            let krl = keyring.krl("krl", Some(authority), specification, false);
            assert!(certificate_sections(&krl).contains(&kind), "{specification}: {:?}", certificate_sections(&krl));
            let count = agree(&krl, &subjects);
            let is_unmatched_other_authority = authority == text(&other.path) && count == 0;
            assert!(count > 0 || is_unmatched_other_authority, "{specification}");
        }
    }
}

#[test]
fn a_list_for_several_authorities_keeps_them_apart() {
    let keyring = Keyring::new();
    let key = keyring.key("key", &["ed25519"]);
    let authorities =
        [keyring.key("ca1", &["ed25519"]), keyring.key("ca2", &["ecdsa"]), keyring.key("ca3", &["ed25519"])];
    let mut subjects: Vec<Subject> =
        authorities.iter().flat_map(|authority| certificates(&keyring, &key, authority)).collect();
    subjects.push(key);
    keyring.krl("krl", Some(text(&authorities[0].path)), "serial: 1-3\nserial: 9\nid: web4", false);
    keyring.krl("krl", Some(text(&authorities[1].path)), "serial: 5-12\nserial: 4294967296", true);
    keyring.krl("krl", Some(text(&authorities[0].path)), "serial: 1000", true);
    let krl = keyring.krl("krl", Some("none"), "serial: 64\nid: web0", true);
    assert!(agree(&krl, &subjects) > 0);
    let revoked = RevokedKeys::load(&krl).expect("the KRL can be read");
    let found = |index: usize| subjects[index].lookup(&revoked);
    assert_eq!(found(0), Some(Revocation::KeyId("web0".to_owned())));
    assert_eq!(found(3), Some(Revocation::Serial(3)));
    assert_eq!(found(6), None);
    assert_eq!(found(9), Some(Revocation::KeyId("web4".to_owned())));
}

#[test]
fn revoking_serials_of_an_authority_does_not_revoke_its_key() {
    let keyring = Keyring::new();
    let authority = keyring.key("ca", &["ed25519"]);
    let certificate = keyring.certify(&authority, &authority, 7, "self", true);
    let krl = keyring.krl("krl", Some(text(&authority.path)), "serial: 7", false);
    let subjects = [authority, certificate];
    assert_eq!(agree(&krl, &subjects), 1, "the plain key is still good");
}

#[test]
fn a_certificate_as_an_authority_is_an_error() {
    let keyring = Keyring::new();
    let authority = keyring.key("ca", &["ed25519"]);
    let certificate = keyring.certify(&authority, &authority, 7, "self", false);
    let krl = keyring.krl("krl", Some(text(&certificate.path)), "serial: 7", false);
    // `ssh-keygen` accepts the list, but matches no certificate.
    assert_eq!(revoked_by_ssh_keygen(&krl, &[certificate]), Some(vec![false]));
    let error = RevokedKeys::load(&krl).expect_err("the list would revoke nothing");
    assert!(error.to_string().ends_with("invalid key revocation list: an authority key is a certificate"), "{error}");
}

#[test]
fn missing_and_unreadable_files_are_errors() {
    let keyring = Keyring::new();
    for path in [keyring.path("missing"), keyring.path("")] {
        let error = RevokedKeys::load(&path).expect_err("there is no such file");
        assert!(matches!(error, Error::Read { .. }), "{error}");
    }
}

#[test]
fn a_file_beyond_the_limit_of_ssh_is_an_error() {
    let keyring = Keyring::new();
    let path = keyring.write("revoked", "# large\n");
    let file = fs::File::options().write(true).open(&path).expect("the test wrote the file");
    file.set_len((128 << 20) + 1).expect("a file with a hole");
    let error = RevokedKeys::load(&path).expect_err("the file is too large");
    assert!(matches!(error, Error::Read { .. }), "{error}");
}
