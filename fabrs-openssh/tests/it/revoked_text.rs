//! Comparisons of text revocation lists with `ssh-keygen -Y verify -r`.

use fabrs_openssh::revoked::{Revocation, RevokedKeys};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::keyring::{Keyring, Signature};

#[test]
fn text_lists_revoke_keys_and_authorities_as_in_ssh() {
    let keyring = Keyring::new();
    let (key, authority) = (keyring.key("key", &["ecdsa"]), keyring.key("ca", &["ed25519"]));
    let other = keyring.key("other", &["rsa", "-b", "2048"]);
    let certificate = keyring.certify(&key, &authority, 7, "web", false);
    let other_certificate = keyring.certify(&other, &authority, 8, "web", true);
    let signatures = [
        Signature::new(&keyring, "plain", &keyring.path("key"), &key),
        Signature::new(&keyring, "certified", &keyring.path("key"), &certificate),
    ];
    let (key_line, ca_line, other_line) = (key.line(), authority.line(), other.line());
    let cut = &key_line[..key_line.len() - 4];
    let revoked_both = [Some(Revocation::Key), Some(Revocation::Key)];
    let revoked_by_authority = [None, Some(Revocation::Authority)];
    let subjects = [key, certificate];
    for (list, expected) in [
        (String::new(), Some([None, None])),
        ("# a comment\n\n \t \n".to_owned(), Some([None, None])),
        (key_line.clone(), Some(revoked_both.clone())),
        (format!("\t {} comment # here", key_line.replace(' ', " \t ")), Some(revoked_both.clone())),
        (format!("{key_line}\r\n"), Some(revoked_both.clone())),
        (format!("{other_line} old\n{key_line} older\n"), Some(revoked_both.clone())),
        (format!("{}\n", subjects[1].line()), Some(revoked_both)),
        (format!("#{key_line}\n{other_line}"), Some([None, None])),
        (format!("{ca_line}\n"), Some(revoked_by_authority)),
        (format!("{}\n", other_certificate.line()), Some([None, None])),
        (format!("no-pty {other_line}\n"), None),
        (format!("web1 {other_line}\n"), None),
        (format!("{other_line}\n\r\n"), None),
        (format!("{other_line}\nssh-ed25519\n"), None),
        (format!("{other_line}\nssh-ed25519 \n"), None),
        (format!("{}\n", other_line.replace("ssh-rsa ", "ssh-ed25519 ")), None),
        (format!("{}\n", key_line.replace("nistp256 ", "nistp384 ")), None),
        (format!("{}\n", other_line.replace("ssh-rsa ", "SSH-RSA ")), None),
        (format!("{cut}\n"), None),
        (format!("{other_line}!\n"), None),
        ("SSHKRL\n".to_owned(), None),
    ] {
        let path = keyring.write("revoked", &list);
        let revoked = RevokedKeys::load(&path);
        let found = revoked.as_ref().ok().map(|revoked| subjects.each_ref().map(|subject| subject.lookup(revoked)));
        assert_eq!(found, expected, "{list:?}: {revoked:?}");
        for (index, signature) in signatures.iter().enumerate() {
            let is_good = found.as_ref().is_some_and(|found| found[index].is_none());
            assert_eq!(signature.is_accepted(&path), is_good, "{list:?}: {:?}", subjects[index]);
        }
    }
}

#[test]
fn random_text_lists_revoke_the_same_keys() {
    let keyring = Keyring::new();
    let (key, authority) = (keyring.key("key", &["ed25519"]), keyring.key("ca", &["ed25519"]));
    let other = keyring.key("other", &["ecdsa"]);
    let certificate = keyring.certify(&key, &authority, 7, "web", false);
    let signatures = [
        Signature::new(&keyring, "plain", &keyring.path("key"), &key),
        Signature::new(&keyring, "certified", &keyring.path("key"), &certificate),
    ];
    let keys = vec![key.line(), authority.line(), other.line(), other.line(), other.line(), certificate.line()];
    let blank = || prop::sample::select(vec![" ", "  ", "\t", " \t "]);
    let before = prop::sample::select(vec!["", "", "", "", " ", "\t", "#", "no-pty ", "\r"]);
    let after = prop::sample::select(vec!["", "", " ", " a # b", "\r", "\t\r", "=", "A", "\x0b", "x\ty"]);
    let good = (before, prop::sample::select(keys), blank(), after)
        .prop_map(|(before, line, blank, after)| format!("{before}{}{after}", line.replace(' ', blank)));
    let odd = prop::sample::select(vec!["", "", " \t", "# x", "  #", "\r", "ssh-ed25519", "ssh-ed25519 AAAA", "x"]);
    let line = prop_oneof![6 => good, 1 => odd.prop_map(str::to_owned)];
    let subjects = [key, certificate];
    let config = ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&prop::collection::vec(line, 0..4), |lines| {
        let path = keyring.write("revoked", lines.join("\n"));
        let revoked = RevokedKeys::load(&path);
        for (subject, signature) in subjects.iter().zip(&signatures) {
            let is_good = revoked.as_ref().is_ok_and(|revoked| subject.lookup(revoked).is_none());
            prop_assert_eq!(signature.is_accepted(&path), is_good, "{:?}: {:?}", lines, revoked);
        }
        Ok(())
    });
    result.expect("both agree");
}
