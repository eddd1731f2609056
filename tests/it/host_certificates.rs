//! Host certificates, with the same verdicts as `ssh`.

use std::fs;

use fabrs::prelude::*;
use fabrs::{Error, Result};
use fabrs_testing::{Key, KeyType, Sshd};

use crate::known_hosts_file::KnownHostsFile;
use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{capture, client_of, error_text, event_texts, expect_error};

/// A certificate authority and a directory for the key.
struct Authority {
    key: Key,
    _dir: tempfile::TempDir,
}

impl Authority {
    fn new(kind: KeyType) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { key: Key::generate(dir.path().join("authority"), kind, ""), _dir: dir }
    }

    /// Returns a server with a certificate of this authority. `ssh-keygen` signs with these
    /// arguments.
    fn server(&self, arguments: &[&str]) -> Sshd {
        Sshd::builder().host_ca(&self.key).host_certificate_args(arguments.iter().copied()).start()
    }

    /// Returns the line that trusts the authority for these hosts.
    fn trusted_for(&self, hosts: &str) -> String {
        format!("@cert-authority {hosts} {}\n", self.key.public())
    }
}

const GOOD: [&str; 3] = ["-h", "-n", "127.0.0.1"];

/// Returns the error for a server with a certificate made by these arguments, and the known hosts
/// file. Only the authority is trusted.
async fn refusal(arguments: &[&str]) -> (Error, KnownHostsFile) {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(arguments);
    let record = KnownHostsFile::of(&sshd, "yes", &format!("# ours\n{}", authority.trusted_for("127.0.0.1")));
    let error = expect_error(record.connect_like_ssh(&sshd).await, ErrorKind::HostKey);
    (error, record)
}

#[tokio::test]
async fn a_certificate_of_a_known_authority_is_accepted() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let authority = Authority::new(kind);
        let sshd = authority.server(&GOOD);
        for hosts in ["{host}", "127.0.0.1", "127.0.0.*,!127.0.0.2", "*"] {
            KnownHostsFile::of(&sshd, "yes", &authority.trusted_for(hosts)).connect_like_ssh(&sshd).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn certificates_of_every_key_type_are_accepted() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let sshd = Sshd::builder().host_keys([kind]).host_ca(&authority.key).start();
        let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("{host}"));
        record.connect_like_ssh(&sshd).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_rotated_host_key_needs_no_new_entry_with_a_known_authority() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let mut sshd = authority.server(&GOOD);
    let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("*"));
    record.connect(&sshd).await?;
    sshd.rotate_host_key();
    record.connect_like_ssh(&sshd).await
}

#[tokio::test]
async fn an_authority_is_trusted_only_for_the_hosts_of_its_line() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&GOOD);
    for hosts in ["*.example.com", "[127.0.0.1]:1", "*,!{host},!127.0.0.1"] {
        let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for(hosts));
        let error = expect_error(record.connect_like_ssh(&sshd).await, ErrorKind::HostKey);
        assert!(error_text(&error).contains("key is not known"), "{error:?}");
    }
    // A line may exclude the name with a port. The name without the port still matches.
    KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("*,!{host}")).connect_like_ssh(&sshd).await
}

