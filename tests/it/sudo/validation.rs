//! Validation of sudo: for a task that declares sudo, all hosts are checked before the run starts.

use fabrs::config::{Inventory, Mode, OnFailure, Settings, parse_host_args};
use fabrs::prelude::*;
use fabrs::transport::Fake;
use fabrs::{Client, ClientBuilder, Connection, Report, Secret};
use fabrs_testing::{Account, Capability, Sshd};

use super::{SudoFixture, password};
use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{
    capture, client_of, error_text, event_texts, execute, expect_error, fake_client, outcome_lines, settings,
    ssh_config,
};

/// A task without sudo, to run before the sudo task.
#[task]
async fn builds(c: Connection) -> Result {
    c.run("echo built").await?;
    Ok(())
}

#[task(sudo)]
async fn installs(c: Connection) -> Result {
    c.sudo("id -un; true").await?;
    Ok(())
}

/// Returns a server on which `web1` may use sudo with a password, and the login of `web2` may not
/// use sudo.
fn server() -> Option<Sshd> {
    let users = [Account::Sudo, Account::Plain];
    Capability::Sudo.is_available().then(|| Sshd::builder().users(users).aliases(["web1", "web2"]).start())
}

fn client(sshd: &Sshd, change: impl FnOnce(Settings) -> Settings) -> ClientBuilder {
    let plain = format!("Host web2\n    User {}\n", Account::Plain.name());
    let hosts = parse_host_args(&["web1,web2"]).expect("the host names are valid");
    let settings = change(settings(&ssh_config(sshd, &plain)));
    client_of(sshd, "").settings(settings).inventory(Inventory::default().with_hosts(hosts))
}

fn outcomes_by_stage(report: &Report) -> Vec<Vec<String>> {
    report.stages().iter().map(|stage| outcome_lines(&stage.outcomes)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_refuses_sudo_prevents_the_start_of_the_run() -> Result {
    let Some(sshd) = server() else { return Ok(()) };
    let (capture, sink) = capture();
    let client = client(&sshd, |settings| settings).sink(sink).sudo_password(password()).build();
    let report = execute(&client, [builds::call(), installs::call()]).await;
    assert_eq!(
        outcomes_by_stage(&report),
        [["web1: not started", "web2: not started"], ["web1: not started", "web2: failed"]],
        "{:?}",
        capture.events()
    );
    let (_, outcome) = report.stages()[1].outcomes.failed().nth(1).expect("web2 failed");
    let block = error_text(outcome.error().expect("the error has a cause"));
    assert!(
        block.starts_with("error: web2: sudo did not run `sudo -v`") && block.contains("may not run sudo"),
        "{block}"
    );
    assert!(capture.of_kind("task_started").is_empty(), "{:?}", capture.events());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn continue_on_failure_runs_the_hosts_with_sudo() -> Result {
    let Some(sshd) = server() else { return Ok(()) };
    let continuing_client = |settings: Settings| settings.on_failure(OnFailure::Continue);
    let client = client(&sshd, continuing_client).sudo_password(password()).build();
    let report = execute(&client, [builds::call(), installs::call()]).await;
    assert_eq!(outcomes_by_stage(&report), [["web1: ok", "web2: not started"], ["web1: ok", "web2: failed"]]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sudo_prompt_appears_once_before_the_first_command() -> Result {
    let answers = ScriptedPrompter::new([password().expose()]);
    let theirs = answers.clone();
    let typed = |sshd: &Sshd| {
        Inventory::default().with_hosts(parse_host_args(&[sshd.alias()]).expect("the host name is valid"))
    };
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder.prompter(theirs)) else { return Ok(()) };
    let (capture, sink) = capture();
    let asks = answers.clone();
    let client = client_of(&fixture.sshd, "").inventory(typed(&fixture.sshd)).sink(sink).prompter(asks).build();
    let report = execute(&client, [builds::call(), installs::call()]).await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(answers.prompts(), ["sudo password: "]);
    let commands = event_texts(&capture, "command_started", "command");
    assert_eq!(commands.len(), 3, "{commands:?}");
    assert!(commands[0].contains("sudo -v") && commands[1].contains("echo built"), "{commands:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_with_any_sudo_right_pass_validation() -> Result {
    for account in
        [Account::SudoNopasswd, Account::SudoPty, Account::SudoLimited, Account::SudoLimitedPasswd, Account::Root]
    {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        fixture.host().validate_sudo().await?;
        fixture.host().validate_sudo().user("root").await?;
        fixture.client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_without_sudo_rights_fail_validation_with_a_reason() -> Result {
    for (account, words) in [
        (Account::Plain, "may not run sudo"),
        (Account::SudoExpired, "expired"),
        (Account::SudoRequiretty, "a terminal is required"),
    ] {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let error = expect_error(fixture.host().validate_sudo().await, ErrorKind::Sudo);
        assert!(error_text(&error).contains(words), "{account:?}: {}", error_text(&error));
        fixture.client.close().await;
    }
    let Some(fixture) =
        SudoFixture::of(Account::Sudo, |builder| builder.sudo_password(Secret::new("wrong-one".to_owned())))
    else {
        return Ok(());
    };
    let error = expect_error(fixture.host().validate_sudo().await, ErrorKind::Sudo);
    assert!(error_text(&error).contains("the password is wrong"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_plans_the_validation_without_a_prompt() -> Result {
    let (capture, sink) = capture();
    let dry = Settings::default().mode(Mode::DryRun);
    let client: Client = fake_client(&Fake::new(), "web1").settings(dry).sink(sink).build();
    let report = execute(&client, [installs::call()]).await;
    assert!(report.is_ok(), "{report:?}");
    assert!(event_texts(&capture, "planned", "operation")[0].contains("sudo -v"), "{:?}", capture.events());
    Ok(())
}
