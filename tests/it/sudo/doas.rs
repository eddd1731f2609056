//! doas in the place of sudo: the same promises where doas supports them, and an error otherwise.

use std::fs;
use std::time::Duration;

use fabrs::config::{Config, Inventory};
use fabrs::prelude::*;
use fabrs::{Client, Connection, SudoRefusal};
use fabrs_testing::{Account, Capability, Sshd, marker, probe, processes_matching, wait_until};

use super::{Lab, password};
use crate::support::{LIMIT, block, capture, client_of, refused, soon};

/// Starts a server with an account for doas. Returns `None` if this machine has no doas.
fn lab(account: Account) -> Option<Lab> {
    if !Capability::Doas.is_available() {
        return None;
    }
    let sshd = Sshd::builder().users([account]).start();
    let (told, sink) = capture();
    let client = client_of(&sshd, "").sudo_password(password()).sink(sink).build();
    Some(Lab { sshd, client, told })
}

fn host(lab: &Lab) -> Connection {
    lab.host().with_sudo(SudoProgram::Doas)
}

#[track_caller]
fn why(error: &fabrs::Error) -> SudoRefusal {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<SudoRefusal>());
    source.cloned().unwrap_or_else(|| panic!("no refusal: {error:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_a_line_runs_as_the_user_where_and_with_what_it_should() -> Result {
    let Some(lab) = lab(Account::DoasNopass) else { return Ok(()) };
    let host = host(&lab);
    assert_eq!(host.sudo("id -un && id -un").user("nobody").await?.lines()?, ["nobody", "nobody"]);
    assert_eq!(host.sudo("id -un").await?.line()?, "root", "plain words too");
    assert_eq!(host.sudo("id -u").user("65534").await?.line()?, "65534", "a number is an id");
    assert_eq!(host.sudo("cat; echo over").stdin("one\n").await?.stdout()?, "one\nover\n");
    let output = host.sudo("echo out; echo err >&2; exit 17").warn().await?;
    assert_eq!((output.stdout()?.as_ref(), output.stderr()?.as_ref()), ("out\n", "err\n"));
    assert_eq!(output.status()?, &ExitStatus::Code(17));

    let venv = lab.sshd.scratch().join("my env");
    lab.host().run(cmd!("mkdir -p {venv}/bin && ln -s /bin/true {venv}/bin/python")).await?;
    let value = "a$b \"c\" 'd' `e` ; \\ \n é";
    let placed = host.cd("/tmp").env("X", value).prefix("Y=before").venv(venv.display().to_string());
    let line = ShellLine::raw(format!("echo $Y; {} report", lab.sshd.probe().display()));
    let lines = placed.v_run(&line).sudo().user("nobody").await?.lines()?;
    let report = probe::parse(&lines[1]);
    assert_eq!((lines[0].as_str(), &report["cwd"]), ("before", &"/tmp".into()));
    assert_eq!((&report["env"]["X"], report["env"]["VIRTUAL_ENV"].as_str()), (&value.into(), venv.to_str()));
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_put_by_it_too() -> Result {
    let Some(lab) = lab(Account::DoasNopass) else { return Ok(()) };
    let host = host(&lab);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("of root");
    host.put(b"content\n", path.display().to_string()).mode(0o640).sudo().await?;
    assert_eq!(fs::read_to_string(&path)?, "content\n");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_given_at_a_terminal_after_its_prompt_and_nothing_of_both_is_shown() -> Result {
    let Some(lab) = lab(Account::Doas) else { return Ok(()) };
    let host = host(&lab);
    for _ in 0..2 {
        let output = host.sudo("id -un; echo 'doas (x) password: '; read -r line; echo \"$line\"").pty().await?;
        assert_eq!(output.lines()?, ["root", "doas (x) password: ", ""]);
    }
    host.validate_sudo().await?;
    host.close().await;
    let told = lab.everything_told();
    assert!(!told.contains(Sshd::account_password()) && !told.contains("doas (fabrs"), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_terminal_a_password_that_is_needed_is_an_error_that_says_what_to_do() -> Result {
    let Some(lab) = lab(Account::Doas) else { return Ok(()) };
    let host = host(&lab);
    let made = lab.sshd.scratch().join("made");
    for command in [host.sudo(cmd!("touch {made}")), host.sudo(cmd!("touch {made}; true"))] {
        let error = refused(soon(command).await, ErrorKind::Sudo);
        assert_eq!(why(&error), SudoRefusal::PasswordNeeded);
        assert!(
            block(&error).contains("add `.pty()` to the command, since doas prompts only on a terminal"),
            "{error:?}"
        );
    }
    assert!(!made.exists());
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_given_once() -> Result {
    let Some(lab) = lab(Account::Doas) else { return Ok(()) };
    let client = client_of(&lab.sshd, "").sudo_password(Secret::new("not this one")).build();
    let host = client.connect(lab.sshd.alias())?.with_sudo(SudoProgram::Doas);
    let error = refused(soon(host.sudo("id").pty()).await, ErrorKind::Sudo);
    assert_eq!(why(&error), SudoRefusal::PasswordWrong);
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_for_one_command_matches_it_and_nothing_else() -> Result {
    let Some(lab) = lab(Account::DoasLimited) else { return Ok(()) };
    let host = host(&lab);
    assert_eq!(host.sudo("id -un").await?.line()?, "root");
    for line in ["id", "id -un; id -un"] {
        let error = refused(host.sudo(ShellLine::raw(line)).await, ErrorKind::Sudo);
        assert_eq!(why(&error), SudoRefusal::NotAllowed("Operation not permitted".to_owned()));
    }
    host.close().await;
    Ok(())
}

#[tokio::test]
async fn what_doas_does_not_know_is_refused_before_anything_is_sent() -> Result {
    let host = Client::builder().build().connect("nobody@no-such-host.invalid")?.with_sudo(SudoProgram::Doas);
    for (command, word) in [(host.sudo("id").group("www"), "group"), (host.sudo("id").keep_env(), "keepenv")] {
        let error = refused(command.await, ErrorKind::Usage);
        assert!(block(&error).contains(word), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fabrs_toml_says_which_hosts_have_it() -> Result {
    let Some(lab) = lab(Account::DoasNopass) else { return Ok(()) };
    let text = format!("[env.production]\nhosts = ['{0}', 'other']\nhost.{0}.sudo = 'doas'\n", lab.sshd.alias());
    let config = Config::parse(&text, "fabrs.toml".as_ref())?;
    let inventory = Inventory::new(&config, Some("production"))?;
    let client = client_of(&lab.sshd, "").inventory(inventory).build();
    let output = client.connect(lab.sshd.alias())?.sudo("id -un").await?;
    assert_eq!((output.line()?.as_str(), output.command()), ("root", "doas id -un"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_under_doas_outlives_its_timeout() -> Result {
    let Some(lab) = lab(Account::DoasNopass) else { return Ok(()) };
    let host = host(&lab);
    let stubborn = "trap '' TERM; sleep MARK; sleep MARK";
    for line in ["sleep MARK; true", "sleep MARK | cat", "sleep MARK & wait", stubborn] {
        let mark = marker();
        let command = host.sudo(ShellLine::raw(line.replace("MARK", &mark)));
        refused(command.timeout(secs(1)).await, ErrorKind::Timeout);
        wait_until(&format!("nothing of `{line}` is left"), LIMIT, || processes_matching(&mark).is_empty());
    }
    assert!(lab.told.of_kind("unconfirmed_stop").is_empty(), "{:?}", lab.told.of_kind("unconfirmed_stop"));
    // In this case doas itself stops the command, which takes two seconds.
    let mark = marker();
    refused(host.sudo(cmd!("sleep {mark}")).timeout(secs(1)).await, ErrorKind::Timeout);
    wait_until("nothing is left", LIMIT, || processes_matching(&mark).is_empty());
    host.close().await;
    Ok(())
}

/// A doas that replaces itself by the command, like the doas of OpenBSD. It grants no rights, which
/// this test does not need.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_doas_does_not_stay_nothing_else_is_ended_in_its_place() -> Result {
    use std::os::unix::fs::PermissionsExt;

    let programs = tempfile::tempdir()?;
    let doas = programs.path().join("doas");
    fs::write(&doas, "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n")?;
    fs::set_permissions(&doas, fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755))?;
    let path = format!("PATH={}:/usr/bin:/bin", programs.path().display());
    let sshd = Sshd::builder().option("SetEnv", path).start();
    let (told, sink) = capture();
    let client = client_of(&sshd, "").sink(sink).build();
    let host = client.connect(sshd.alias())?.with_sudo(SudoProgram::Doas);
    let beside = host.run("sleep 3; echo still there").hide(Hide::Both).spawn()?;
    for line in ["sleep MARK; true", "trap '' TERM; sleep MARK; sleep MARK"] {
        let mark = marker();
        let command = host.sudo(ShellLine::raw(line.replace("MARK", &mark)));
        refused(command.timeout(Duration::from_millis(300)).await, ErrorKind::Timeout);
        wait_until(&format!("nothing of `{line}` is left"), LIMIT, || processes_matching(&mark).is_empty());
    }
    assert_eq!(soon(beside).await?.line()?, "still there");
    assert_eq!((sshd.connections(), told.of_kind("unconfirmed_stop").len()), (1, 0));
    client.close().await;
    Ok(())
}
