//! Logins with user certificates: named in the config, beside a key, and held by an agent.

use std::fs;
use std::path::PathBuf;

use fabrs::prelude::*;
use fabrs::{Client, Result};
use fabrs_testing::{Key, KeyType, SshAgent, Sshd};

use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{client_of, error_text, expect_error, settings, ssh_config};

/// A server that accepts only certificates of an authority. The server's own identity file is
/// removed.
struct CertificateFixture {
    sshd: Sshd,
    authority: Key,
    dir: tempfile::TempDir,
}

impl CertificateFixture {
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
    fn certify_to_another_path(&self, key: &Key) -> PathBuf {
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
    async fn assert_certificate_login(&self, config: &str) -> Result<()> {
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
async fn a_certificate_beside_a_key_of_any_type_logs_in() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let fixture = CertificateFixture::new();
        let key = fixture.key(kind);
        fixture.certify(&key);
        fixture.assert_certificate_login(&identity(&key)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_an_authority_of_any_type_logs_in() -> Result<()> {
    for kind in [KeyType::Ecdsa, KeyType::Rsa] {
        let fixture = CertificateFixture::trusting(kind);
        let key = fixture.key(KeyType::Ed25519);
        fixture.certify(&key);
        fixture.assert_certificate_login(&identity(&key)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_named_certificate_logs_in_with_its_key() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Rsa] {
        let fixture = CertificateFixture::new();
        let (other, key) = (fixture.key(KeyType::Ecdsa), fixture.key(kind));
        let certificate = fixture.certify_to_another_path(&key);
        let config = format!("{}{}CertificateFile {}\n", identity(&other), identity(&key), certificate.display());
        fixture.assert_certificate_login(&config).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_authority_in_authorized_keys_accepts_its_principals() -> Result<()> {
    let (authority, dir) = authority(KeyType::Ed25519);
    let line = format!("cert-authority,principals=\"deployers\" {}", authority.public());
    let fixture =
        CertificateFixture::without_identity(Sshd::builder().authorized_keys_line(line).start(), authority, dir);
    let key = fixture.key(KeyType::Ed25519);
    key.certify(&fixture.authority, &["-n", "deployers"]);
    fixture.assert_certificate_login(&identity(&key)).await
}

#[tokio::test]
async fn a_certificate_held_by_the_agent_logs_in() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let fixture = CertificateFixture::new();
        let key = fixture.key(kind);
        fixture.certify(&key);
        // `ssh-add` also loads the certificate beside a key.
        let agent = SshAgent::holding(&[&key], fixture.sshd.dir());
        fixture.assert_certificate_login(&format!("IdentitiesOnly no\n{}", agent.line())).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_unnamed_agent_certificate_is_not_offered_with_identities_only() -> Result<()> {
    let fixture = CertificateFixture::new();
    let key = fixture.key(KeyType::Ed25519);
    let certificate = fixture.certify(&key);
    let agent = SshAgent::holding(&[&key], fixture.sshd.dir());
    let error = expect_error(fixture.client(&agent.line()).connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(!error_text(&error).contains("of the agent"), "{error:?}");
    // A file that names the certificate is enough. The agent holds the private key.
    fs::remove_file(key.path()).expect("the directory is ours");
    fixture.assert_certificate_login(&format!("CertificateFile {}\n{}", certificate.display(), agent.line())).await
}

#[tokio::test]
async fn the_agent_signs_for_a_certificate_file_with_its_plain_key() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Rsa] {
        let fixture = CertificateFixture::new();
        let key = fixture.key(kind);
        let agent = SshAgent::holding(&[&key], fixture.sshd.dir());
        let certificate = fixture.certify(&key);
        fs::remove_file(key.path()).expect("the directory is ours");
        for config in [identity(&key), format!("CertificateFile {}\n", certificate.display())] {
            fixture.assert_certificate_login(&format!("{config}{}", agent.line())).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_passphrase_prompt_of_a_certified_key_appears_once_and_only_if_accepted() -> Result<()> {
    let fixture = CertificateFixture::new();
    let key = Key::generate(fixture.dir.path().join("locked"), KeyType::Rsa, "let me in");
    fixture.certify(&key);
    let answers = ScriptedPrompter::new(["let me in"]);
    let client = client_of(&fixture.sshd, &identity(&key)).prompter(answers.clone()).build();
    client.connect("host")?.run("true").await?;
    assert_eq!(answers.prompts(), [format!("passphrase for `{}`: ", key.path().display())]);

    key.certify(&fixture.authority, &["-n", "nobody-at-all"]);
    let client = client_of(&fixture.sshd, &identity(&key)).prompter(answers.clone()).build();
    expect_error(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert_eq!(answers.prompts().len(), 1, "{:?}", answers.prompts());
    Ok(())
}

#[tokio::test]
async fn a_plain_key_is_offered_after_its_refused_certificate() -> Result<()> {
    let (authority, _dir) = authority(KeyType::Ed25519);
    let sshd = Sshd::start();
    sshd.identity_key().certify(&authority, &["-n", sshd.user()]);
    client_of(&sshd, "").build().connect("host")?.run("true").await?;
    let log = sshd.log();
    assert!(log.contains("Accepted publickey") && log.contains(": ED25519 SHA256:"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_refused_login_names_problems_of_the_certificate() -> Result<()> {
    let fixture = CertificateFixture::new();
    let key = fixture.key(KeyType::Ed25519);
    let user = fixture.sshd.user();
    for (arguments, words) in [
        (vec!["-n", user, "-V", "20200101:20200201"], "-cert.pub` (it expired at 2020-0"),
        (vec!["-n", user, "-V", "29990101:29990201"], "-cert.pub` (it is not valid before 29"),
        (vec!["-n", "alice,bob"], "-cert.pub` (it is for `alice`, `bob`)"),
    ] {
        key.certify(&fixture.authority, &arguments);
        let error = expect_error(fixture.client(&identity(&key)).connect("host")?.run("true").await, ErrorKind::Auth);
        assert!(error_text(&error).contains(words), "{error:?}");
        assert!(error_text(&error).contains("the server refused the certificate `"), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_unusable_certificate_is_named_and_does_not_prevent_the_login() -> Result<()> {
    let fixture = CertificateFixture::new();
    let (key, other) = (fixture.key(KeyType::Ed25519), fixture.key(KeyType::Ecdsa));
    let name = |name: &str| fixture.dir.path().join(name);
    other.certify(&fixture.authority, &["-h", "-n", "web"]);
    fs::rename(other.certify(&fixture.authority, &["-h", "-n", "web"]), name("of_host"))
        .expect("the directory is ours");
    fs::rename(fixture.certify(&other), name("without_key")).expect("the directory is ours");
    fs::write(name("broken"), "no certificate").expect("the directory is ours");
    let files = ["missing", "broken", "of_host", "without_key"];
    let config: String = files.map(|file| format!("CertificateFile {}\n", name(file).display())).concat();
    let error = expect_error(
        fixture.client(&(config.clone() + &identity(&key))).connect("host")?.run("true").await,
        ErrorKind::Auth,
    );
    let text = error_text(&error);
    for (file, problem) in [
        ("missing", "no such file"),
        ("broken", "not a certificate"),
        ("of_host", "a host certificate, not a user certificate"),
        ("without_key", "no private key in a file or the agent"),
    ] {
        assert!(text.contains(&format!("`{}` ({problem}", name(file).display())), "{file}: {text}");
    }
    let good = fixture.certify_to_another_path(&key);
    fixture.assert_certificate_login(&format!("{config}{}CertificateFile {}\n", identity(&key), good.display())).await
}

/// A server that closes the connection after two attempts reveals their order.
#[tokio::test]
async fn named_certificates_are_offered_first_and_each_certificate_once() -> Result<()> {
    let (authority, dir) = authority(KeyType::Ed25519);
    let trusted = authority.public_path().display().to_string();
    let sshd = Sshd::builder().option("TrustedUserCAKeys", trusted).option("MaxAuthTries", "2").start();
    let fixture = CertificateFixture::without_identity(sshd, authority, dir);
    let keys = ["one", "two"].map(|name| Key::generate(fixture.dir.path().join(name), KeyType::Ed25519, ""));
    let good = fixture.certify(&keys[0]);
    fixture.assert_certificate_login(&(identity(&keys[0]) + &identity(&keys[1]))).await?;

    let bad = keys[1].certify(&fixture.authority, &["-n", "nobody-at-all"]);
    let [good, bad] = [good, bad].map(|path| format!("CertificateFile {}\n", path.display()));
    let identities = identity(&keys[1]) + &identity(&keys[0]);
    fixture.assert_certificate_login(&(format!("{bad}{bad}{good}") + &identities)).await
}

#[tokio::test]
async fn a_certificate_beside_a_typed_key_logs_in() -> Result<()> {
    let fixture = CertificateFixture::new();
    let key = fixture.key(KeyType::Ed25519);
    fixture.certify(&key);
    let mut typed = settings(&ssh_config(&fixture.sshd, ""));
    typed.identities = vec![key.path().to_owned()];
    Client::builder().settings(typed).build().connect("host")?.run("true").await?;
    Ok(())
}
