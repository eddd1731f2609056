//! Logins with passwords: configured or prompted, and never shown.

use fabrs::prelude::*;
use fabrs::{Client, Result, Secret};
use fabrs_testing::{Capability, Sshd};

use crate::answers::Answers;
use crate::support::{block, client_of, refused};

const NO_KEYS: &str = "PubkeyAuthentication no\n";

fn server() -> Option<Sshd> {
    Capability::Password.is_available().then(|| Sshd::builder().password_login().start())
}

#[tokio::test]
async fn a_password_that_was_given_logs_in() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let client = client_of(&sshd, NO_KEYS).password(Secret::new(sshd.password().to_owned())).build();
    assert_eq!(client.connect("host")?.run("id -un").line().await?, sshd.user());
    assert!(sshd.log().contains("Accepted password"), "{}", sshd.log());
    Ok(())
}

#[tokio::test]
async fn a_key_is_tried_before_a_password() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let client = client_of(&sshd, "").password(Secret::new("not needed".to_owned())).build();
    client.connect("host")?.run("true").await?;
    assert!(!sshd.log().contains("password"), "{}", sshd.log());
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_never_shown() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let client = client_of(&sshd, NO_KEYS).password(Secret::new("hunter2".to_owned())).build();
    let error = refused(client.connect("host")?.run("true").await, ErrorKind::Auth);
    let text = block(&error);
    assert!(text.contains("the server refused a password; it accepts publickey, password"), "{text}");
    assert!(!format!("{text} {error:?} {client:?}").contains("hunter2"), "{text}");
    assert!(!text.contains("cannot prompt"), "a password was there: {text}");
    assert_eq!(sshd.log().matches("Failed password").count(), 1, "{}", sshd.log());
    Ok(())
}

#[tokio::test]
async fn a_password_is_asked_for_by_user_and_host() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let answers = Answers::new(["wrong", sshd.password()]);
    let client = client_of(&sshd, NO_KEYS).prompter(answers.clone()).build();
    client.connect("host")?.run("true").await?;
    let question = format!("{}@host's password: ", sshd.user());
    assert_eq!(answers.asked(), [question.clone(), question]);
    Ok(())
}

#[tokio::test]
async fn a_person_has_three_tries() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let answers = Answers::new(["one", "two", "three", "four"]);
    let client = client_of(&sshd, NO_KEYS).prompter(answers.clone()).build();
    refused(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert_eq!(answers.asked().len(), 3);
    Ok(())
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_hint_says_so() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let client: Client = client_of(&sshd, NO_KEYS).build();
    let error = refused(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(block(&error).contains("hint: the server accepts passwords, but fabrs cannot prompt"), "{error:?}");
    Ok(())
}