#[tokio::test]
async fn an_authority_is_found_in_every_known_hosts_file() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&GOOD);
    let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("*"));
    let empty = sshd.dir().join("empty");
    fs::write(&empty, "").expect("the directory is ours");
    for (user, global) in [(&empty, &record.file), (&record.file, &empty)] {
        let config = format!("UserKnownHostsFile {}\nGlobalKnownHostsFile {}\n", user.display(), global.display());
        client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_falls_back_to_the_plain_key() -> Result<()> {
    let (authority, other) = (Authority::new(KeyType::Ed25519), Authority::new(KeyType::Ed25519));
    let sshd = authority.server(&GOOD);
    let key = sshd.host_keys()[0].public();
    for trusted in ["", &other.trusted_for("*")] {
        KnownHostsFile::of(&sshd, "yes", &format!("{trusted}{{host}} {key}\n")).connect_like_ssh(&sshd).await?;
        let error =
            expect_error(KnownHostsFile::of(&sshd, "yes", trusted).connect_like_ssh(&sshd).await, ErrorKind::HostKey);
        assert!(error_text(&error).contains("the host's ssh-ed25519 key is not known"), "{error:?}");
    }
    let record = KnownHostsFile::of(&sshd, "accept-new", &other.trusted_for("*"));
    record.connect_like_ssh(&sshd).await?;
    assert!(record.text().contains(&key.split(' ').nth(1).expect("a key").to_owned()), "{}", record.text());
    Ok(())
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_its_time_and_the_line_of_its_authority() {
    let (error, record) = refusal(&["-h", "-n", "127.0.0.1", "-V", "20200101:20200201"]).await;
    let text = error_text(&error);
    assert!(text.starts_with("error: host: the host's certificate is not accepted\n"), "{text}");
    assert!(text.contains(&format!("authority in {}:2, but it expired at 2020-0", record.file.display())), "{text}");
    assert!(text.contains("hint: renew the certificate"), "{text}");
    assert_eq!(text.matches("hint:").count(), 1, "{text}");
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet_is_refused_with_its_time() {
    let (error, _) = refusal(&["-h", "-n", "127.0.0.1", "-V", "29990101:29990201"]).await;
    assert!(error_text(&error).contains("but it is not valid before 29"), "{error:?}");
    assert!(error_text(&error).contains("hint: check the clock of this machine"), "{error:?}");
}

#[tokio::test]
async fn a_certificate_for_other_hosts_is_refused_with_their_names() {
    let (error, _) = refusal(&["-h", "-n", "web1,web2.example.com"]).await;
    assert!(error_text(&error).contains("but it is for `web1`, `web2.example.com`"), "{error:?}");
    assert!(error_text(&error).contains("HostKeyAlias"), "{error:?}");
}

#[tokio::test]
async fn a_certificate_of_a_user_is_refused() {
    let (error, _) = refusal(&["-n", "127.0.0.1"]).await;
    assert!(error_text(&error).contains("but it is a user certificate, not a host certificate"), "{error:?}");
}

#[tokio::test]
async fn a_certificate_with_a_critical_option_is_refused_with_its_name() {
    let (error, _) = refusal(&["-h", "-n", "127.0.0.1", "-O", "critical:only-on-mondays=yes"]).await;
    assert!(error_text(&error).contains("unknown critical options: `only-on-mondays`"), "{error:?}");
}

/// Like `ssh` since 10.3. Older versions accepted such a certificate for every host.
#[tokio::test]
async fn a_certificate_without_names_is_refused() {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&["-h"]);
    let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("*"));
    let error = expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
    assert!(error_text(&error).contains("but it lists no host"), "{error:?}");
}

/// Like `ssh` since 10.3.
#[tokio::test]
async fn names_in_a_certificate_may_have_wildcards() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&["-h", "-n", "*.example.com,127.0.?.*"]);
    KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("*")).connect(&sshd).await
}

#[tokio::test]
async fn a_host_key_alias_must_match_the_certificate() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&["-h", "-n", "shop"]);
    let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("shop"));
    let config = format!("HostKeyAlias shop\n{}", record.lines());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
    Ok(())
}

