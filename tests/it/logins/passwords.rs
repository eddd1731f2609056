//! Logins with passwords: configured or prompted, and never shown.

use fabrs::prelude::*;
use fabrs::{Client, Result, Secret};
use fabrs_testing::{Capability, Sshd};

use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{client_of, error_text, expect_error};

const NO_KEYS: &str = "PubkeyAuthentication no\n";

fn server() -> Option<Sshd> {
    Capability::Password.is_available().then(|| Sshd::builder().password_login().start())
}

#[tokio::test]
async fn a_configured_password_logs_in() -> Result<()> {
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
    let error = expect_error(client.connect("host")?.run("true").await, ErrorKind::Auth);
    let text = error_text(&error);
    assert!(text.contains("the server refused a password; it accepts publickey, password"), "{text}");
    assert!(!format!("{text} {error:?} {client:?}").contains("hunter2"), "{text}");
    assert!(!text.contains("cannot prompt"), "a password was there: {text}");
    assert_eq!(sshd.log().matches("Failed password").count(), 1, "{}", sshd.log());
    Ok(())
}

#[tokio::test]
async fn the_password_prompt_names_user_and_host() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let answers = ScriptedPrompter::new(["wrong", sshd.password()]);
    let client = client_of(&sshd, NO_KEYS).prompter(answers.clone()).build();
    client.connect("host")?.run("true").await?;
    let question = format!("{}@host's password: ", sshd.user());
    assert_eq!(answers.prompts(), [question.clone(), question]);
    Ok(())
}

#[tokio::test]
async fn the_password_prompt_appears_up_to_three_times() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let answers = ScriptedPrompter::new(["one", "two", "three", "four"]);
    let client = client_of(&sshd, NO_KEYS).prompter(answers.clone()).build();
    expect_error(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert_eq!(answers.prompts().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_login_without_a_prompter_has_a_hint() -> Result<()> {
    let Some(sshd) = server() else { return Ok(()) };
    let client: Client = client_of(&sshd, NO_KEYS).build();
    let error = expect_error(client.connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(error_text(&error).contains("hint: the server accepts passwords, but fabrs cannot prompt"), "{error:?}");
    Ok(())
}
