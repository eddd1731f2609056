//! doas in the place of sudo: the same promises where doas supports them, and an error otherwise.

use std::fs;
use std::time::Duration;

use fabrs::config::{Config, Inventory};
use fabrs::prelude::*;
use fabrs::{Client, Connection, SudoRefusal};
use fabrs_testing::{Account, Capability, Sshd, marker, probe, processes_matching, wait_until};

use super::{SudoFixture, password};
use crate::support::{LIMIT, capture, client_of, error_text, expect_error, within_limit};

/// Starts a server with an account for doas. Returns `None` if this machine has no doas.
fn fixture(account: Account) -> Option<SudoFixture> {
    if !Capability::Doas.is_available() {
        return None;
    }
    let sshd = Sshd::builder().users([account]).start();
    let (events, sink) = capture();
    let client = client_of(&sshd, "").sudo_password(password()).sink(sink).build();
    Some(SudoFixture { sshd, client, events })
}

fn host(fixture: &SudoFixture) -> Connection {
    fixture.host().with_sudo(SudoProgram::Doas)
}

#[track_caller]
fn refusal_of(error: &fabrs::Error) -> SudoRefusal {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<SudoRefusal>());
    source.cloned().unwrap_or_else(|| panic!("no refusal: {error:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_line_runs_as_the_user_with_its_directory_and_environment() -> Result {
    let Some(fixture) = fixture(Account::DoasNopass) else { return Ok(()) };
    let host = host(&fixture);
    assert_eq!(host.sudo("id -un && id -un").user("nobody").await?.lines()?, ["nobody", "nobody"]);
    assert_eq!(host.sudo("id -un").await?.line()?, "root", "a command of plain words");
    assert_eq!(host.sudo("id -u").user("65534").await?.line()?, "65534", "a number is an id");
    assert_eq!(host.sudo("cat; echo over").stdin("one\n").await?.stdout()?, "one\nover\n");
    let output = host.sudo("echo out; echo err >&2; exit 17").warn().await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("out\n", "err\n"));
    assert_eq!(output.status()?, &ExitStatus::Code(17));

    let venv = fixture.sshd.scratch().join("my env");
    fixture.host().run(cmd!("mkdir -p {venv}/bin && ln -s /bin/true {venv}/bin/python")).await?;
    let value = "a$b \"c\" 'd' `e` ; \\ \n é";
    let placed = host.cd("/tmp").env("X", value).prefix("Y=before").venv(venv.display().to_string());
    let line = ShellLine::raw(format!("echo $Y; {} report", fixture.sshd.probe().display()));
    let lines = placed.v_run(&line).sudo().user("nobody").await?.lines()?;
    let report = probe::parse(&lines[1]);
    assert_eq!((lines[0].as_str(), &report["cwd"]), ("before", &"/tmp".into()));
    assert_eq!((&report["env"]["X"], report["env"]["VIRTUAL_ENV"].as_str()), (&value.into(), venv.to_str()));
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_put_with_doas() -> Result {
    let Some(fixture) = fixture(Account::DoasNopass) else { return Ok(()) };
    let host = host(&fixture);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("of root");
    host.put(b"content\n", path.display().to_string()).mode(0o640).sudo().await?;
    assert_eq!(fs::read_to_string(&path)?, "content\n");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_sent_on_a_pty_without_a_trace_in_the_output() -> Result {
    let Some(fixture) = fixture(Account::Doas) else { return Ok(()) };
    let host = host(&fixture);
    for _ in 0..2 {
        let output = host.sudo("id -un; echo 'doas (x) password: '; read -r line; echo \"$line\"").pty().await?;
        assert_eq!(output.lines()?, ["root", "doas (x) password: ", ""]);
    }
    host.validate_sudo().await?;
    host.close().await;
    let events = fixture.events_as_text();
    assert!(!events.contains(Sshd::account_password()) && !events.contains("doas (fabrs"), "{events}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_password_without_a_pty_is_an_error_with_a_hint() -> Result {
    let Some(fixture) = fixture(Account::Doas) else { return Ok(()) };
    let host = host(&fixture);
    let made = fixture.sshd.scratch().join("made");
    for command in [host.sudo(cmd!("touch {made}")), host.sudo(cmd!("touch {made}; true"))] {
        let error = expect_error(within_limit(command).await, ErrorKind::Sudo);
        assert_eq!(refusal_of(&error), SudoRefusal::PasswordNeeded);
        assert!(
            error_text(&error).contains("add `.pty()` to the command, since doas prompts only on a terminal"),
            "{error:?}"
        );
    }
    assert!(!made.exists());
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_sent_once() -> Result {
    let Some(fixture) = fixture(Account::Doas) else { return Ok(()) };
    let client = client_of(&fixture.sshd, "").sudo_password(Secret::new("not this one")).build();
    let host = client.connect(fixture.sshd.alias())?.with_sudo(SudoProgram::Doas);
    let error = expect_error(within_limit(host.sudo("id").pty()).await, ErrorKind::Sudo);
    assert_eq!(refusal_of(&error), SudoRefusal::PasswordWrong);
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_for_one_command_matches_it_and_nothing_else() -> Result {
    let Some(fixture) = fixture(Account::DoasLimited) else { return Ok(()) };
    let host = host(&fixture);
    assert_eq!(host.sudo("id -un").await?.line()?, "root");
    for line in ["id", "id -un; id -un"] {
        let error = expect_error(host.sudo(ShellLine::raw(line)).await, ErrorKind::Sudo);
        assert_eq!(refusal_of(&error), SudoRefusal::NotAllowed("Operation not permitted".to_owned()));
    }
    host.close().await;
    Ok(())
}

#[tokio::test]
async fn options_without_doas_support_are_usage_errors() -> Result {
    let host = Client::builder().build().connect("nobody@no-such-host.invalid")?.with_sudo(SudoProgram::Doas);
    for (command, word) in [(host.sudo("id").group("www"), "group"), (host.sudo("id").keep_env(), "keepenv")] {
        let error = expect_error(command.await, ErrorKind::Usage);
        assert!(error_text(&error).contains(word), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fabrs_toml_selects_doas_per_host() -> Result {
    let Some(fixture) = fixture(Account::DoasNopass) else { return Ok(()) };
    let text = format!("[env.production]\nhosts = ['{0}', 'other']\nhost.{0}.sudo = 'doas'\n", fixture.sshd.alias());
    let config = Config::parse(&text, "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("production"))?;
    let client = client_of(&fixture.sshd, "").inventory(inventory).build();
    let output = client.connect(fixture.sshd.alias())?.sudo("id -un").await?;
    assert_eq!((output.line()?.as_str(), output.command()), ("root", "doas id -un"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_under_doas_outlives_its_timeout() -> Result {
    let Some(fixture) = fixture(Account::DoasNopass) else { return Ok(()) };
    let host = host(&fixture);
    let stubborn = "trap '' TERM; sleep MARK; sleep MARK";
    for line in ["sleep MARK; true", "sleep MARK | cat", "sleep MARK & wait", stubborn] {
        let mark = marker();
        let command = host.sudo(ShellLine::raw(line.replace("MARK", &mark)));
        expect_error(command.timeout(secs(1)).await, ErrorKind::Timeout);
        wait_until(&format!("all processes of `{line}` have ended"), LIMIT, || processes_matching(&mark).is_empty());
    }
    assert!(fixture.events.of_kind("unconfirmed_stop").is_empty(), "{:?}", fixture.events.of_kind("unconfirmed_stop"));
    // In this case doas itself stops the command after two seconds.
    let mark = marker();
    expect_error(host.sudo(cmd!("sleep {mark}")).timeout(secs(1)).await, ErrorKind::Timeout);
    wait_until("all leftovers are gone", LIMIT, || processes_matching(&mark).is_empty());
    host.close().await;
    Ok(())
}

/// A doas that replaces itself by the command, like the doas of OpenBSD. It grants no rights, which
/// this test does not need.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doas_that_execs_the_command_causes_no_stray_kill() -> Result {
    use std::os::unix::fs::PermissionsExt;

    let programs = tempfile::tempdir()?;
    let doas = programs.path().join("doas");
    fs::write(&doas, "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n")?;
    fs::set_permissions(&doas, fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755))?;
    let path = format!("PATH={}:/usr/bin:/bin", programs.path().display());
    let sshd = Sshd::builder().option("SetEnv", path).start();
    let (events, sink) = capture();
    let client = client_of(&sshd, "").sink(sink).build();
    let host = client.connect(sshd.alias())?.with_sudo(SudoProgram::Doas);
    let beside = host.run("sleep 3; echo still there").hide(Hide::Both).spawn()?;
    for line in ["sleep MARK; true", "trap '' TERM; sleep MARK; sleep MARK"] {
        let mark = marker();
        let command = host.sudo(ShellLine::raw(line.replace("MARK", &mark)));
        expect_error(command.timeout(Duration::from_millis(300)).await, ErrorKind::Timeout);
        wait_until(&format!("all processes of `{line}` have ended"), LIMIT, || processes_matching(&mark).is_empty());
    }
    assert_eq!(within_limit(beside).await?.line()?, "still there");
    assert_eq!((sshd.connections(), events.of_kind("unconfirmed_stop").len()), (1, 0));
    client.close().await;
    Ok(())
}
