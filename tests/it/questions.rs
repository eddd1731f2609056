//! Prompts during a connection attempt: their number, and the cases without a prompt.

use fabrs::prelude::*;
use fabrs::{Error, Group, Result, Secret};
use fabrs_testing::{Capability, Sshd};

use crate::answers::Answers;
use crate::support::{block, client_of, refused};

const NAMES: [&str; 3] = ["web1", "web2", "web3"];

/// Returns config lines with an empty known hosts file, and a prompt for each new host key.
fn unknown(sshd: &Sshd) -> String {
    format!("UserKnownHostsFile {}\nStrictHostKeyChecking ask\n", sshd.dir().join("recorded").display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_counts_for_all_hosts_that_show_the_same_key_under_the_same_name() -> Result<()> {
    let sshd = Sshd::builder().aliases(NAMES).start();
    let answers = Answers::new(["no"]);
    let client = client_of(&sshd, &unknown(&sshd)).prompter(answers.clone()).build();
    let outcomes = Group::of(&client, NAMES)?.run("true").await;
    assert_eq!(answers.asked().len(), 1, "{:?}", answers.asked());
    let kinds: Vec<_> = outcomes.iter().filter_map(|(_, outcome)| outcome.error().map(Error::kind)).collect();
    assert_eq!(kinds, [ErrorKind::HostKey; 3]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passphrase_that_nobody_knew_is_not_asked_for_again_by_the_next_host() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").aliases(NAMES).start();
    let answers = Answers::new(["one", "two", "three", "let me in"]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    for name in NAMES {
        let error = refused(client.connect(name)?.run("true").await, ErrorKind::Auth);
        assert!(block(&error).contains("the passphrase for"), "{error:?}");
    }
    assert_eq!(answers.asked().len(), 3, "{:?}", answers.asked());
    Ok(())
}

#[tokio::test]
async fn batch_mode_asks_about_no_host_key() -> Result<()> {
    let sshd = Sshd::start();
    let answers = Answers::new(["yes"]);
    let config = format!("BatchMode yes\n{}", unknown(&sshd));
    let client = client_of(&sshd, &config).prompter(answers.clone()).build();
    refused(client.connect("host")?.run("true").await, ErrorKind::HostKey);
    assert_eq!(answers.asked(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn batch_mode_asks_for_no_passphrase() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").start();
    let answers = Answers::new(["let me in"]);
    let client = client_of(&sshd, "BatchMode yes\n").prompter(answers.clone()).build();
    let error = refused(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(block(&error).contains("cannot prompt for the passphrase"), "{error:?}");
    assert_eq!(answers.asked(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn batch_mode_asks_for_no_password() -> Result<()> {
    if !Capability::Password.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().password_login().start();
    let answers = Answers::new([sshd.password()]);
    let config = "BatchMode yes\nPubkeyAuthentication no\n";
    let client = client_of(&sshd, config).prompter(answers.clone()).build();
    let error = refused(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(block(&error).contains("hint: the server accepts passwords, but fabrs cannot prompt"), "{error:?}");
    assert_eq!(answers.asked(), Vec::<String>::new());
    Ok(())
}

/// Like ssh: otherwise a man in the middle would receive the password.
#[tokio::test]
async fn no_password_is_sent_where_the_key_has_changed_though_checking_is_off() -> Result<()> {
    if !Capability::Password.is_available() {
        return Ok(());
    }
    let mut sshd = Sshd::builder().password_login().start();
    let config = "StrictHostKeyChecking no\nPubkeyAuthentication no\n";
    let client = || client_of(&sshd, config);
    let answers = Answers::new([sshd.password()]);
    let given = Secret::new(sshd.password().to_owned());
    client().password(given.clone()).build().connect("host")?.run("true").await?;
    let (asking, giving) = (client().prompter(answers.clone()).build(), client().password(given).build());
    sshd.rotate_host_key();
    for client in [asking, giving] {
        let error = refused(client.connect("host")?.run("true").await, ErrorKind::Auth);
        assert!(block(&error).contains("a password (the host key differs from the one in known_hosts)"), "{error:?}");
    }
    assert_eq!(answers.asked(), Vec::<String>::new());
    assert!(!sshd.log().contains("password for"), "{}", sshd.log());
    Ok(())
}

#[tokio::test]
async fn a_question_without_an_answer_names_its_host() -> Result<()> {
    let sshd = Sshd::start();
    let client = client_of(&sshd, &unknown(&sshd)).prompter(Answers::new([])).build();
    let error = refused(client.connect("host")?.run("true").await, ErrorKind::Prompt);
    assert!(block(&error).starts_with("error: host: "), "{error:?}");
    Ok(())
}
