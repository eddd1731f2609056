//! Validation of sudo: for a task that declares sudo, all hosts are checked before the run starts.

use fabrs::config::{Inventory, Mode, OnFailure, Settings, parse_host_args};
use fabrs::prelude::*;
use fabrs::transport::Fake;
use fabrs::{Client, ClientBuilder, Connection, Report, Secret};
use fabrs_testing::{Account, Capability, Sshd};

use super::{Lab, password};
use crate::answers::Answers;
use crate::support::{block, capture, carry_out, client_of, refused, scripted, settings, ssh_config, told, words};

/// A task without sudo that runs before the sudo task.
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
    let hosts = parse_host_args(&["web1,web2"]).expect("these are hosts");
    let settings = change(settings(&ssh_config(sshd, &plain)));
    client_of(sshd, "").settings(settings).inventory(Inventory::default().with_hosts(hosts))
}

fn of(report: &Report) -> Vec<Vec<String>> {
    report.stages().iter().map(|stage| words(&stage.outcomes)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_begins_anywhere_while_one_host_refuses_it() -> Result {
    let Some(sshd) = server() else { return Ok(()) };
    let (capture, sink) = capture();
    let client = client(&sshd, |settings| settings).sink(sink).sudo_password(password()).build();
    let report = carry_out(&client, [builds::call(), installs::call()]).await;
    assert_eq!(
        of(&report),
        [["web1: not started", "web2: not started"], ["web1: not started", "web2: failed"]],
        "{:?}",
        capture.events()
    );
    let (_, outcome) = report.stages()[1].outcomes.failed().nth(1).expect("web2 is no good");
    let block = block(outcome.error().expect("it says why"));
    assert!(
        block.starts_with("error: web2: sudo did not run `sudo -v`") && block.contains("may not run sudo"),
        "{block}"
    );
    assert!(capture.of_kind("task_started").is_empty(), "{:?}", capture.events());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_go_on_without_that_host_where_the_settings_say_so() -> Result {
    let Some(sshd) = server() else { return Ok(()) };
    let going_on = |settings: Settings| settings.on_failure(OnFailure::Continue);
    let client = client(&sshd, going_on).sudo_password(password()).build();
    let report = carry_out(&client, [builds::call(), installs::call()]).await;
    assert_eq!(of(&report), [["web1: ok", "web2: not started"], ["web1: ok", "web2: failed"]]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_is_asked_for_before_the_first_command_and_once() -> Result {
    let answers = Answers::new([password().expose()]);
    let theirs = answers.clone();
    let typed = |sshd: &Sshd| Inventory::default().with_hosts(parse_host_args(&[sshd.alias()]).expect("a host"));
    let Some(lab) = Lab::of(Account::Sudo, |builder| builder.prompter(theirs)) else { return Ok(()) };
    let (capture, sink) = capture();
    let asks = answers.clone();
    let client = client_of(&lab.sshd, "").inventory(typed(&lab.sshd)).sink(sink).prompter(asks).build();
    let report = carry_out(&client, [builds::call(), installs::call()]).await;
    assert!(report.is_ok(), "{report:?}");
    assert_eq!(answers.asked(), ["sudo password: "]);
    let commands = told(&capture, "command_started", "command");
    assert_eq!(commands.len(), 3, "{commands:?}");
    assert!(commands[0].contains("sudo -v") && commands[1].contains("echo built"), "{commands:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_do_anything_under_sudo_passes() -> Result {
    for account in
        [Account::SudoNopasswd, Account::SudoPty, Account::SudoLimited, Account::SudoLimitedPasswd, Account::Root]
    {
        let Some(lab) = Lab::with_password(account) else { return Ok(()) };
        lab.host().validate_sudo().await?;
        lab.host().validate_sudo().user("root").await?;
        lab.client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_do_nothing_is_told_why() -> Result {
    for (account, words) in [
        (Account::Plain, "may not run sudo"),
        (Account::SudoExpired, "expired"),
        (Account::SudoRequiretty, "a terminal is required"),
    ] {
        let Some(lab) = Lab::with_password(account) else { return Ok(()) };
        let error = refused(lab.host().validate_sudo().await, ErrorKind::Sudo);
        assert!(block(&error).contains(words), "{account:?}: {}", block(&error));
        lab.client.close().await;
    }
    let Some(lab) = Lab::of(Account::Sudo, |builder| builder.sudo_password(Secret::new("wrong-one".to_owned()))) else {
        return Ok(());
    };
    let error = refused(lab.host().validate_sudo().await, ErrorKind::Sudo);
    assert!(block(&error).contains("the password is wrong"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_plans_it_and_asks_nobody() -> Result {
    let (capture, sink) = capture();
    let dry = Settings::default().mode(Mode::DryRun);
    let client: Client = scripted(&Fake::new(), "web1").settings(dry).sink(sink).build();
    let report = carry_out(&client, [installs::call()]).await;
    assert!(report.is_ok(), "{report:?}");
    assert!(told(&capture, "planned", "operation")[0].contains("sudo -v"), "{:?}", capture.events());
    Ok(())
}
