//! sudo passwords: their sources, the number of prompts, and their secrecy.

use std::os::unix::fs::PermissionsExt;

use fabrs::config::{PasswordSource, Settings};
use fabrs::event::Stream;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer, StopLevel};
use fabrs::{ClientBuilder, Secret};
use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};

use super::{Lab, password};
use crate::answers::Answers;
use crate::support::{LIMIT, block, capture, client_of, refused, settings, soon, ssh_config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_asked_once_for_all_hosts_and_commands() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1", "web2", "web3"]).start();
    let answers = Answers::new([password().expose()]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    let outcomes = Group::of(&client, ["web1", "web2", "web3"])?
        .each(|host| async move {
            host.sudo("id -un; true").await?;
            host.sudo("id -un").await?.line()
        })
        .await;
    assert!(outcomes.all_ok()?.iter().all(|(_, user)| user == "root"));
    assert_eq!(answers.asked(), ["sudo password: "]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_asked_for_again_and_never_tried_twice() -> Result {
    let answers = Answers::new(["wrong-one", "wrong-one", password().expose()]);
    let theirs = answers.clone();
    let Some(lab) = Lab::of(Account::Sudo, |builder| builder.prompter(theirs)) else { return Ok(()) };
    assert_eq!(lab.host().sudo("id -un; true").await?.line()?, "root");
    assert_eq!(lab.host().sudo("id -un").await?.line()?, "root", "it is known from now on");
    let asked = answers.asked();
    assert_eq!((asked.len(), asked[0].as_str()), (3, "sudo password: "));
    assert!(asked[1].starts_with("host: ") && asked[1].contains("sudo rejected the password"), "{asked:?}");
    assert!(asked[2].contains("this password was rejected already"), "it was not tried again: {asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_does_not_know_it_is_asked_three_times() -> Result {
    let answers = Answers::new(["one", "two", "three", "four"]);
    let theirs = answers.clone();
    let Some(lab) = Lab::of(Account::Sudo, |builder| builder.prompter(theirs)) else { return Ok(()) };
    let error = refused(lab.host().sudo("id -un; true").await, ErrorKind::Sudo);
    assert!(block(&error).contains("the password is wrong"), "{error:?}");
    assert_eq!(answers.asked().len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sudo_wanting_one_nobody_is_asked() -> Result {
    for account in [Account::SudoNopasswd, Account::SudoPty, Account::SudoLimited] {
        let answers = Answers::new([]);
        let theirs = answers.clone();
        let Some(lab) = Lab::of(account, |builder| builder.prompter(theirs)) else { return Ok(()) };
        assert_eq!(lab.host().sudo("/usr/bin/id -un").await?.line()?, "root");
        assert_eq!(answers.asked(), [""; 0]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_is_still_good_needs_no_password() -> Result {
    let Some(lab) = Lab::of(Account::SudoTicket, |builder| builder) else { return Ok(()) };
    let host = lab.host();
    host.run("sudo -K").await?;
    refused(host.sudo("id -un; true").await, ErrorKind::Sudo);
    host.run("sudo -S -v -p ''").stdin(format!("{}\n", password().expose())).await?;
    assert_eq!(host.sudo("id -un; cat").stdin(" and its input").await?.lines()?, ["root", " and its input"]);
    assert_eq!(host.sudo("id -un").await?.line()?, "root");
    host.run("sudo -K").await?;
    Ok(())
}

/// Runs a command under sudo with these settings. Returns the server with the events of the run.
async fn with(settings_of: impl FnOnce(Settings) -> Settings) -> Result<Option<Lab>> {
    let Some(lab) = Lab::of(Account::Sudo, |builder: ClientBuilder| builder) else { return Ok(None) };
    let (told, sink) = capture();
    let settings = settings_of(settings(&ssh_config(&lab.sshd, "")));
    let client = Client::builder().settings(settings).sink(sink).build();
    let lab = Lab { client, told, ..lab };
    assert_eq!(lab.host().sudo("id -un; true").await?.line()?, "root");
    Ok(Some(lab))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_comes_from_a_file_that_only_its_owner_should_read() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), format!("{}\nanother line\n", password().expose()))?;
    for (mode, warnings) in [(0o600, 0), (0o640, 1)] {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode))?;
        let from = PasswordSource::File(file.path().to_owned());
        let lab = with(|settings| settings.sudo_password(from)).await?;
        assert_eq!(lab.map(|lab| lab.told.of_kind("warning").len()), Some(warnings), "{mode:o}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_comes_from_a_command_of_this_machine() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), password().expose())?;
    let from = |line: String| move |settings: Settings| settings.sudo_password(PasswordSource::Command(line));
    with(from(format!("cat {}; echo; echo more", file.path().display()))).await?;
    let failed = with(from("echo half; exit 3".to_owned())).await.map(drop).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Local);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_given_password_that_is_wrong_is_tried_once_and_an_error() -> Result {
    let wrong = Secret::new("not-the-password".to_owned());
    let Some(lab) = Lab::of(Account::Sudo, |builder| builder.sudo_password(wrong)) else { return Ok(()) };
    for _ in 0..2 {
        let error = refused(lab.host().sudo("id -un; true").await, ErrorKind::Sudo);
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref());
        assert_eq!(source, Some(&SudoRefusal::PasswordWrong), "{error:?}");
        assert!(!block(&error).contains("not-the-password") && !lab.everything_told().contains("not-the-password"));
    }
    Ok(())
}

/// A prompter that answers only after a permit.
#[derive(Debug, Clone)]
struct Slow {
    answers: Answers,
    let_go: std::sync::Arc<tokio::sync::Semaphore>,
}

impl fabrs::transport::Prompter for Slow {
    fn line<'a>(&'a self, question: &'a str) -> futures::future::BoxFuture<'a, fabrs::Result<String>> {
        self.answers.line(question)
    }

    fn secret<'a>(&'a self, question: &'a str) -> futures::future::BoxFuture<'a, fabrs::Result<Secret>> {
        Box::pin(async {
            drop(self.let_go.acquire().await);
            self.answers.secret(question).await
        })
    }

    fn is_available(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spawned_while_a_person_thinks_holds_up_nobody() -> Result {
    let let_go = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let slow = Slow { answers: Answers::new([password().expose()]), let_go: std::sync::Arc::clone(&let_go) };
    let Some(lab) = Lab::of(Account::Sudo, |builder| builder.prompter(slow)) else { return Ok(()) };
    let host = lab.host();
    let first = host.sudo("id -un; true").spawn()?;
    let in_the_background = host.sudo("id -un; echo spawned").spawn()?;
    let others = async {
        let_go.add_permits(1);
        host.sudo("id -un; echo awaited").await
    };
    let awaited = soon(others).await?;
    assert_eq!(awaited.tail(1)?, "awaited");
    assert_eq!(soon(in_the_background).await?.tail(1)?, "spawned");
    assert_eq!(soon(first).await?.line()?, "root");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_of_a_finger_is_tried_on_one_host_and_the_next_answer_is_for_all() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1", "web2", "web3"]).start();
    let answers = Answers::new(["a slip", password().expose()]);
    let client = client_of(&sshd, "").prompter(answers.clone()).build();
    let group = Group::of(&client, ["web1", "web2", "web3"])?;
    group.each(|host| async move { host.sudo("id; true").await }).await.all_ok()?;
    assert_eq!(answers.asked().len(), 2, "{:?}", answers.asked());
    client.close().await;
    Ok(())
}

/// sudo must never read the stdin of a command as a password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_is_to_read_is_never_taken_for_the_password() -> Result {
    let Some(lab) = Lab::of(Account::Sudo, |builder| builder) else { return Ok(()) };
    let input = format!("{}\nrest\n", password().expose());
    refused(lab.host().sudo("cat; true").stdin(input.clone()).await, ErrorKind::Sudo);
    refused(lab.host().sudo("cat").stdin(input).await, ErrorKind::Sudo);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_in_no_argument_environment_output_event_or_debug_form() -> Result {
    for account in [Account::Sudo, Account::SudoLimitedPasswd] {
        let Some(lab) = Lab::with_password(account) else { return Ok(()) };
        let (host, secret) = (lab.host(), password());
        // Root can see the arguments and environment of all processes, including sudo, while the
        // command runs.
        let look = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'";
        let command = if account == Account::Sudo { host.sudo(look) } else { host.sudo("/usr/bin/id -un") };
        let shown = format!("{command:?}");
        host.sudo("/usr/bin/id -un").await?;
        assert!(!lab.everything_told().contains("fabrs-"), "nothing of the marks: {}", lab.everything_told());
        let output = command.capture_all().await?;
        let (stdout, stderr) = (output.stdout()?, output.stderr()?);
        if account == Account::Sudo {
            assert!(stdout.contains("sudo"), "it looked at sudo itself");
        }
        for (place, text) in [("debug", shown.as_str()), ("output", &stdout), ("stderr", &stderr)] {
            assert!(!text.contains(secret.expose()), "{place} has it");
        }
        assert_eq!(stderr, "", "nothing of the prompt is left");
        assert!(!lab.everything_told().contains(secret.expose()));
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_has_a_command_of_its_own_for_its_password_where_the_program_may_run_it() -> Result {
    use fabrs::config::{Config, Inventory};

    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1", "web2"]).start();
    let folder = tempfile::tempdir()?;
    let (file, asked) = (folder.path().join("password"), folder.path().join("asked"));
    std::fs::write(&file, password().expose())?;
    let text = format!(
        "[env.live]\nhosts = ['web1', 'web2']\nsudo_password_command = 'echo not-of-{{host}}'\n\
         host.web1.sudo_password_command = 'echo {{host}} >> {}; cat {}'",
        asked.display(),
        file.display()
    );
    let inventory =
        || -> Result<Inventory> { Ok(Inventory::new(&Config::parse(&text, "fabrs.toml".as_ref())?, Some("live"))?) };
    let client = client_of(&sshd, "").inventory(inventory()?).allow_local_programs().build();
    let (web1, web2) = (client.connect("web1")?, client.connect("web2")?);
    let (one, two) = tokio::join!(web1.sudo("id -un; true"), web1.sudo("id -un; false || true"));
    assert_eq!((one?.line()?.as_str(), two?.line()?.as_str()), ("root", "root"));
    assert_eq!(std::fs::read_to_string(&asked)?, "web1\n", "it is run once");
    let error = refused(web2.sudo("id; true").await, ErrorKind::Sudo);
    assert!(block(&error).contains("the password is wrong") && !block(&error).contains("not-of-web2"), "{error:?}");
    client.close().await;

    let client = client_of(&sshd, "").inventory(inventory()?).build();
    let error = refused(client.connect("web1")?.sudo("id; true").await, ErrorKind::Config);
    assert!(block(&error).contains("call `ClientBuilder::allow_local_programs`"), "{}", block(&error));
    let client = client_of(&sshd, "").inventory(inventory()?).sudo_password(password()).build();
    client.connect("web2")?.sudo("id; true").await?;
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_give_the_password_keeps_nobody_who_wants_to_stop() -> Result {
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
        // A FIFO opens for writing only when a reader has opened it.
        (PasswordSource::File(pipe.clone()), Box::new(move || std::fs::OpenOptions::new().write(true).open(pipe).ok())),
    ];
    for (from, is_read) in is_looked_for {
        let asks = FakeAnswer::code(1).then(Stream::Stderr, "sudo: a password is required\n");
        let settings = Settings::default().sudo_password(from);
        let client = Client::builder().dial(Fake::new().on("sudo id", asks)).settings(settings).build();
        let host = client.connect("web1")?;
        let (ended, opened) = tokio::join!(soon(host.sudo("id")), async {
            let opened = tokio::task::spawn_blocking(is_read).await;
            client.stop().raise(StopLevel::Stop);
            opened
        });
        refused(ended, ErrorKind::Cancelled);
        client.close().await;
        drop(opened);
    }
    wait_until("the program has ended", LIMIT, || processes_matching(&mark).is_empty());
    Ok(())
}
