//! Logins with key files, plain and encrypted.

use std::fs;

use fabrs::prelude::*;
use fabrs::{Group, Result};
use fabrs_testing::{Key, KeyType, Sshd};

use crate::answers::Answers;
use crate::support::{block, client_of, connect, refused, settings, ssh_config};

/// Returns config lines that name keys.
fn named(keys: &[Key]) -> String {
    let lines: Vec<String> = keys.iter().map(|key| format!("IdentityFile {}\n", key.path().display())).collect();
    lines.concat()
}

#[tokio::test]
async fn every_kind_of_key_logs_in() -> Result<()> {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let sshd = Sshd::builder().identity_type(kind).start();
        connect(&sshd).run("true").await?;
        assert!(sshd.log().contains(&sshd.identity_key().fingerprint()), "{kind:?}: {}", sshd.log());
    }
    Ok(())
}

#[tokio::test]
async fn a_passphrase_is_asked_for_once_for_all_hosts() -> Result<()> {
    let names = ["web1", "web2", "web3"];
    let sshd = Sshd::builder().passphrase("let me in").aliases(names).start();
    let answers = Answers::new(["let me in"]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    Group::of(&client, names)?.run("true").await.all_ok()?;
    assert_eq!(answers.asked(), [format!("passphrase for `{}`: ", sshd.identity().display())]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_passphrase_is_asked_for_again_and_not_for_ever() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").start();
    let answers = Answers::new(["wrong", "let me in"]);
    client_of(&sshd, "").prompter(answers.clone()).build().connect("host")?.run("true").await?;
    assert_eq!(answers.asked().len(), 2);

    let answers = Answers::new(["hunter2", "hunter2", "hunter2", "let me in"]);
    let host = client_of(&sshd, "").prompter(answers.clone()).build().connect("host")?;
    let error = refused(host.run("true").await, ErrorKind::Auth);
    assert!(block(&error).contains("passphrase for"), "{error:?}");
    assert!(!block(&error).contains("hunter2"), "a passphrase is shown: {error:?}");
    assert_eq!(answers.asked().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_passphrase_is_not_asked_for_where_the_server_would_not_take_the_key() -> Result<()> {
    let sshd = Sshd::start();
    let locked = Key::generate(sshd.dir().join("locked"), KeyType::Ed25519, "secret");
    let answers = Answers::new([]);
    let config = format!("IdentityFile {}\n", locked.path().display());
    client_of(&sshd, &config).prompter(answers.clone()).build().connect("host")?.run("true").await?;
    assert_eq!(answers.asked(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_locked_key_without_anyone_to_ask_is_named() -> Result<()> {
    let sshd = Sshd::builder().passphrase("let me in").start();
    let error = refused(connect(&sshd).run("true").await, ErrorKind::Auth);
    assert!(block(&error).contains("cannot prompt for the passphrase"), "{error:?}");
    assert!(block(&error).contains(&sshd.identity().display().to_string()), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_refused_login_names_what_was_tried_and_what_would_be_taken() -> Result<()> {
    let sshd = Sshd::start();
    let wrong = Key::generate(sshd.dir().join("wrong"), KeyType::Ed25519, "");
    for half in [sshd.identity().to_owned(), sshd.identity_key().public_path()] {
        fs::remove_file(half).expect("the directory is ours");
    }
    let config = format!("IdentityFile {}\n", wrong.path().display());
    let error = refused(client_of(&sshd, &config).build().connect("host")?.run("true").await, ErrorKind::Auth);
    let text = block(&error);
    assert!(text.starts_with(&format!("error: host: could not log in as {}", sshd.user())), "{text}");
    assert!(text.contains(&format!("the server refused `{}`", wrong.path().display())), "{text}");
    let missing = sshd.identity().display();
    assert!(text.contains(&format!("could not be used: `{missing}` (no such file)")), "what was not sent: {text}");
    assert!(text.contains("it accepts publickey"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_login_without_any_key_says_so() -> Result<()> {
    let sshd = Sshd::start();
    let error = refused(
        client_of(&sshd, "PubkeyAuthentication no\n").build().connect("host")?.run("true").await,
        ErrorKind::Auth,
    );
    assert!(block(&error).contains("the ssh config allows no key"), "{error:?}");
    assert!(block(&error).contains("it accepts publickey"), "{error:?}");
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
    let error = refused(client_of(&sshd, &config).build().connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(block(&error).contains(&format!("`{}` (", bad.display())), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_hangs_up_after_too_many_keys_is_told_with_what_to_do() -> Result<()> {
    let sshd = Sshd::builder().option("MaxAuthTries", "2").start();
    let wrong = ["one", "two", "three"].map(|name| Key::generate(sshd.dir().join(name), KeyType::Ed25519, ""));
    let config = named(&wrong);
    let error = refused(client_of(&sshd, &config).build().connect("host")?.run("true").await, ErrorKind::Auth);
    let text = block(&error);
    assert!(text.contains("the server closed the connection after"), "{text}");
    assert!(text.contains("IdentitiesOnly yes") && text.contains("-i"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_key_that_was_typed_is_offered_first_and_each_key_once() -> Result<()> {
    let sshd = Sshd::builder().option("MaxAuthTries", "2").start();
    let others = ["one", "two", "three"].map(|name| Key::generate(sshd.dir().join(name), KeyType::Ed25519, ""));
    let config = named(&others);
    let mut typed = settings(&ssh_config(&sshd, &config));
    typed.identities = vec![sshd.identity().to_owned()];
    Client::builder().settings(typed.clone()).build().connect("host")?.run("true").await?;

    // Two attempts suffice for the wrong key and the right key only if the wrong key is tried once.
    typed.identities = vec![others[0].path().to_owned(), others[0].path().to_owned(), sshd.identity().to_owned()];
    Client::builder().settings(typed).build().connect("host")?.run("true").await?;
    Ok(())
}

#[tokio::test]
async fn keys_that_were_typed_go_before_those_of_the_config_in_their_order_each_once() -> Result<()> {
    let sshd = Sshd::builder().option("MaxAuthTries", "10").start();
    let others = ["one", "two", "three"].map(|name| Key::generate(sshd.dir().join(name), KeyType::Ed25519, ""));
    let [one, two, three] = &others;
    let config = named(&[two.clone(), three.clone(), one.clone()]);
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
