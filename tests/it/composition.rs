//! One command in every combination of shell, pty, prefix, directory, environment and user: its
//! program must receive exactly the intended values.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use fabrs::prelude::*;
use fabrs::{Client, Connection};
use fabrs_testing::{Account, Capability, Sshd, probe};
use serde_json::{Value, json};

use crate::sudo::SudoFixture;
use crate::support::{connect, error_text, expect_error};

/// Text with special characters of the shell.
const HOSTILE: &str = "$HOME \" ' \\ ; `id` $(id) & | * ~ \n é";

/// The shells that run the line: the login shell, and configured shells.
const SHELLS: [Option<&str>; 5] = [None, Some("dash -c"), Some("bash -c"), Some("bash -l -c"), Some("busybox sh -c")];

/// The combinations of pty and prefix.
const PTY_AND_PREFIX: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// A method to run a command.
struct Invocation {
    name: &'static str,
    /// The user id of the command. Defaults to the login user.
    uid: Option<u32>,
    is_in_venv: bool,
    command: fn(&Connection, ShellLine) -> Command,
}

const INVOCATIONS: [Invocation; 5] = [
    Invocation { name: "run", uid: None, is_in_venv: false, command: |c, line| c.run(line) },
    Invocation { name: "sudo", uid: Some(0), is_in_venv: false, command: |c, line| c.sudo(line) },
    Invocation { name: "sudo -u", uid: Some(65534), is_in_venv: false, command: |c, line| c.sudo(line).user("nobody") },
    Invocation { name: "v_run", uid: None, is_in_venv: true, command: |c, line| c.v_run(line) },
    Invocation { name: "v_run under sudo", uid: Some(0), is_in_venv: true, command: |c, line| c.v_run(line).sudo() },
];

/// A directory with a hostile path, accessible to all users.
fn hostile_directory() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("a 'b' $c \"d\" ").tempdir().expect("a temporary folder");
    let venv = folder.path().join("my env/bin");
    fs::create_dir_all(&venv).expect("the directory is ours");
    std::os::unix::fs::symlink("/bin/true", venv.join("python")).expect("the directory is ours");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the directory is ours");
    folder
}

