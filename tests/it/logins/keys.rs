//! Logins with key files, plain and encrypted.

use std::fs;

use fabrs::prelude::*;
use fabrs::{Group, Result};
use fabrs_testing::{Key, KeyType, Sshd};

use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{client_of, connect, error_text, expect_error, settings, ssh_config};

/// Returns config lines that name keys.
fn identity_lines(keys: &[Key]) -> String {
    let lines: Vec<String> = keys.iter().map(|key| format!("IdentityFile {}\n", key.path().display())).collect();
    lines.concat()
}

#[tokio::test]
async fn every_key_type_logs_in() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let sshd = Sshd::builder().identity_type(kind).start();
        connect(&sshd).run("true").await?;
        assert!(sshd.log().contains(&sshd.identity_key().fingerprint()), "{kind:?}: {}", sshd.log());
    }
    Ok(())
}

#[tokio::test]
async fn the_passphrase_prompt_appears_once_for_all_hosts() -> Result<()> {
    let names = ["web1", "web2", "web3"];
    let sshd = Sshd::builder().passphrase("let me in").aliases(names).start();
    let answers = ScriptedPrompter::new(["let me in"]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    Group::of(&client, names)?.run("true").await.all_ok()?;
    assert_eq!(answers.prompts(), [format!("passphrase for `{}`: ", sshd.identity().display())]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_passphrase_is_prompted_again_up_to_three_times() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").start();
    let answers = ScriptedPrompter::new(["wrong", "let me in"]);
    client_of(&sshd, "").prompter(answers.clone()).build().connect("host")?.run("true").await?;
    assert_eq!(answers.prompts().len(), 2);

    let answers = ScriptedPrompter::new(["hunter2", "hunter2", "hunter2", "let me in"]);
    let host = client_of(&sshd, "").prompter(answers.clone()).build().connect("host")?;
    let error = expect_error(host.run("true").await, ErrorKind::Auth);
    assert!(error_text(&error).contains("passphrase for"), "{error:?}");
    assert!(!error_text(&error).contains("hunter2"), "a passphrase is shown: {error:?}");
    assert_eq!(answers.prompts().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_key_refused_by_the_server_needs_no_passphrase() -> Result<()> {
    let sshd = Sshd::start();
    let locked = Key::generate(sshd.dir().join("locked"), KeyType::Ed25519, "secret");
    let answers = ScriptedPrompter::new([]);
    let config = format!("IdentityFile {}\n", locked.path().display());
    client_of(&sshd, &config).prompter(answers.clone()).build().connect("host")?.run("true").await?;
    assert_eq!(answers.prompts(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn an_encrypted_key_without_a_prompter_is_named() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").start();
    let error = expect_error(connect(&sshd).run("true").await, ErrorKind::Auth);
    assert!(error_text(&error).contains("cannot prompt for the passphrase"), "{error:?}");
    assert!(error_text(&error).contains(&sshd.identity().display().to_string()), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_refused_login_names_the_tried_keys_and_the_accepted_methods() -> Result<()> {
    let sshd = Sshd::start();
    let wrong = Key::generate(sshd.dir().join("wrong"), KeyType::Ed25519, "");
    for half in [sshd.identity().to_owned(), sshd.identity_key().public_path()] {
        fs::remove_file(half).expect("the directory is ours");
    }
    let config = format!("IdentityFile {}\n", wrong.path().display());
    let error = expect_error(client_of(&sshd, &config).build().connect("host")?.run("true").await, ErrorKind::Auth);
    let text = error_text(&error);
    assert!(text.starts_with(&format!("error: host: could not log in as {}", sshd.user())), "{text}");
    assert!(text.contains(&format!("the server refused `{}`", wrong.path().display())), "{text}");
    let missing = sshd.identity().display();
    assert!(text.contains(&format!("could not be used: `{missing}` (no such file)")), "what was not sent: {text}");
    assert!(text.contains("it accepts publickey"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_login_without_keys_is_an_error() -> Result<()> {
    let sshd = Sshd::start();
    let error = expect_error(
        client_of(&sshd, "PubkeyAuthentication no\n").build().connect("host")?.run("true").await,
        ErrorKind::Auth,
    );
    assert!(error_text(&error).contains("the ssh config allows no key"), "{error:?}");
    assert!(error_text(&error).contains("it accepts publickey"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn one_bad_key_file_does_not_hide_the_next() -> Result<()> {
    let sshd = Sshd::start();
    let bad = sshd.dir().join("bad");
    fs::write(&bad, "this is no key").expect("the directory is ours");
    let config = format!("IdentityFile {}\n", bad.display());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    fs::remove_file(sshd.identity()).expect("the directory is ours");
    let error = expect_error(client_of(&sshd, &config).build().connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(error_text(&error).contains(&format!("`{}` (", bad.display())), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn too_many_keys_are_an_error_with_a_hint() -> Result<()> {
    let sshd = Sshd::builder().option("MaxAuthTries", "2").start();
    let wrong = ["one", "two", "three"].map(|name| Key::generate(sshd.dir().join(name), KeyType::Ed25519, ""));
    let config = identity_lines(&wrong);
    let error = expect_error(client_of(&sshd, &config).build().connect("host")?.run("true").await, ErrorKind::Auth);
    let text = error_text(&error);
    assert!(text.contains("the server closed the connection after"), "{text}");
    assert!(text.contains("IdentitiesOnly yes") && text.contains("-i"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_typed_key_is_offered_first_and_each_key_once() -> Result<()> {
    let sshd = Sshd::builder().option("MaxAuthTries", "2").start();
    let others = ["one", "two", "three"].map(|name| Key::generate(sshd.dir().join(name), KeyType::Ed25519, ""));
    let config = identity_lines(&others);
    let mut typed = settings(&ssh_config(&sshd, &config));
    typed.identities = vec![sshd.identity().to_owned()];
    Client::builder().settings(typed.clone()).build().connect("host")?.run("true").await?;

    // Two attempts suffice for the wrong key and the right key only if the wrong key is tried once.
    typed.identities = vec![others[0].path().to_owned(), others[0].path().to_owned(), sshd.identity().to_owned()];
    Client::builder().settings(typed).build().connect("host")?.run("true").await?;
    Ok(())
}

#[tokio::test]
async fn typed_keys_precede_config_keys_in_order() -> Result<()> {
    let sshd = Sshd::builder().option("MaxAuthTries", "10").start();
    let others = ["one", "two", "three"].map(|name| Key::generate(sshd.dir().join(name), KeyType::Ed25519, ""));
    let [one, two, three] = &others;
    let config = identity_lines(&[two.clone(), three.clone(), one.clone()]);
    let mut typed = settings(&ssh_config(&sshd, &config));
    typed.identities = [one, two, one].map(|key| key.path().to_owned()).to_vec();
    Client::builder().settings(typed).build().connect("host")?.run("true").await?;
    let log = sshd.log();
    let tried: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("Failed publickey") || line.contains("Accepted publickey"))
        .filter_map(|line| line.split(' ').find(|word| word.starts_with("SHA256:")))
        .collect();
    assert_eq!(tried, [one, two, three, sshd.identity_key()].map(Key::fingerprint), "{log}");
    Ok(())
}
