//! Logins with user certificates: named in the config, beside a key, and held by an agent.

use std::fs;
use std::path::PathBuf;

use fabrs::prelude::*;
use fabrs::{Client, Result};
use fabrs_testing::{Key, KeyType, Sshd};

use super::ssh_agent::Agent;
use crate::answers::Answers;
use crate::support::{block, client_of, refused, settings, ssh_config};

/// A server that accepts only certificates of an authority. The server's own identity file is
/// removed.
struct Place {
    sshd: Sshd,
    authority: Key,
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self::trusting(KeyType::Ed25519)
    }

    fn trusting(kind: KeyType) -> Self {
        let (authority, dir) = authority(kind);
        let trusted = authority.public_path().display().to_string();
        let sshd = Sshd::builder().option("TrustedUserCAKeys", trusted).start();
        Self::without_identity(sshd, authority, dir)
    }

    fn without_identity(sshd: Sshd, authority: Key, dir: tempfile::TempDir) -> Self {
        for half in [sshd.identity().to_owned(), sshd.identity_key().public_path()] {
            fs::remove_file(half).expect("the directory is ours");
        }
        Self { sshd, authority, dir }
    }

    fn key(&self, kind: KeyType) -> Key {
        Key::generate(self.dir.path().join(format!("key_{kind:?}")), kind, "")
    }

    /// Certifies a key for the server's user, and moves the certificate away from the key.
    fn certify_elsewhere(&self, key: &Key) -> PathBuf {
        let elsewhere = self.dir.path().join("certificate");
        fs::rename(self.certify(key), &elsewhere).expect("the directory is ours");
        elsewhere
    }

    /// Certifies a key for the server's user.
    fn certify(&self, key: &Key) -> PathBuf {
        key.certify(&self.authority, &["-n", self.sshd.user()])
    }

    fn client(&self, config: &str) -> Client {
        client_of(&self.sshd, config).build()
    }

    /// Logs in, and asserts that the login used a certificate.
    async fn log_in(&self, config: &str) -> Result<()> {
        self.client(config).connect("host")?.run("true").await?;
        let log = self.sshd.log();
        assert!(log.contains("-CERT SHA256:") && log.contains("ID fabrs-testing"), "{log}");
        Ok(())
    }
}

fn authority(kind: KeyType) -> (Key, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    (Key::generate(dir.path().join("authority"), kind, ""), dir)
}

fn identity(key: &Key) -> String {
    format!("IdentityFile {}\n", key.path().display())
}

