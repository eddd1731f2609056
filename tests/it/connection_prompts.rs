//! Prompts during a connection attempt: their number, and the cases without a prompt.

use fabrs::prelude::*;
use fabrs::{Error, Group, Result, Secret};
use fabrs_testing::{Capability, Sshd};

use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{client_of, error_text, expect_error};

const NAMES: [&str; 3] = ["web1", "web2", "web3"];

/// Returns config lines with an empty known hosts file, and a prompt for each new host key.
fn config_of_unknown_host(sshd: &Sshd) -> String {
    format!("UserKnownHostsFile {}\nStrictHostKeyChecking ask\n", sshd.dir().join("recorded").display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_no_applies_to_all_hosts_with_the_same_key_and_name() -> Result<()> {
    let sshd = Sshd::builder().aliases(NAMES).start();
    let answers = ScriptedPrompter::new(["no"]);
    let client = client_of(&sshd, &config_of_unknown_host(&sshd)).prompter(answers.clone()).build();
    let outcomes = Group::of(&client, NAMES)?.run("true").await;
    assert_eq!(answers.prompts().len(), 1, "{:?}", answers.prompts());
    let kinds: Vec<_> = outcomes.iter().filter_map(|(_, outcome)| outcome.error().map(Error::kind)).collect();
    assert_eq!(kinds, [ErrorKind::HostKey; 3]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_passphrase_is_not_prompted_again_for_the_next_host() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").aliases(NAMES).start();
    let answers = ScriptedPrompter::new(["one", "two", "three", "let me in"]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    for name in NAMES {
        let error = expect_error(client.connect(name)?.run("true").await, ErrorKind::Auth);
        assert!(error_text(&error).contains("the passphrase for"), "{error:?}");
    }
    assert_eq!(answers.prompts().len(), 3, "{:?}", answers.prompts());
    Ok(())
}

#[tokio::test]
async fn batch_mode_does_not_prompt_for_a_host_key() -> Result<()> {
    let sshd = Sshd::start();
    let answers = ScriptedPrompter::new(["yes"]);
    let config = format!("BatchMode yes\n{}", config_of_unknown_host(&sshd));
    let client = client_of(&sshd, &config).prompter(answers.clone()).build();
    expect_error(client.connect("host")?.run("true").await, ErrorKind::HostKey);
    assert_eq!(answers.prompts(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn batch_mode_does_not_prompt_for_a_passphrase() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").start();
    let answers = ScriptedPrompter::new(["let me in"]);
    let client = client_of(&sshd, "BatchMode yes\n").prompter(answers.clone()).build();
    let error = expect_error(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(error_text(&error).contains("cannot prompt for the passphrase"), "{error:?}");
    assert_eq!(answers.prompts(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn batch_mode_does_not_prompt_for_a_password() -> Result<()> {
    if !Capability::Password.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().password_login().start();
    let answers = ScriptedPrompter::new([sshd.password()]);
    let config = "BatchMode yes\nPubkeyAuthentication no\n";
    let client = client_of(&sshd, config).prompter(answers.clone()).build();
    let error = expect_error(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(error_text(&error).contains("hint: the server accepts passwords, but fabrs cannot prompt"), "{error:?}");
    assert_eq!(answers.prompts(), Vec::<String>::new());
    Ok(())
}

/// Like ssh: otherwise a man in the middle would receive the password.
#[tokio::test]
async fn a_host_with_a_changed_key_receives_no_password_despite_disabled_checking() -> Result<()> {
    if !Capability::Password.is_available() {
        return Ok(());
    }
    let mut sshd = Sshd::builder().password_login().start();
    let config = "StrictHostKeyChecking no\nPubkeyAuthentication no\n";
    let client = || client_of(&sshd, config);
    let answers = ScriptedPrompter::new([sshd.password()]);
    let given = Secret::new(sshd.password().to_owned());
    client().password(given.clone()).build().connect("host")?.run("true").await?;
    let (asking, giving) = (client().prompter(answers.clone()).build(), client().password(given).build());
    sshd.rotate_host_key();
    for client in [asking, giving] {
        let error = expect_error(client.connect("host")?.run("true").await, ErrorKind::Auth);
        assert!(
            error_text(&error).contains("a password (the host key differs from the one in known_hosts)"),
            "{error:?}"
        );
    }
    assert_eq!(answers.prompts(), Vec::<String>::new());
    assert!(!sshd.log().contains("password for"), "{}", sshd.log());
    Ok(())
}

#[tokio::test]
async fn an_unanswered_prompt_names_its_host() -> Result<()> {
    let sshd = Sshd::start();
    let client = client_of(&sshd, &config_of_unknown_host(&sshd)).prompter(ScriptedPrompter::new([])).build();
    let error = expect_error(client.connect("host")?.run("true").await, ErrorKind::Prompt);
    assert!(error_text(&error).starts_with("error: host: "), "{error:?}");
    Ok(())
}
