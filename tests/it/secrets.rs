//! Redaction: a secret given to a command is absent from all shown output, whoever prints it.

use fabrs::config::{Mode, Settings};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{Client, Connection, Responder};
use fabrs_testing::{Account, Capability, Sshd};

use crate::support::{capture, client_of, connect, error_text, event_texts, execute, expect_error, fake_client};

const TOKEN: &str = "t0ken with 'quotes'";

fn token() -> Secret {
    Secret::new(TOKEN)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_secret_is_redacted_in_sinks_and_errors_but_not_in_the_output_value() -> Result {
    let sshd = Sshd::start();
    let (capture, sink) = capture();
    let client = client_of(&sshd, "").sink(sink).build();
    let host = client.connect(sshd.alias())?.env("TOKEN", token());
    let line = "echo \"a $TOKEN b\"; printf %s \"$TOKEN\" | base64; printf 't0ken '; echo \"with 'quotes'\" >&2; \
                printf \"with 'quotes'\\n\"";
    let output = host.run(line).await?;
    assert_eq!(output.lines()?[0], format!("a {TOKEN} b"), "the output value is not redacted");
    let events = capture.events().iter().map(ToString::to_string).collect::<String>();
    assert_eq!(events.matches("[redacted]").count(), 5, "the line twice, and what it printed: {events}");
    for form in ["t0ken with", "dDBrZW4gd2l0aCAncXVvdGVz"] {
        assert!(!events.contains(form), "{events}");
        assert!(!format!("{output:?}").contains(form), "{output:?}");
    }

    let error = expect_error(host.run("echo \"$TOKEN\" >&2; exit 3").hide(Hide::Both).await, ErrorKind::Exit);
    assert!(
        error_text(&error).contains("[redacted]") && !error_text(&error).contains("t0ken"),
        "{}",
        error_text(&error)
    );
    assert_eq!(error.output().expect("the command ran").stderr()?, format!("{TOKEN}\n"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_input_reaches_every_kind_of_command() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    assert_eq!(host.run("cat").stdin(token()).hide(Hide::Both).await?.stdout()?, TOKEN);
    let venv = sshd.scratch().join("env").display().to_string();
    host.run(cmd!("mkdir -p {venv}/bin && ln -s /bin/true {venv}/bin/python")).await?;
    let inside = host.cd("/tmp").prefix("Y=1").venv(&venv).env("TOKEN", token());
    let printed = inside.v_run("echo \"$TOKEN $Y $PWD\"").hide(Hide::Both).await?;
    assert_eq!(printed.line()?, format!("{TOKEN} 1 /tmp"));
    let answers = host.env("TOKEN", token()).run("printf 'sure? '; read -r a; echo \"$a $TOKEN\"");
    let printed = answers.watch(Responder::new("sure? ", "yes\n")).hide(Hide::Both).await?;
    assert_eq!(printed.stdout()?, format!("sure? yes {TOKEN}\n"), "a watcher still answers");
    let printed = host.run("printf 'token: '; read -r a; echo \"$a\"").watch(Responder::new("token: ", token()));
    assert_eq!(printed.hide(Hide::Both).await?.stdout()?, format!("token: {TOKEN}\n"));
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_variable_arrives_with_dash_and_under_sudo() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let several = "one\n two \n\n";
    let sshd = Sshd::builder().users([Account::Dash]).start();
    let host = connect(&sshd).env("TOKEN", Secret::new(several));
    assert_eq!(host.run("printf %s \"$TOKEN\"").hide(Hide::Both).await?.stdout()?, several);
    host.close().await;
    for account in [Account::SudoNopasswd, Account::Sudo, Account::SudoPty] {
        let Some(fixture) = crate::sudo::SudoFixture::with_password(account) else { return Ok(()) };
        let host = fixture.host().env("TOKEN", Secret::new(several));
        for command in [host.sudo("printf %s \"$TOKEN\"; cat"), host.sudo("printf %s \"$TOKEN\"; cat").user("nobody")] {
            assert_eq!(
                command.stdin("rest").hide(Hide::Both).await?.stdout()?,
                format!("{several}rest"),
                "{account:?}"
            );
        }
        let look = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'";
        let seen = fixture.host().env("TOKEN", token()).sudo(look).capture_all().hide(Hide::Both).await?;
        assert!(seen.stdout()?.contains("sudo") && !seen.stdout()?.contains(TOKEN), "{account:?}");
        assert!(!fixture.events_as_text().contains("t0ken"));
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_secret_is_redacted() -> Result {
    let Some(fixture) = crate::sudo::SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let password = crate::sudo::password();
    fixture.host().sudo("cat; true").stdin(format!("it is {}\n", password.expose())).await?;
    let events = fixture.events_as_text();
    assert!(events.contains("it is [redacted]") && !events.contains(password.expose()), "{events}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_variable_on_a_pty_or_with_a_nul_is_refused() -> Result {
    let client = Client::builder().dial(Fake::new()).build();
    let host = client.connect("web1")?;
    let error = expect_error(host.env("TOKEN", token()).run("true").pty().await, ErrorKind::Usage);
    assert!(error_text(&error).contains("pty") && !error_text(&error).contains("t0ken"), "{error:?}");
    let error = expect_error(host.env("TOKEN", Secret::new("a\0secret")).run("true").await, ErrorKind::Usage);
    assert!(error_text(&error).contains("NUL") && !error_text(&error).contains("secret\n"), "{error:?}");
    Ok(())
}

#[task]
async fn tells(c: Connection) -> Result {
    c.env("TOKEN", token()).run("true").await?;
    c.run(cmd!("echo {TOKEN}")).await?;
    bail!("the token was {TOKEN}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_printed_by_a_task_is_redacted() -> Result {
    let line = "export TOKEN='[redacted]' && true";
    let fake = Fake::new().on(line, FakeAnswer::code(0));
    let fake = fake.on("echo [redacted]", FakeAnswer::stdout(format!("{TOKEN}\n")));
    for mode in [Mode::Run, Mode::DryRun] {
        let (capture, sink) = capture();
        let client = fake_client(&fake, "web1").settings(Settings::default().mode(mode)).sink(sink).build();
        let report = execute(&client, [tells::call()]).await;
        let (_, outcome) = report.stages()[0].outcomes.failed().next().expect("the task failed");
        let text = error_text(outcome.error().expect("the error has a cause"));
        assert!(text.contains("the token was [redacted]"), "{text}");
        let events = capture.events().iter().map(ToString::to_string).collect::<String>();
        assert!(!events.contains("t0ken") && events.contains("the token was [redacted]"), "{events}");
        if mode == Mode::DryRun {
            assert_eq!(event_texts(&capture, "planned", "operation")[0], line);
        }
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_too_short_to_be_redacted_cause_one_warning_a_run() -> Result {
    let (capture, sink) = capture();
    let fake = Fake::new().on("export TOKEN='[redacted]' && true", FakeAnswer::code(0));
    let client = Client::builder().dial(fake).sink(sink).sudo_password(Secret::new("short")).build();
    for name in ["web1", "web2"] {
        let host = client.connect(name)?.env("TOKEN", Secret::new("other"));
        host.run("true").warn().await?;
        client.add_secret(&Secret::new("third"));
    }
    let warning = "a secret or password has fewer than 6 bytes: such values are not redacted in output";
    assert_eq!(event_texts(&capture, "warning", "text"), [warning]);
    client.close().await;
    Ok(())
}
