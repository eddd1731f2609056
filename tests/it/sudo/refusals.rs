//! sudo refusals: a separate error kind with the reason and a hint.

use fabrs::event::Stream;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Connection, Error};
use fabrs_testing::Account;

use super::SudoFixture;
use crate::support::{error_text, expect_error};

/// Returns the refusals of both forms of a command: plain words, and a line for a shell.
async fn refusals(host: &Connection) -> Vec<(SudoRefusal, Error)> {
    let mut all = Vec::new();
    for command in [host.sudo("whoami"), host.sudo("whoami; true")] {
        let error = expect_error(command.await, ErrorKind::Sudo);
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<SudoRefusal>());
        all.push((source.expect("the error has a cause").clone(), error));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_password_is_an_error_with_a_hint() -> Result {
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder) else { return Ok(()) };
    for (refusal, error) in refusals(&fixture.host()).await {
        assert_eq!(refusal, SudoRefusal::PasswordNeeded);
        let block = error_text(&error);
        assert!(block.starts_with("error: host: sudo did not run `sudo "), "{block}");
        assert!(
            block.contains("caused by: a password is required") && block.contains("`--password-file FILE`"),
            "{block}"
        );
        assert_eq!(error.exit_code().code(), 1);
        assert!(error.location().is_some_and(|at| at.file().ends_with("refusals.rs")), "{error:?}");
    }
    // sudo's messages are not shown as output of the command.
    assert_eq!(fixture.events.of_kind("output_lines"), [serde_json::Value::Null; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_sudo_rights_is_refused_after_the_password() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::Plain) else { return Ok(()) };
    for (refusal, _) in refusals(&fixture.host()).await {
        assert!(matches!(&refusal, SudoRefusal::NotAllowed(why) if why.contains("sudoers")), "{refusal:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_without_a_rule_is_refused_in_both_forms() -> Result {
    for account in [Account::SudoLimited, Account::SudoLimitedPasswd] {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        for (refusal, error) in refusals(&fixture.host()).await {
            let SudoRefusal::NotAllowed(why) = refusal else { panic!("{error:?}") };
            assert!(why.contains("not allowed"), "{why}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_terminal_is_an_error_with_a_hint() -> Result {
    let Some(fixture) = SudoFixture::of(Account::SudoRequiretty, |builder| builder) else { return Ok(()) };
    for (refusal, error) in refusals(&fixture.host()).await {
        assert_eq!(refusal, SudoRefusal::NoTerminal);
        assert!(error_text(&error).contains("`.pty()`"), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_password_is_reported_with_the_message_of_sudo() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::SudoExpired) else { return Ok(()) };
    for (refusal, error) in refusals(&fixture.host()).await {
        assert!(matches!(&refusal, SudoRefusal::Expired(why) if why.contains("expired")), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_user_is_reported_with_the_message_of_sudo() -> Result {
    let Some(fixture) = SudoFixture::of(Account::SudoNopasswd, |builder| builder) else { return Ok(()) };
    for line in ["id; true", "id -un"] {
        let error = expect_error(fixture.host().sudo(line).user("no-such-user").await, ErrorKind::Sudo);
        assert!(error_text(&error).contains("unknown user no-such-user"), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_sudo_is_distinct_from_a_missing_command() -> Result {
    let missing = FakeAnswer::code(127).then(Stream::Stderr, "sh: 1: sudo: not found\n");
    let client = Client::builder().dial(Fake::new().on("sudo id", missing)).build();
    let error = expect_error(client.connect("web1")?.sudo("id").await, ErrorKind::Sudo);
    assert!(error_text(&error).contains("caused by: sudo or doas is not installed on the host"), "{error:?}");

    let Some(fixture) = SudoFixture::of(Account::SudoNopasswd, |builder| builder) else { return Ok(()) };
    let output = fixture.host().sudo("no-such-program").warn().await?;
    assert_ne!(output.status()?.shell_code(), 0, "sudo ran, and found no such program");
    let error = expect_error(
        fixture.host().sudo("sh -c 'echo it is not allowed to do this >&2; exit 1'").await,
        ErrorKind::Exit,
    );
    assert!(error.output().is_some(), "a refusal by the command is not a refusal by sudo");
    Ok(())
}
