//! sudo passwords: their sources, the number of prompts, and their secrecy.

use std::os::unix::fs::PermissionsExt;

use fabrs::config::{PasswordSource, Settings};
use fabrs::event::Stream;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer, StopLevel};
use fabrs::{ClientBuilder, Secret};
use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};

use super::{SudoFixture, password};
use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{LIMIT, capture, client_of, error_text, expect_error, settings, ssh_config, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sudo_prompt_appears_once_for_all_hosts_and_commands() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1", "web2", "web3"]).start();
    let answers = ScriptedPrompter::new([password().expose()]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    let outcomes = Group::of(&client, ["web1", "web2", "web3"])?
        .each(|host| async move {
            host.sudo("id -un; true").await?;
            host.sudo("id -un").await?.line()
        })
        .await;
    assert!(outcomes.all_ok()?.iter().all(|(_, user)| user == "root"));
    assert_eq!(answers.prompts(), ["sudo password: "]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_prompted_again_and_never_sent_twice() -> Result {
    let answers = ScriptedPrompter::new(["wrong-one", "wrong-one", password().expose()]);
    let theirs = answers.clone();
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder.prompter(theirs)) else { return Ok(()) };
    assert_eq!(fixture.host().sudo("id -un; true").await?.line()?, "root");
    assert_eq!(fixture.host().sudo("id -un").await?.line()?, "root", "the password is cached");
    let prompts = answers.prompts();
    assert_eq!((prompts.len(), prompts[0].as_str()), (3, "sudo password: "));
    assert!(prompts[1].starts_with("host: ") && prompts[1].contains("sudo rejected the password"), "{prompts:?}");
    assert!(prompts[2].contains("this password was rejected already"), "it was not tried again: {prompts:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sudo_prompt_appears_up_to_three_times() -> Result {
    let answers = ScriptedPrompter::new(["one", "two", "three", "four"]);
    let theirs = answers.clone();
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder.prompter(theirs)) else { return Ok(()) };
    let error = expect_error(fixture.host().sudo("id -un; true").await, ErrorKind::Sudo);
    assert!(error_text(&error).contains("the password is wrong"), "{error:?}");
    assert_eq!(answers.prompts().len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_without_a_required_password_does_not_prompt() -> Result {
    for account in [Account::SudoNopasswd, Account::SudoPty, Account::SudoLimited] {
        let answers = ScriptedPrompter::new([]);
        let theirs = answers.clone();
        let Some(fixture) = SudoFixture::of(account, |builder| builder.prompter(theirs)) else { return Ok(()) };
        assert_eq!(fixture.host().sudo("/usr/bin/id -un").await?.line()?, "root");
        assert_eq!(answers.prompts(), [""; 0]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_valid_ticket_needs_no_password() -> Result {
    let Some(fixture) = SudoFixture::of(Account::SudoTicket, |builder| builder) else { return Ok(()) };
    let host = fixture.host();
    host.run("sudo -K").await?;
    expect_error(host.sudo("id -un; true").await, ErrorKind::Sudo);
    host.run("sudo -S -v -p ''").stdin(format!("{}\n", password().expose())).await?;
    assert_eq!(host.sudo("id -un; cat").stdin(" and its input").await?.lines()?, ["root", " and its input"]);
    assert_eq!(host.sudo("id -un").await?.line()?, "root");
    host.run("sudo -K").await?;
    Ok(())
}

/// Runs a command under sudo with these settings. Returns the server with the events of the run.
async fn lab_with_settings(settings_of: impl FnOnce(Settings) -> Settings) -> Result<Option<SudoFixture>> {
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder: ClientBuilder| builder) else { return Ok(None) };
    let (events, sink) = capture();
    let settings = settings_of(settings(&ssh_config(&fixture.sshd, "")));
    let client = Client::builder().settings(settings).sink(sink).build();
    let fixture = SudoFixture { client, events, ..fixture };
    assert_eq!(fixture.host().sudo("id -un; true").await?.line()?, "root");
    Ok(Some(fixture))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_file_is_read_with_a_warning_if_not_private() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), format!("{}\nanother line\n", password().expose()))?;
    for (mode, warnings) in [(0o600, 0), (0o640, 1)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode))?;
        let from = PasswordSource::File(file.path().to_owned());
        let fixture = lab_with_settings(|settings| settings.sudo_password(from)).await?;
        assert_eq!(fixture.map(|fixture| fixture.events.of_kind("warning").len()), Some(warnings), "{mode:o}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_read_from_a_local_command() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), password().expose())?;
    let from = |line: String| move |settings: Settings| settings.sudo_password(PasswordSource::Command(line));
    lab_with_settings(from(format!("cat {}; echo; echo more", file.path().display()))).await?;
    let failed = lab_with_settings(from("echo half; exit 3".to_owned())).await.map(drop).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Local);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configured_password_is_sent_once() -> Result {
    let wrong = Secret::new("not-the-password".to_owned());
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder.sudo_password(wrong)) else { return Ok(()) };
    for _ in 0..2 {
        let error = expect_error(fixture.host().sudo("id -un; true").await, ErrorKind::Sudo);
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref());
        assert_eq!(source, Some(&SudoRefusal::PasswordWrong), "{error:?}");
        assert!(
            !error_text(&error).contains("not-the-password") && !fixture.events_as_text().contains("not-the-password")
        );
    }
    Ok(())
}

/// A prompter that waits for a permit before each answer.
#[derive(Debug, Clone)]
struct DelayedPrompter {
    answers: ScriptedPrompter,
    permits: std::sync::Arc<tokio::sync::Semaphore>,
}

impl fabrs::transport::Prompter for DelayedPrompter {
    fn line<'a>(&'a self, question: &'a str) -> futures::future::BoxFuture<'a, fabrs::Result<String>> {
        self.answers.line(question)
    }

    fn secret<'a>(&'a self, question: &'a str) -> futures::future::BoxFuture<'a, fabrs::Result<Secret>> {
        Box::pin(async {
            drop(self.permits.acquire().await);
            self.answers.secret(question).await
        })
    }

    fn is_available(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_spawned_during_a_prompt_do_not_deadlock() -> Result {
    let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let slow = DelayedPrompter {
        answers: ScriptedPrompter::new([password().expose()]),
        permits: std::sync::Arc::clone(&permits),
    };
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder.prompter(slow)) else { return Ok(()) };
    let host = fixture.host();
    let first = host.sudo("id -un; true").spawn()?;
    let in_the_background = host.sudo("id -un; echo spawned").spawn()?;
    let others = async {
        permits.add_permits(1);
        host.sudo("id -un; echo awaited").await
    };
    let awaited = within_limit(others).await?;
    assert_eq!(awaited.tail(1)?, "awaited");
    assert_eq!(within_limit(in_the_background).await?.tail(1)?, "spawned");
    assert_eq!(within_limit(first).await?.line()?, "root");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_password_is_sent_to_one_host_only() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1", "web2", "web3"]).start();
    let answers = ScriptedPrompter::new(["a slip", password().expose()]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    let group = Group::of(&client, ["web1", "web2", "web3"])?;
    group.each(|host| async move { host.sudo("id; true").await }).await.all_ok()?;
    assert_eq!(answers.prompts().len(), 2, "{:?}", answers.prompts());
    client.close().await;
    Ok(())
}

/// sudo must never read the stdin of a command as a password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stdin_of_a_command_is_never_read_as_a_password() -> Result {
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder) else { return Ok(()) };
    let input = format!("{}\nrest\n", password().expose());
    expect_error(fixture.host().sudo("cat; true").stdin(input.clone()).await, ErrorKind::Sudo);
    expect_error(fixture.host().sudo("cat").stdin(input).await, ErrorKind::Sudo);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_absent_from_arguments_environment_output_events_and_debug() -> Result {
    for account in [Account::Sudo, Account::SudoLimitedPasswd] {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let (host, secret) = (fixture.host(), password());
        // Root can see the arguments and environment of all processes, including sudo, while the
        // command runs.
        let look = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'";
        let command = if account == Account::Sudo { host.sudo(look) } else { host.sudo("/usr/bin/id -un") };
        let shown = format!("{command:?}");
        host.sudo("/usr/bin/id -un").await?;
        assert!(!fixture.events_as_text().contains("fabrs-"), "nothing of the marks: {}", fixture.events_as_text());
        let output = command.capture_all().await?;
        let (stdout, stderr) = (output.stdout()?, output.stderr()?);
        if account == Account::Sudo {
            assert!(stdout.contains("sudo"), "the list contains sudo");
        }
        for (place, text) in [("debug", shown.as_str()), ("output", &stdout), ("stderr", &stderr)] {
            assert!(!text.contains(secret.expose()), "{place} has it");
        }
        assert_eq!(stderr, "", "no part of the prompt remains");
        assert!(!fixture.events_as_text().contains(secret.expose()));
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_password_command_needs_allowed_local_programs() -> Result {
    use fabrs::config::{Config, Inventory};

    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1", "web2"]).start();
    let folder = tempfile::tempdir()?;
    let (file, prompts) = (folder.path().join("password"), folder.path().join("asked"));
    std::fs::write(&file, password().expose())?;
    let text = format!(
        "[env.live]\nhosts = ['web1', 'web2']\nsudo_password_command = 'echo not-of-{{host}}'\n\
         host.web1.sudo_password_command = 'echo {{host}} >> {}; cat {}'",
        prompts.display(),
        file.display()
    );
    let inventory =
        || -> Result<Inventory> { Ok(Inventory::new(&Config::parse(&text, "fabrs.toml".as_ref())?, Some("live"))?) };
    let client = client_of(&sshd, "").inventory(inventory()?).allow_local_programs().build();
    let (web1, web2) = (client.connect("web1")?, client.connect("web2")?);
    let (one, two) = tokio::join!(web1.sudo("id -un; true"), web1.sudo("id -un; false || true"));
    assert_eq!((one?.line()?.as_str(), two?.line()?.as_str()), ("root", "root"));
    assert_eq!(std::fs::read_to_string(&prompts)?, "web1\n", "the command runs once");
    let error = expect_error(web2.sudo("id; true").await, ErrorKind::Sudo);
    assert!(
        error_text(&error).contains("the password is wrong") && !error_text(&error).contains("not-of-web2"),
        "{error:?}"
    );
    client.close().await;

    let client = client_of(&sshd, "").inventory(inventory()?).build();
    let error = expect_error(client.connect("web1")?.sudo("id; true").await, ErrorKind::Config);
    assert!(error_text(&error).contains("call `ClientBuilder::allow_local_programs`"), "{}", error_text(&error));
    let client = client_of(&sshd, "").inventory(inventory()?).sudo_password(password()).build();
    client.connect("web2")?.sudo("id; true").await?;
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_password_source_does_not_block_a_stop() -> Result {
    let (mark, folder) = (marker(), tempfile::tempdir()?);
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status()?.success());
    let is_looked_for = [
        (PasswordSource::Command(format!("sleep {mark} | head -n 1")), {
            let mark = mark.clone();
            Box::new(move || {
                let sleeps = || processes_matching(&mark).iter().any(|process| process.cmdline.starts_with("sleep "));
                wait_until("the program runs", LIMIT, sleeps);
                None
            }) as Box<dyn FnOnce() -> Option<std::fs::File> + Send>
        }),
        // A FIFO opens for writing only after a reader has opened the other end.
        (PasswordSource::File(pipe.clone()), Box::new(move || std::fs::OpenOptions::new().write(true).open(pipe).ok())),
    ];
    for (from, is_read) in is_looked_for {
        let asks = FakeAnswer::code(1).then(Stream::Stderr, "sudo: a password is required\n");
        let settings = Settings::default().sudo_password(from);
        let client = Client::builder().dial(Fake::new().on("sudo id", asks)).settings(settings).build();
        let host = client.connect("web1")?;
        let (ended, opened) = tokio::join!(within_limit(host.sudo("id")), async {
            let opened = tokio::task::spawn_blocking(is_read).await;
            client.stop().raise(StopLevel::Stop);
            opened
        });
        expect_error(ended, ErrorKind::Cancelled);
        client.close().await;
        drop(opened);
    }
    wait_until("the program has ended", LIMIT, || processes_matching(&mark).is_empty());
    Ok(())
}