/// Runs the probe in one combination. Returns the differences from the intended values.
async fn differences(
    host: &Connection,
    invocation: &Invocation,
    directory: &str,
    program: &str,
    (pty, prefixed): (bool, bool),
) -> Result<Option<String>> {
    let own = host.run("id -u").hide(Hide::Both).line().await?.parse().ok();
    let venv = format!("{directory}/my env");
    let host = host.cd(directory).umask(0o27).env("X", HOSTILE).path("/opt/a b");
    let host = if prefixed { host.prefix("Y=\"from $PWD\"; export Y") } else { host };
    let line = cmd!("{program} report {HOSTILE} '' $(umask)");
    let command = (invocation.command)(&host.venv(&venv), line).hide(Hide::Both);
    let command = if pty { command.pty() } else { command };
    let output = command.await?;
    // On a pty the messages of the login precede the output.
    let stdout = output.stdout()?;
    let report = probe::parse(stdout.lines().rfind(|line| line.starts_with('{')).unwrap_or_default().trim());
    let env = |name: &str| report["env"][name].clone();
    let path = env("PATH").as_str().unwrap_or_default().to_owned();
    let begins = if invocation.is_in_venv { format!("{venv}/bin:/opt/a b:") } else { "/opt/a b:".to_owned() };
    let seen = [
        ("argv", report["argv"].clone(), json!([HOSTILE, "", "0027"])),
        ("X", env("X"), json!(HOSTILE)),
        ("Y", env("Y"), if prefixed { json!(format!("from {directory}")) } else { Value::Null }),
        ("cwd", report["cwd"].clone(), json!(directory)),
        ("PATH", json!(path.starts_with(&begins)), json!(true)),
        ("VIRTUAL_ENV", env("VIRTUAL_ENV"), if invocation.is_in_venv { json!(venv) } else { Value::Null }),
        ("uid", report["uid"].clone(), json!(invocation.uid.or(own))),
        ("tty", report["tty"][1].clone(), json!(pty)),
    ];
    let mut text = String::new();
    for (what, seen, expected) in seen {
        // busybox prints a umask with a digit fewer.
        let same = seen == expected || (what == "argv" && seen == json!([HOSTILE, "", "027"]));
        if !same {
            let _infallible = write!(text, "\n  {what}: {seen}, expected {expected}");
        }
    }
    Ok((!text.is_empty()).then_some(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_receives_the_intended_values_in_every_combination() -> Result {
    let folder = hostile_directory();
    let directory = folder.path().display().to_string();
    let mut wrong = String::new();
    for account in [Account::SudoNopasswd, Account::Sudo] {
        let Some(fixture) = SudoFixture::with_password(account) else { return Ok(()) };
        let probe = fixture.sshd.probe().display().to_string();
        for shell in SHELLS {
            let host = shell.map_or_else(|| fixture.host(), |shell| fixture.host().with_shell(shell));
            for invocation in &INVOCATIONS {
                for pty_and_prefix in PTY_AND_PREFIX {
                    let found = match differences(&host, invocation, &directory, &probe, pty_and_prefix).await {
                        Ok(None) => continue,
                        Ok(Some(text)) => text,
                        Err(error) => format!(" {}", error.into_error().block()),
                    };
                    let _infallible = writeln!(
                        wrong,
                        "{account:?}, {shell:?}, {}, (pty, prefix) {pty_and_prefix:?}:{found}",
                        invocation.name
                    );
                }
            }
        }
        fixture.host().close().await;
    }
    assert!(wrong.is_empty(), "{wrong}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_receives_the_intended_values_with_a_dash_login_shell() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let sshd = Sshd::builder().users([Account::Dash]).start();
    let (folder, host) = (hostile_directory(), connect(&sshd));
    let directory = folder.path().display().to_string();
    let program = sshd.probe().display().to_string();
    for invocation in INVOCATIONS.iter().filter(|invocation| invocation.uid.is_none()) {
        for pty_and_prefix in PTY_AND_PREFIX {
            assert_eq!(
                differences(&host, invocation, &directory, &program, pty_and_prefix).await?,
                None,
                "{}, {pty_and_prefix:?}",
                invocation.name
            );
        }
    }
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_receives_the_intended_values_on_this_machine() -> Result {
    let folder = hostile_directory();
    let directory = folder.path().display().to_string();
    let host = Client::builder().build().local()?;
    let program = probe::path().display().to_string();
    for shell in SHELLS {
        let host = shell.map_or_else(|| host.clone(), |shell| host.with_shell(shell));
        for invocation in
            INVOCATIONS.iter().filter(|invocation| invocation.uid.is_none() || Capability::Sudo.is_available())
        {
            for pty_and_prefix in PTY_AND_PREFIX {
                let found = differences(&host, invocation, &directory, &program, pty_and_prefix).await?;
                assert_eq!(found, None, "{shell:?}, {}, (pty, prefix) {pty_and_prefix:?}", invocation.name);
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_shell_is_named_in_a_hint() -> Result {
    let sshd = Sshd::start();
    let error = expect_error(connect(&sshd).with_shell("no-such-shell -c").run("true").await, ErrorKind::Exit);
    assert!(error_text(&error).contains("hint: the host has no `no-such-shell`"), "{}", error_text(&error));
    let error = expect_error(connect(&sshd).with_shell("'").run("true").await, ErrorKind::Usage);
    assert!(error_text(&error).contains("`'` is not a shell"), "{}", error_text(&error));
    let error = expect_error(connect(&sshd).with_shell("bash -c").run("no-such-program").await, ErrorKind::Exit);
    assert!(!error_text(&error).contains("hint"), "{}", error_text(&error));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_one_command_do_not_change_the_connection() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd).cd("/tmp");
    let output = host.run("pwd; umask; echo $X $Y").cd("/").umask(0o77).env("X", "1").prefix("Y=2").await?;
    assert_eq!(output.lines()?, ["/", "0077", "1 2"]);
    assert_eq!(host.run("pwd").line().await?, "/tmp");
    assert_eq!(host.run("exit 3").ok_codes([0, 3]).await?.status()?.shell_code(), 3);
    let error = expect_error(host.run("true").ok_codes([1]).await, ErrorKind::Exit);
    assert!(error_text(&error).contains("ended with exit status 0"), "{}", error_text(&error));
    expect_error(host.run("kill -KILL $$").ok_codes([0, 137]).await, ErrorKind::Exit);
    Ok(())
}

#[tokio::test]
async fn profile_output_does_not_disturb_file_operations() -> Result {
    let sshd = Sshd::start();
    let folder = sshd.scratch().join("noise");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, Permissions::from_mode(0o777))?;
    let shell = folder.join("noisy-shell");
    fs::write(&shell, "#!/bin/sh\necho one; echo two\nexec /bin/sh \"$@\"\n")?;
    fs::set_permissions(&shell, Permissions::from_mode(0o755))?;
    fs::write(folder.join("there"), "content")?;
    std::os::unix::fs::symlink(folder.join("gone"), folder.join("dangling"))?;
    let host = connect(&sshd).with_shell(format!("{} -c", shell.display())).cd(folder.display().to_string());
    assert!(host.exists("there").await? && !host.exists("gone").await?);
    assert!(!host.exists("dangling").await? && host.is_link("dangling").await?);
    assert_eq!(host.stat("there").await?.map(|stat| stat.size()), Some(7));
    let here = tempfile::tempdir()?;
    host.get("the*", here.path().display().to_string() + "/").await?;
    assert_eq!(fs::read_to_string(here.path().join("there"))?, "content");
    let source = here.path().join("there").display().to_string();
    host.rsync(source, folder.join("copied").display().to_string()).await?;
    assert_eq!(fs::read_to_string(folder.join("copied"))?, "content");
    Ok(())
}

#[tokio::test]
async fn a_command_that_prints_a_csh_error_keeps_its_status() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd).cd("/tmp");
    for line in ["echo began; echo 'x: Command not found.' >&2; exit 3", "echo a >&2; echo 'fish: b' >&2; exit 3"] {
        let output = host.run(ShellLine::raw(line)).warn().hide(Hide::Both).await?;
        assert_eq!(output.status()?, &ExitStatus::Code(3), "{line}");
    }
    Ok(())
}
