//! Lines under sudo: user, directory, environment, stdin and exit status of the whole line.

use fabrs::prelude::*;
use fabrs_testing::{Account, Sshd, marker, probe, processes_matching, wait_until};

use super::SudoFixture;
use crate::support::{LIMIT, within_limit};

/// Accounts without a password, with a password, and with a separate terminal (`use_pty`).
const ACCOUNTS: [Account; 3] = [Account::SudoNopasswd, Account::Sudo, Account::SudoPty];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_line_runs_as_the_user() -> Result {
    for account in ACCOUNTS {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let host = fixture.host();
        assert_eq!(host.sudo("id -un && id -un").user("nobody").await?.lines()?, ["nobody", "nobody"]);
        assert_eq!(host.sudo("id -un | cat; id -un").await?.lines()?, ["root", "root"]);
        assert_eq!(host.sudo("id -un").await?.line()?, "root", "a command of plain words");
        assert_eq!(host.sudo("id -u").user("65534").await?.line()?, "65534", "a number is an id");
        assert_eq!(host.sudo("id -gn").group("daemon").await?.line()?, "daemon");
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_settings_apply_under_sudo() -> Result {
    for account in ACCOUNTS {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let scratch = fixture.sshd.scratch();
        let venv = scratch.join("my env");
        fixture.host().run(cmd!("mkdir -p {venv}/bin && ln -s /bin/true {venv}/bin/python")).await?;
        let value = "a$b \"c\" 'd' `e` ; \\ \n f";
        let host = fixture.host().cd("/tmp").env("X", value).prefix("Y=before").venv(venv.display().to_string());
        let line = ShellLine::raw(format!("echo $Y; {} report", fixture.sshd.probe().display()));
        for command in [host.v_run(&line).sudo(), host.v_run(&line).sudo().user("nobody")] {
            let lines = command.await?.lines()?;
            let report = probe::parse(&lines[1]);
            assert_eq!((lines[0].as_str(), &report["cwd"]), ("before", &"/tmp".into()));
            let env = &report["env"];
            assert_eq!((&env["X"], &env["VIRTUAL_ENV"]), (&value.into(), &venv.display().to_string().into()));
            assert!(env["PATH"].as_str().unwrap_or_default().starts_with(&format!("{}/bin:", venv.display())));
            assert!(env["LC_ALL"].is_null(), "the language of sudo's messages is sudo's alone: {}", env["LC_ALL"]);
        }
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_under_sudo_reads_only_its_stdin() -> Result {
    for account in ACCOUNTS {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let host = fixture.host();
        assert_eq!(host.sudo("cat").stdin("one\ntwo").await?.stdout()?, "one\ntwo");
        assert_eq!(host.sudo("cat").await?.stdout()?, "", "plain words read the end of file");
        assert_eq!(host.sudo("cat; echo over").await?.stdout()?, "over\n");
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_statuses_are_those_of_the_command() -> Result {
    for account in ACCOUNTS {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let host = fixture.host();
        let output = host.sudo("echo out; echo err >&2; exit 17").warn().await?;
        assert_eq!((output.stdout()?.as_ref(), output.status()?.shell_code()), ("out\n", 17));
        // With `use_pty` sudo always merges the two streams.
        if account != Account::SudoPty {
            assert_eq!(output.stderr()?, "err\n");
        }
        for line in ["false", "sh -c 'exit 1'"] {
            let output = host.sudo(ShellLine::raw(line)).warn().await?;
            assert_eq!(output.status()?.shell_code(), 1, "exit status 1 is not a refusal by sudo");
        }
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_shell_starts_in_the_home_directory() -> Result {
    let Some(fixture) = SudoFixture::of(Account::SudoNopasswd, |builder| builder) else { return Ok(()) };
    assert_eq!(fixture.host().sudo("pwd; echo $HOME").login().await?.lines()?, ["/root", "/root"]);
    assert_eq!(
        fixture.host().cd("/tmp").sudo("pwd").login().await?.line()?,
        "/tmp",
        "an explicit directory takes precedence"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_on_a_pty_has_a_terminal_and_no_prompt_in_its_output() -> Result {
    for account in [Account::SudoRequiretty, Account::SudoNopasswd, Account::Sudo, Account::SudoPty] {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let host = fixture.host();
        assert_eq!(host.sudo("test -t 1 && id -un").pty().await?.lines()?, ["root"], "{account:?}");
        assert_eq!(host.sudo("id -un").pty().await?.lines()?, ["root"], "{account:?}");
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_for_one_command_suffices_for_that_command() -> Result {
    for account in [Account::SudoLimited, Account::SudoLimitedPasswd] {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        assert_eq!(fixture.host().sudo("/usr/bin/id -un").await?.line()?, "root");
        assert_eq!(fixture.host().sudo("/usr/bin/id -un").await?.line()?, "root", "a second time");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_commands_run_concurrently_under_sudo() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let host = fixture.host();
    let started = host.sudo("id -un; echo spawned").spawn()?;
    let all = futures::future::try_join_all((0..5).map(|_| host.sudo("id -un"))).await?;
    assert!(all.iter().all(|output| output.line().is_ok_and(|line| line == "root")));
    assert_eq!(started.await?.lines()?, ["root", "spawned"]);
    host.close().await;
    Ok(())
}

#[tokio::test]
async fn a_user_option_without_sudo_is_a_usage_error() -> Result {
    let host = Client::builder().dial(fabrs::transport::Fake::new()).build().connect("web1")?;
    for (command, method) in [
        (host.run("id").user("www"), "`.user(..)`"),
        (host.probe("id").group("www"), "`.group(..)`"),
        (host.run("id").login(), "`.login(..)`"),
    ] {
        let error = crate::support::expect_error(command.await, ErrorKind::Usage);
        assert!(error.to_string().contains(method), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shows_the_sudo_command_and_its_user() -> Result {
    use fabrs::config::{Mode, Settings};
    use fabrs::transport::Fake;

    let (seen, sink) = crate::support::capture();
    let settings = Settings::default().mode(Mode::DryRun);
    let client = Client::builder().settings(settings).dial(Fake::new()).sink(sink).build();
    let host = client.connect("web1")?;
    host.sudo("systemctl reload shop").await?;
    host.cd("/srv/shop").sudo("ls").user("www").await?;
    let planned = crate::support::event_texts(&seen, "planned", "operation");
    assert_eq!(planned, ["sudo systemctl reload shop", "sudo -u www -H sh -c 'cd /srv/shop && ls'"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numeric_groups_are_ids_and_keep_env_keeps_the_environment() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::SudoNopasswd) else { return Ok(()) };
    let host = fixture.host();
    let gid = host.run("getent group daemon | cut -d: -f3").line().await?;
    assert_eq!(host.sudo("id -g").group(&gid).await?.line()?, gid);
    // sshd sets this variable, and sudo removes the variable.
    let line = "echo \"[$SSH_CONNECTION]\"";
    assert_eq!(host.sudo(line).await?.line()?, "[]");
    assert_ne!(host.sudo(line).keep_env().await?.line()?, "[]");
    let home = host.sudo("getent passwd root | cut -d: -f6").await?.line()?;
    assert_eq!(host.cd("/tmp").sudo_login().sudo("cd; pwd").await?.line()?, home);
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_password_prompt_is_never_answered() -> Result {
    for account in ACCOUNTS {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let host = fixture.host();
        let line = "printf '[sudo] password for x: Password: password: ' >&2; cat; echo over";
        for command in [host.sudo(line), host.sudo(line).stdin("own input\n")] {
            let output = command.hide(Hide::Both).await?;
            let text = output.stdout()?;
            assert!(text == "over\n" || text == "own input\nover\n" || account == Account::SudoPty, "{text:?}");
            assert!(!text.contains(Sshd::account_password()));
        }
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_under_sudo_receives_sigint_and_can_be_stopped_afterwards() -> Result {
    for account in [Account::SudoNopasswd, Account::SudoPty] {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let host = fixture.host();
        let ignored = "grep SigIgn /proc/self/status; true";
        for command in [host.sudo(ignored), host.sudo(ignored).pty()] {
            let line = command.await?.line()?;
            let mask = u64::from_str_radix(line.trim_start_matches("SigIgn:").trim(), 16)?;
            assert_eq!(mask & 0b110, 0, "INT and QUIT: {line}");
        }
        let mark = marker();
        let sleeps = |mark: &str| {
            let mark = mark.to_owned();
            let sleeps = move || processes_matching(&mark).iter().any(|p| p.cmdline.starts_with("sleep "));
            tokio::task::spawn_blocking(move || wait_until("the command sleeps", LIMIT, sleeps))
        };
        let running = host.sudo(cmd!("sleep {mark}; true")).warn().spawn()?;
        sleeps(&mark).await?;
        running.signal(Signal::new("INT"))?;
        within_limit(running).await?;
        wait_until("the command has ended", LIMIT, || processes_matching(&mark).is_empty());

        // SIGINT does not end this command, so the drop must stop the command.
        let mark = marker();
        let deaf = host.sudo(cmd!("trap '' INT; sleep {mark}; true")).spawn()?;
        sleeps(&mark).await?;
        deaf.signal(Signal::new("INT"))?;
        drop(deaf);
        wait_until("all processes have ended", LIMIT, || processes_matching(&mark).is_empty());
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_syntax_error_is_a_failure_of_the_command_and_not_of_sudo() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::SudoNopasswd) else { return Ok(()) };
    let output = fixture.host().sudo("if true; then").warn().hide(Hide::Both).await?;
    assert_ne!(output.status()?.shell_code(), 0);
    assert!(!output.stderr()?.contains('}'), "no word about what was not written: {}", output.stderr()?);
    fixture.client.close().await;
    Ok(())
}