#[tokio::test]
async fn a_rejected_authority_algorithm_is_named() -> Result<()> {
    let authority = Authority::new(KeyType::Rsa);
    let sshd = authority.server(&["-h", "-n", "127.0.0.1", "-t", "rsa-sha2-256"]);
    let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("*"));
    record.connect_like_ssh(&sshd).await?;
    let connect = async |algorithms: &str| {
        let config = format!("CASignatureAlgorithms {algorithms}\n{}", record.lines());
        client_of(&sshd, &config).build().connect("host")?.run("true").await
    };
    connect("rsa-sha2-256").await?;
    let error = expect_error(connect("-rsa-sha2-256").await, ErrorKind::HostKey);
    assert!(error_text(&error).contains("its signature algorithm `rsa-sha2-256` is not accepted"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn an_authority_that_signs_with_sha1_is_refused() -> Result<()> {
    let authority = Authority::new(KeyType::Rsa);
    let sshd = authority.server(&["-h", "-n", "127.0.0.1", "-t", "ssh-rsa"]);
    let record = KnownHostsFile::of(&sshd, "yes", &authority.trusted_for("*"));
    let error = expect_error(record.connect_like_ssh(&sshd).await, ErrorKind::HostKey);
    assert!(error_text(&error).contains("its signature algorithm `ssh-rsa` is not accepted"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_revoked_authority_or_key_is_always_refused() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&GOOD);
    let (key, signer) = (sshd.host_keys()[0].public(), authority.key.public());
    let trusted = authority.trusted_for("*");
    for (lines, what) in [
        (format!("{trusted}@revoked * {signer}\n"), "the authority that signed the host's certificate is revoked"),
        (format!("{trusted}@revoked * {key}\n"), "the key in the host's certificate is revoked"),
        (format!("{{host}} {key}\n@revoked * {signer}\n"), "the authority that signed"),
    ] {
        for strict in ["yes", "accept-new"] {
            let record = KnownHostsFile::of(&sshd, strict, &lines);
            let error = expect_error(record.connect_like_ssh(&sshd).await, ErrorKind::HostKey);
            let text = error_text(&error);
            assert!(text.contains(what) && text.contains(&format!("{}:2", record.file.display())), "{text}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_known_key_with_an_invalid_certificate_is_accepted_with_a_warning() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&["-h", "-n", "127.0.0.1", "-V", "20200101:20200201"]);
    let lines = format!("{}{{host}} {}\n", authority.trusted_for("*"), sshd.host_keys()[0].public());
    let record = KnownHostsFile::of(&sshd, "yes", &lines);
    record.connect_like_ssh(&sshd).await?;
    let (captured, sink) = capture();
    client_of(&sshd, &record.lines()).sink(sink).build().connect("host")?.run("true").await?;
    let warnings = event_texts(&captured, "warning", "text");
    assert!(warnings[0].contains("it expired at 2020-0") && warnings.len() == 1, "{warnings:?}");
    Ok(())
}

#[tokio::test]
async fn the_host_key_prompt_names_the_problem_of_the_certificate() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let sshd = authority.server(&["-h", "-n", "other"]);
    let record = KnownHostsFile::of(&sshd, "ask", &authority.trusted_for("*"));
    let answers = ScriptedPrompter::new(["no"]);
    let client = client_of(&sshd, &record.lines()).prompter(answers.clone()).build();
    expect_error(client.connect("host")?.run("true").await, ErrorKind::HostKey);
    assert!(answers.prompts()[0].contains("but it is for `other`"), "{:?}", answers.prompts());
    Ok(())
}

#[tokio::test]
async fn a_changed_key_with_an_invalid_certificate_is_an_error_naming_both() -> Result<()> {
    let authority = Authority::new(KeyType::Ed25519);
    let (sshd, other) = (authority.server(&["-h", "-n", "127.0.0.1", "-V", "20200101:20200201"]), Sshd::start());
    let lines = format!("{}{{host}} {}\n", authority.trusted_for("*"), other.host_keys()[0].public());
    let record = KnownHostsFile::of(&sshd, "yes", &lines);
    let text = error_text(&expect_error(record.connect_like_ssh(&sshd).await, ErrorKind::HostKey));
    assert!(text.contains("key has changed") && text.contains(&format!("{}:2", record.file.display())), "{text}");
    assert!(text.contains(&format!("authority in {}:1, but it expired", record.file.display())), "{text}");
    Ok(())
}
