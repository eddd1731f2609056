//! Verification of plain host keys, with the same verdicts as `ssh`: known, unknown, changed and
//! revoked keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs::{Client, Group, Result};
use fabrs_testing::{KeyType, Sshd};

use crate::answers::Answers;
use crate::record::Record;
use crate::support::{block, capture, client_of, connect, refused, settings, ssh_config};

#[tokio::test]
async fn an_unknown_key_is_refused_where_checking_is_strict() -> Result<()> {
    let sshd = Sshd::start();
    let record = Record::empty(&sshd, "yes");
    let error = refused(record.connect(&sshd).await, ErrorKind::HostKey);
    let text = block(&error);
    assert!(text.starts_with("error: host: the host's ssh-ed25519 key is not known"), "{text}");
    assert!(text.contains(&sshd.host_keys()[0].fingerprint()), "{text}");
    assert!(text.contains("hint: compare the fingerprint"), "{text}");
    assert_eq!(record.text(), "");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_accepts_a_new_key_and_records_nothing() -> Result<()> {
    let sshd = Sshd::start();
    let record = Record::empty(&sshd, "accept-new");
    let config = settings(&ssh_config(&sshd, &record.lines()));
    let settings = config.mode(Mode::DryRun);
    let host = Client::builder().settings(settings).build().connect("host")?;
    assert_eq!(host.probe("echo here").line().await?, "here");
    assert_eq!(record.text(), "");
    Ok(())
}

#[tokio::test]
async fn accept_new_records_a_key_and_checks_it_from_then_on() -> Result<()> {
    let mut sshd = Sshd::start();
    let record = Record::empty(&sshd, "accept-new");
    let (told, sink) = capture();
    client_of(&sshd, &record.lines()).sink(sink).build().connect("host")?.run("true").await?;
    let mode = fs::metadata(&record.file).expect("it was written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let warning = &told.of_kind("warning")[0]["text"];
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
    let error = refused(record.connect(&sshd).await, ErrorKind::HostKey);
    assert!(block(&error).contains("the host's ssh-ed25519 key has changed"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_changed_key_is_an_error_that_names_file_and_line() -> Result<()> {
    let mut sshd = Sshd::start();
    let line = format!("# a comment\n\n{{host}} {}\n", sshd.host_keys()[0].public());
    sshd.rotate_host_key();
    for strict in ["yes", "accept-new", "ask"] {
        let record = Record::of(&sshd, strict, &line);
        let error = refused(record.connect(&sshd).await, ErrorKind::HostKey);
        let text = block(&error);
        assert!(text.contains(&format!("another key is on record in {}:3", record.file.display())), "{text}");
        assert!(text.contains(&format!("the host shows {}", sshd.host_keys()[0].fingerprint())), "{text}");
        assert!(
            text.contains(&format!(
                "hint: if the change is known to be right: `ssh-keygen -R '[127.0.0.1]:{}' -f {}`",
                sshd.port(),
                record.file.display()
            )),
            "{text}"
        );
        assert!(!text.contains("ssh-keygen -R") || record.text().starts_with("# a comment"), "nothing is changed");
    }
    Ok(())
}

#[tokio::test]
async fn a_person_may_accept_an_unknown_key_by_yes_or_by_its_fingerprint() -> Result<()> {
    let sshd = Sshd::start();
    let fingerprint = sshd.host_keys()[0].fingerprint();
    for words in [vec!["yes"], vec!["perhaps", "yes"], vec![fingerprint.as_str()]] {
        let record = Record::of(&sshd, "ask", "");
        let answers = Answers::new(words.iter().copied());
        let client = client_of(&sshd, &record.lines()).prompter(answers.clone()).build();
        client.connect("host")?.run("true").await?;
        let asked = answers.asked();
        assert_eq!(asked.len(), words.len(), "{asked:?}");
        assert!(asked[0].contains(&fingerprint) && asked[0].contains(&format!("[127.0.0.1]:{}", sshd.port())));
        record.with("yes").connect(&sshd).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_person_may_refuse_an_unknown_key() -> Result<()> {
    let sshd = Sshd::start();
    let record = Record::empty(&sshd, "ask");
    let client = client_of(&sshd, &record.lines()).prompter(Answers::new(["no"])).build();
    refused(client.connect("host")?.run("true").await, ErrorKind::HostKey);
    assert_eq!(record.text(), "");
    Ok(())
}

#[tokio::test]
async fn one_answer_counts_for_all_hosts_that_show_the_same_key_under_the_same_name() -> Result<()> {
    let names = ["web1", "web2", "web3"];
    let sshd = Sshd::builder().aliases(names).start();
    let record = Record::empty(&sshd, "ask");
    let answers = Answers::new(["yes"]);
    let client = client_of(&sshd, &record.lines()).prompter(answers.clone()).build();
    Group::of(&client, names)?.run("true").await.all_ok()?;
    assert_eq!((answers.asked().len(), record.text().lines().count()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_refused_where_nobody_can_be_asked() -> Result<()> {
    let sshd = Sshd::start();
    let record = Record::empty(&sshd, "ask");
    let error = refused(record.connect(&sshd).await, ErrorKind::HostKey);
    assert!(block(&error).contains("set `StrictHostKeyChecking accept-new`"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn of_several_keys_the_server_shows_the_one_on_record() -> Result<()> {
    let sshd = Sshd::builder().host_keys([KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa]).start();
    for key in sshd.host_keys() {
        let record = Record::of(&sshd, "yes", &format!("{{host}} {}\n", key.public()));
        record.connect(&sshd).await?;
    }
    Ok(())
}

/// Like `ssh`: a server without its recorded key is not a new server.
#[tokio::test]
async fn a_server_that_has_only_a_key_of_another_kind_is_refused() -> Result<()> {
    let (sshd, other) = (Sshd::builder().host_keys([KeyType::Ecdsa]).start(), Sshd::start());
    let line = format!("{{host}} {}\n", other.host_keys()[0].public());
    for strict in ["yes", "accept-new"] {
        let record = Record::of(&sshd, strict, &line);
        let error = refused(record.connect(&sshd).await, ErrorKind::HostKey);
        assert!(block(&error).contains(&format!("{}:1 (ssh-ed25519)", record.file.display())), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn hashed_names_are_read_and_written() -> Result<()> {
    let mut sshd = Sshd::start();
    let mut hash = Command::new("ssh-keygen");
    let hashed = hash.arg("-H").arg("-f").arg(sshd.known_hosts()).output();
    assert!(hashed.expect("`ssh-keygen` comes with openssh-client").status.success());
    assert!(fs::read_to_string(sshd.known_hosts()).expect("it is there").starts_with("|1|"));
    connect(&sshd).run("true").await?;

    let record = Record::empty(&sshd, "accept-new");
    let config = format!("HashKnownHosts yes\n{}", record.lines());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    assert!(record.text().starts_with("|1|") && !record.text().contains("127.0.0.1"), "{}", record.text());
    record.with("yes").connect(&sshd).await?;
    sshd.rotate_host_key();
    refused(record.connect(&sshd).await, ErrorKind::HostKey);
    Ok(())
}

#[tokio::test]
async fn a_revoked_key_is_refused_whatever_else_is_on_record() -> Result<()> {
    let sshd = Sshd::start();
    let key = sshd.host_keys()[0].public();
    for strict in ["yes", "accept-new", "no"] {
        let record = Record::of(&sshd, strict, &format!("{{host}} {key}\n@revoked * {key}\n"));
        let error = refused(record.connect(&sshd).await, ErrorKind::HostKey);
        assert!(block(&error).contains("key is revoked"), "{error:?}");
        assert!(block(&error).contains(&format!("{}:2", record.file.display())), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_alias_is_the_name_on_record() -> Result<()> {
    let sshd = Sshd::start();
    let record = Record::empty(&sshd, "accept-new");
    let config = format!("HostKeyAlias shop\n{}", record.lines());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    assert!(record.text().starts_with("shop ssh-ed25519 "), "{}", record.text());
    let config = format!("HostKeyAlias shop\n{}", record.with("yes").lines());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    refused(record.with("yes").connect(&sshd).await, ErrorKind::HostKey);
    Ok(())
}

#[tokio::test]
async fn where_checking_is_off_a_new_key_is_recorded_and_a_changed_one_warned_of() -> Result<()> {
    let mut sshd = Sshd::start();
    let record = Record::empty(&sshd, "no");
    record.connect(&sshd).await?;
    let before = record.text();
    assert_eq!(before.lines().count(), 1);
    sshd.rotate_host_key();
    let (told, sink) = capture();
    client_of(&sshd, &record.lines()).sink(sink).build().connect("host")?.run("true").await?;
    let warning = &told.of_kind("warning")[0]["text"];
    assert!(warning.as_str().is_some_and(|text| text.contains("differs from the one in")), "{warning}");
    assert_eq!(record.text(), before, "the record stays as it was");
    Ok(())
}

#[tokio::test]
async fn a_key_is_accepted_though_it_can_not_be_recorded() -> Result<()> {
    let sshd = Sshd::start();
    let config = "UserKnownHostsFile /proc/known_hosts\nStrictHostKeyChecking accept-new\n";
    let (told, sink) = capture();
    client_of(&sshd, config).sink(sink).build().connect("host")?.run("true").await?;
    let warning = &told.of_kind("warning")[0]["text"];
    assert!(warning.as_str().is_some_and(|text| text.contains("could not record it")), "{warning}");
    Ok(())
}
