//! Verification of plain host keys, with the same verdicts as `ssh`: known, unknown, changed and
//! revoked keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs::{Client, Group, Result};
use fabrs_testing::{KeyType, Sshd};

use crate::known_hosts_file::KnownHostsFile;
use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{capture, client_of, connect, error_text, expect_error, settings, ssh_config};

#[tokio::test]
async fn an_unknown_key_is_refused_with_strict_checking() -> Result<()> {
    let sshd = Sshd::start();
    let record = KnownHostsFile::empty(&sshd, "yes");
    let error = expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
    let text = error_text(&error);
    assert!(text.starts_with("error: host: the host's ssh-ed25519 key is not known"), "{text}");
    assert!(text.contains(&sshd.host_keys()[0].fingerprint()), "{text}");
    assert!(text.contains("hint: compare the fingerprint"), "{text}");
    assert_eq!(record.text(), "");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_accepts_a_new_key_and_records_nothing() -> Result<()> {
    let sshd = Sshd::start();
    let record = KnownHostsFile::empty(&sshd, "accept-new");
    let config = settings(&ssh_config(&sshd, &record.lines()));
    let settings = config.mode(Mode::DryRun);
    let host = Client::builder().settings(settings).build().connect("host")?;
    assert_eq!(host.probe("echo here").line().await?, "here");
    assert_eq!(record.text(), "");
    Ok(())
}

#[tokio::test]
async fn accept_new_records_a_key_and_verifies_later_connections() -> Result<()> {
    let mut sshd = Sshd::start();
    let record = KnownHostsFile::empty(&sshd, "accept-new");
    let (events, sink) = capture();
    client_of(&sshd, &record.lines()).sink(sink).build().connect("host")?.run("true").await?;
    let mode = fs::metadata(&record.file).expect("the file was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let warning = &events.of_kind("warning")[0]["text"];
    assert!(warning.as_str().is_some_and(|text| text.contains("recorded its ssh-ed25519 key")), "{warning}");
    let find = Command::new("ssh-keygen")
        .arg("-F")
        .arg(format!("[127.0.0.1]:{}", sshd.port()))
        .arg("-f")
        .arg(&record.file)
        .output();
    assert!(find.expect("`ssh-keygen` comes with openssh-client").status.success(), "{}", record.text());

    record.with("yes").connect(&sshd).await?;
    sshd.rotate_host_key();
    let error = expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
    assert!(error_text(&error).contains("the host's ssh-ed25519 key has changed"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_changed_key_is_an_error_that_names_file_and_line() -> Result<()> {
    let mut sshd = Sshd::start();
    let line = format!("# a comment\n\n{{host}} {}\n", sshd.host_keys()[0].public());
    sshd.rotate_host_key();
    for strict in ["yes", "accept-new", "ask"] {
        let record = KnownHostsFile::of(&sshd, strict, &line);
        let error = expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
        let text = error_text(&error);
        assert!(text.contains(&format!("another key is on record in {}:3", record.file.display())), "{text}");
        assert!(text.contains(&format!("the host shows {}", sshd.host_keys()[0].fingerprint())), "{text}");
        assert!(
            text.contains(&format!(
                "hint: if the new host key is genuine, remove the old one: `ssh-keygen -R '[127.0.0.1]:{}' -f {}`",
                sshd.port(),
                record.file.display()
            )),
            "{text}"
        );
        assert!(!text.contains("ssh-keygen -R") || record.text().starts_with("# a comment"), "the file is unchanged");
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_accepted_by_yes_or_by_its_fingerprint() -> Result<()> {
    let sshd = Sshd::start();
    let fingerprint = sshd.host_keys()[0].fingerprint();
    for words in [vec!["yes"], vec!["perhaps", "yes"], vec![fingerprint.as_str()]] {
        let record = KnownHostsFile::of(&sshd, "ask", "");
        let answers = ScriptedPrompter::new(words.iter().copied());
        let client = client_of(&sshd, &record.lines()).prompter(answers.clone()).build();
        client.connect("host")?.run("true").await?;
        let prompts = answers.prompts();
        assert_eq!(prompts.len(), words.len(), "{prompts:?}");
        assert!(prompts[0].contains(&fingerprint) && prompts[0].contains(&format!("[127.0.0.1]:{}", sshd.port())));
        record.with("yes").connect(&sshd).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_refused_by_no() -> Result<()> {
    let sshd = Sshd::start();
    let record = KnownHostsFile::empty(&sshd, "ask");
    let client = client_of(&sshd, &record.lines()).prompter(ScriptedPrompter::new(["no"])).build();
    expect_error(client.connect("host")?.run("true").await, ErrorKind::HostKey);
    assert_eq!(record.text(), "");
    Ok(())
}

#[tokio::test]
async fn one_answer_applies_to_all_hosts_with_the_same_key_and_name() -> Result<()> {
    let names = ["web1", "web2", "web3"];
    let sshd = Sshd::builder().aliases(names).start();
    let record = KnownHostsFile::empty(&sshd, "ask");
    let answers = ScriptedPrompter::new(["yes"]);
    let client = client_of(&sshd, &record.lines()).prompter(answers.clone()).build();
    Group::of(&client, names)?.run("true").await.all_ok()?;
    assert_eq!((answers.prompts().len(), record.text().lines().count()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_refused_without_a_prompter() -> Result<()> {
    let sshd = Sshd::start();
    let record = KnownHostsFile::empty(&sshd, "ask");
    let error = expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
    assert!(error_text(&error).contains("set `StrictHostKeyChecking accept-new`"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn the_known_key_type_is_negotiated_among_several_keys() -> Result<()> {
    let sshd = Sshd::builder().host_keys([KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa]).start();
    for key in sshd.host_keys() {
        let record = KnownHostsFile::of(&sshd, "yes", &format!("{{host}} {}\n", key.public()));
        record.connect(&sshd).await?;
    }
    Ok(())
}

/// Like `ssh`: a server without the recorded key is not a new server.
#[tokio::test]
async fn a_server_without_the_known_key_type_is_refused() -> Result<()> {
    let (sshd, other) = (Sshd::builder().host_keys([KeyType::Ecdsa]).start(), Sshd::start());
    let line = format!("{{host}} {}\n", other.host_keys()[0].public());
    for strict in ["yes", "accept-new"] {
        let record = KnownHostsFile::of(&sshd, strict, &line);
        let error = expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
        assert!(error_text(&error).contains(&format!("{}:1 (ssh-ed25519)", record.file.display())), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn hashed_names_are_read_and_written() -> Result<()> {
    let mut sshd = Sshd::start();
    let mut hash = Command::new("ssh-keygen");
    let hashed = hash.arg("-H").arg("-f").arg(sshd.known_hosts()).output();
    assert!(hashed.expect("`ssh-keygen` comes with openssh-client").status.success());
    assert!(fs::read_to_string(sshd.known_hosts()).expect("the file exists").starts_with("|1|"));
    connect(&sshd).run("true").await?;

    let record = KnownHostsFile::empty(&sshd, "accept-new");
    let config = format!("HashKnownHosts yes\n{}", record.lines());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    assert!(record.text().starts_with("|1|") && !record.text().contains("127.0.0.1"), "{}", record.text());
    record.with("yes").connect(&sshd).await?;
    sshd.rotate_host_key();
    expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
    Ok(())
}

#[tokio::test]
async fn a_revoked_key_is_always_refused() -> Result<()> {
    let sshd = Sshd::start();
    let key = sshd.host_keys()[0].public();
    for strict in ["yes", "accept-new", "no"] {
        let record = KnownHostsFile::of(&sshd, strict, &format!("{{host}} {key}\n@revoked * {key}\n"));
        let error = expect_error(record.connect(&sshd).await, ErrorKind::HostKey);
        assert!(error_text(&error).contains("key is revoked"), "{error:?}");
        assert!(error_text(&error).contains(&format!("{}:2", record.file.display())), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_key_alias_is_the_recorded_name() -> Result<()> {
    let sshd = Sshd::start();
    let record = KnownHostsFile::empty(&sshd, "accept-new");
    let config = format!("HostKeyAlias shop\n{}", record.lines());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    assert!(record.text().starts_with("shop ssh-ed25519 "), "{}", record.text());
    let config = format!("HostKeyAlias shop\n{}", record.with("yes").lines());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    expect_error(record.with("yes").connect(&sshd).await, ErrorKind::HostKey);
    Ok(())
}

#[tokio::test]
async fn disabled_checking_records_a_new_key_and_warns_about_a_changed_key() -> Result<()> {
    let mut sshd = Sshd::start();
    let record = KnownHostsFile::empty(&sshd, "no");
    record.connect(&sshd).await?;
    let before = record.text();
    assert_eq!(before.lines().count(), 1);
    sshd.rotate_host_key();
    let (events, sink) = capture();
    client_of(&sshd, &record.lines()).sink(sink).build().connect("host")?.run("true").await?;
    let warning = &events.of_kind("warning")[0]["text"];
    assert!(warning.as_str().is_some_and(|text| text.contains("differs from the one in")), "{warning}");
    assert_eq!(record.text(), before, "the known hosts file is unchanged");
    Ok(())
}

#[tokio::test]
async fn a_key_that_cannot_be_recorded_is_accepted_with_a_warning() -> Result<()> {
    let sshd = Sshd::start();
    let config = "UserKnownHostsFile /proc/known_hosts\nStrictHostKeyChecking accept-new\n";
    let (events, sink) = capture();
    client_of(&sshd, config).sink(sink).build().connect("host")?.run("true").await?;
    let warning = &events.of_kind("warning")[0]["text"];
    assert!(warning.as_str().is_some_and(|text| text.contains("could not record it")), "{warning}");
    Ok(())
}