#[tokio::test]
async fn a_certificate_beside_a_key_of_any_kind_logs_in() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let place = Place::new();
        let key = place.key(kind);
        place.certify(&key);
        place.log_in(&identity(&key)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_an_authority_of_any_kind_logs_in() -> Result<()> {
    for kind in [KeyType::Ecdsa, KeyType::Rsa] {
        let place = Place::trusting(kind);
        let key = place.key(KeyType::Ed25519);
        place.certify(&key);
        place.log_in(&identity(&key)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_is_named_logs_in_with_the_key_that_it_is_for() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Rsa] {
        let place = Place::new();
        let (other, key) = (place.key(KeyType::Ecdsa), place.key(kind));
        let certificate = place.certify_elsewhere(&key);
        let config = format!("{}{}CertificateFile {}\n", identity(&other), identity(&key), certificate.display());
        place.log_in(&config).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_authority_in_authorized_keys_lets_in_by_its_principals() -> Result<()> {
    let (authority, dir) = authority(KeyType::Ed25519);
    let line = format!("cert-authority,principals=\"deployers\" {}", authority.public());
    let place = Place::without_identity(Sshd::builder().authorized_keys_line(line).start(), authority, dir);
    let key = place.key(KeyType::Ed25519);
    key.certify(&place.authority, &["-n", "deployers"]);
    place.log_in(&identity(&key)).await
}

#[tokio::test]
async fn a_certificate_that_the_agent_holds_logs_in() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let place = Place::new();
        let key = place.key(kind);
        place.certify(&key);
        // `ssh-add` also loads the certificate beside a key.
        let agent = Agent::holding(&[&key], &place.sshd);
        place.log_in(&format!("IdentitiesOnly no\n{}", agent.line())).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_the_agent_that_no_file_names_is_not_offered_where_only_identities_are() -> Result<()> {
    let place = Place::new();
    let key = place.key(KeyType::Ed25519);
    let certificate = place.certify(&key);
    let agent = Agent::holding(&[&key], &place.sshd);
    let error = refused(place.client(&agent.line()).connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(!block(&error).contains("of the agent"), "{error:?}");
    // A file that names the certificate is enough. The agent holds the private key.
    fs::remove_file(key.path()).expect("the directory is ours");
    place.log_in(&format!("CertificateFile {}\n{}", certificate.display(), agent.line())).await
}

#[tokio::test]
async fn the_agent_signs_for_a_certificate_in_a_file_whose_plain_key_it_holds() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Rsa] {
        let place = Place::new();
        let key = place.key(kind);
        let agent = Agent::holding(&[&key], &place.sshd);
        let certificate = place.certify(&key);
        fs::remove_file(key.path()).expect("the directory is ours");
        for config in [identity(&key), format!("CertificateFile {}\n", certificate.display())] {
            place.log_in(&format!("{config}{}", agent.line())).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_passphrase_of_a_key_with_a_certificate_is_asked_for_once_and_only_where_it_is_taken() -> Result<()> {
    let place = Place::new();
    let key = Key::generate(place.dir.path().join("locked"), KeyType::Rsa, "let me in");
    place.certify(&key);
    let answers = Answers::new(["let me in"]);
    let client = client_of(&place.sshd, &identity(&key)).prompter(answers.clone()).build();
    client.connect("host")?.run("true").await?;
    assert_eq!(answers.asked(), [format!("passphrase for `{}`: ", key.path().display())]);

    key.certify(&place.authority, &["-n", "nobody-at-all"]);
    let client = client_of(&place.sshd, &identity(&key)).prompter(answers.clone()).build();
    refused(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert_eq!(answers.asked().len(), 1, "{:?}", answers.asked());
    Ok(())
}

#[tokio::test]
async fn a_key_is_offered_plain_where_its_certificate_is_refused() -> Result<()> {
    let (authority, _dir) = authority(KeyType::Ed25519);
    let sshd = Sshd::start();
    sshd.identity_key().certify(&authority, &["-n", sshd.user()]);
    client_of(&sshd, "").build().connect("host")?.run("true").await?;
    let log = sshd.log();
    assert!(log.contains("Accepted publickey") && log.contains(": ED25519 SHA256:"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_refused_login_says_what_a_server_may_dislike_about_a_certificate() -> Result<()> {
    let place = Place::new();
    let key = place.key(KeyType::Ed25519);
    let user = place.sshd.user();
    for (arguments, words) in [
        (vec!["-n", user, "-V", "20200101:20200201"], "-cert.pub` (it expired at 2020-0"),
        (vec!["-n", user, "-V", "29990101:29990201"], "-cert.pub` (it is not valid before 29"),
        (vec!["-n", "alice,bob"], "-cert.pub` (it is for `alice`, `bob`)"),
    ] {
        key.certify(&place.authority, &arguments);
        let error = refused(place.client(&identity(&key)).connect("host")?.run("true").await, ErrorKind::Auth);
        assert!(block(&error).contains(words), "{error:?}");
        assert!(block(&error).contains("the server refused the certificate `"), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_is_named_and_hides_nothing() -> Result<()> {
    let place = Place::new();
    let (key, other) = (place.key(KeyType::Ed25519), place.key(KeyType::Ecdsa));
    let name = |name: &str| place.dir.path().join(name);
    other.certify(&place.authority, &["-h", "-n", "web"]);
    fs::rename(other.certify(&place.authority, &["-h", "-n", "web"]), name("of_host")).expect("ours");
    fs::rename(place.certify(&other), name("without_key")).expect("ours");
    fs::write(name("broken"), "no certificate").expect("ours");
    let files = ["missing", "broken", "of_host", "without_key"];
    let config: String = files.map(|file| format!("CertificateFile {}\n", name(file).display())).concat();
    let error =
        refused(place.client(&(config.clone() + &identity(&key))).connect("host")?.run("true").await, ErrorKind::Auth);
    let text = block(&error);
    for (file, problem) in [
        ("missing", "no such file"),
        ("broken", "not a certificate"),
        ("of_host", "a host certificate, not a user certificate"),
        ("without_key", "no private key in a file or the agent"),
    ] {
        assert!(text.contains(&format!("`{}` ({problem}", name(file).display())), "{file}: {text}");
    }
    let good = place.certify_elsewhere(&key);
    place.log_in(&format!("{config}{}CertificateFile {}\n", identity(&key), good.display())).await
}

/// A server that closes the connection after two attempts reveals their order.
#[tokio::test]
async fn a_named_certificate_goes_first_and_one_beside_a_key_before_it_each_once() -> Result<()> {
    let (authority, dir) = authority(KeyType::Ed25519);
    let trusted = authority.public_path().display().to_string();
    let sshd = Sshd::builder().option("TrustedUserCAKeys", trusted).option("MaxAuthTries", "2").start();
    let place = Place::without_identity(sshd, authority, dir);
    let keys = ["one", "two"].map(|name| Key::generate(place.dir.path().join(name), KeyType::Ed25519, ""));
    let good = place.certify(&keys[0]);
    place.log_in(&(identity(&keys[0]) + &identity(&keys[1]))).await?;

    let bad = keys[1].certify(&place.authority, &["-n", "nobody-at-all"]);
    let [good, bad] = [good, bad].map(|path| format!("CertificateFile {}\n", path.display()));
    let identities = identity(&keys[1]) + &identity(&keys[0]);
    place.log_in(&(format!("{bad}{bad}{good}") + &identities)).await
}

#[tokio::test]
async fn a_certificate_beside_a_key_that_was_typed_logs_in() -> Result<()> {
    let place = Place::new();
    let key = place.key(KeyType::Ed25519);
    place.certify(&key);
    let mut typed = settings(&ssh_config(&place.sshd, ""));
    typed.identities = vec![key.path().to_owned()];
    Client::builder().settings(typed).build().connect("host")?.run("true").await?;
    Ok(())
}
