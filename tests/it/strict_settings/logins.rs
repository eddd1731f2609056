//! Logins: key files readable by others, the order of methods, and the number of password prompts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use fabrs::prelude::*;
use fabrs::{Result, Secret};
use fabrs_testing::{Capability, Key, KeyType, Sshd};

use super::{connect_like_ssh, connect_with, refusal};
use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{capture, client_of, error_text, event_texts, expect_error};

#[tokio::test]
async fn a_private_key_that_others_can_read_is_not_used() -> Result<()> {
    let sshd = Sshd::start();
    for mode in [0o644, 0o640, 0o604, 0o610] {
        fs::set_permissions(sshd.identity(), Permissions::from_mode(mode)).expect("the file is ours");
        let text = error_text(&refusal(&sshd, "", ErrorKind::Auth).await);
        assert!(text.contains(&format!("(other users can read it: mode {mode:04o})")), "{text}");
    }
    let (captured, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect("host")?;
    expect_error(host.connect().await, ErrorKind::Auth);
    let expected = format!("`chmod 600 {}`", sshd.identity().display());
    assert!(event_texts(&captured, "warning", "text").iter().any(|text| text.ends_with(&expected)), "{captured:?}");
    fs::set_permissions(sshd.identity(), Permissions::from_mode(0o400)).expect("the file is ours");
    connect_like_ssh(&sshd, "").await
}

/// Encrypts a key with a passphrase, in a PEM format.
fn in_pem(key: &Key, format: &str, passphrase: &str) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-p", "-m", format, "-P", "", "-N", passphrase, "-f"]).arg(key.path());
    assert!(keygen.output().expect("`ssh-keygen` comes with openssh-client").status.success());
}

#[tokio::test]
async fn encrypted_pem_and_pkcs8_keys_ask_for_their_passphrase() -> Result<()> {
    for kind in [KeyType::Rsa, KeyType::Ecdsa] {
        for format in ["PEM", "PKCS8"] {
            for has_public in [true, false] {
                let sshd = Sshd::builder().identity_type(kind).start();
                in_pem(sshd.identity_key(), format, "let me in");
                let text = fs::read_to_string(sshd.identity()).expect("the file is ours");
                assert!(text.contains("ENCRYPTED"), "{text}");
                if !has_public {
                    fs::remove_file(sshd.identity_key().public_path()).expect("the file is ours");
                }
                let answers = ScriptedPrompter::new(["wrong", "let me in"]);
                let client = client_of(&sshd, "").prompter(answers.clone()).build();
                client.connect("host")?.run("true").await?;
                let question = format!("passphrase for `{}`: ", sshd.identity().display());
                assert_eq!(answers.prompts(), [question.clone(), question], "{kind:?} {format} {has_public}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_unsupported_pem_cipher_is_an_error_with_a_fix() {
    let sshd = Sshd::builder().identity_type(KeyType::Rsa).start();
    let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0011223344556677\n\n\
                AAAA\n-----END RSA PRIVATE KEY-----\n";
    fs::write(sshd.identity(), text).expect("the file is ours");
    let error = expect_error(connect_with(&sshd, "").await, ErrorKind::Auth);
    let text = error_text(&error);
    assert!(
        text.contains("the cipher DES-EDE3-CBC is not supported: convert the key with `ssh-keygen -p -f FILE`"),
        "{text}"
    );
}

/// Returns a server that requires these methods, in this order.
fn server_requiring(methods: &str) -> Option<Sshd> {
    let can = Capability::Password.is_available();
    can.then(|| Sshd::builder().password_login().option("AuthenticationMethods", methods).start())
}

#[tokio::test]
async fn a_key_after_a_password_logs_in() -> Result<()> {
    let Some(sshd) = server_requiring("password,publickey") else { return Ok(()) };
    let given = client_of(&sshd, "").password(Secret::new(sshd.password().to_owned())).build();
    given.connect("host")?.run("true").await?;
    let answers = ScriptedPrompter::new([sshd.password()]);
    client_of(&sshd, "").prompter(answers.clone()).build().connect("host")?.run("true").await?;
    assert_eq!(answers.prompts().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_password_after_a_key_logs_in() -> Result<()> {
    let Some(sshd) = server_requiring("publickey,password") else { return Ok(()) };
    let answers = ScriptedPrompter::new([sshd.password()]);
    client_of(&sshd, "").prompter(answers.clone()).build().connect("host")?.run("true").await?;
    assert_eq!(answers.prompts().len(), 1);
    let without = client_of(&sshd, "").build().connect("host")?;
    let text = error_text(&expect_error(without.connect().await, ErrorKind::Auth));
    let key = sshd.identity().display();
    assert!(
        text.contains(&format!("the server accepted `{key}`, and requires another method; it accepts password")),
        "{text}"
    );
    let answers = ScriptedPrompter::new(["wrong", "wrong", "wrong"]);
    let wrong = client_of(&sshd, "").prompter(answers).build().connect("host")?;
    let text = error_text(&expect_error(wrong.connect().await, ErrorKind::Auth));
    assert!(text.contains(&format!("the server accepted `{key}`, and refused a password")), "{text}");
    Ok(())
}

#[tokio::test]
async fn preferred_methods_come_first_and_others_are_left_out() -> Result<()> {
    if !Capability::Password.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().password_login().option("MaxAuthTries", "2").start();
    let keys: Vec<Key> =
        (0..4).map(|at| Key::generate(sshd.dir().join(format!("wrong{at}")), KeyType::Ed25519, "")).collect();
    let named: Vec<String> = keys.iter().map(|key| format!("IdentityFile {}\n", key.path().display())).collect();
    let named = named.concat();
    let password = || Secret::new(sshd.password().to_owned());
    // Four wrong keys exceed the attempts allowed by the server.
    expect_error(
        client_of(&sshd, &named).password(password()).build().connect("host")?.connect().await,
        ErrorKind::Auth,
    );
    let preferred = format!("PreferredAuthentications nonsense,password\n{named}");
    client_of(&sshd, &preferred).password(password()).build().connect("host")?.connect().await?;
    let only = client_of(&sshd, "PreferredAuthentications password\n").build().connect("host")?;
    let text = error_text(&expect_error(only.connect().await, ErrorKind::Auth));
    assert!(!text.contains("the server refused `"), "a key was offered: {text}");
    refusal(&sshd, "PreferredAuthentications password\n", ErrorKind::Auth).await;
    Ok(())
}

#[tokio::test]
async fn the_number_of_password_prompts_is_configurable() -> Result<()> {
    if !Capability::Password.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().password_login().start();
    for (count, expected) in [("1", 1), ("2", 2), ("0", 0)] {
        let answers = ScriptedPrompter::new(["one", "two", "three", "four"]);
        let config = format!("PubkeyAuthentication no\nNumberOfPasswordPrompts {count}\n");
        let host = client_of(&sshd, &config).prompter(answers.clone()).build().connect("host")?;
        expect_error(host.connect().await, ErrorKind::Auth);
        assert_eq!(answers.prompts().len(), expected, "{count}");
    }
    Ok(())
}
