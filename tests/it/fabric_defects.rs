//! Defects of Fabric and Invoke that fabrs avoids, with a test for each defect, on a real server.
//! `fabrs-cli/tests/cli/fabric_defects.rs` has the other numbers.

use std::fs;

use fabrs::event::Stream;
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs_testing::{Account, Sshd, marker, processes_matching, wait_until};

use crate::sudo::SudoFixture;
use crate::support::{LIMIT, capture, client_of, connect, error_text, event_texts, expect_error};

/// In Fabric the second half of a line ran as the login user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_03_the_whole_line_under_sudo_runs_as_the_user() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::SudoNopasswd) else { return Ok(()) };
    assert_eq!(fixture.host().sudo("id -un && id -un").user("nobody").await?.lines()?, ["nobody", "nobody"]);
    fixture.client.close().await;
    Ok(())
}

/// In Fabric the command failed with `sudo: cd: command not found`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_04_a_command_under_sudo_runs_in_its_directory() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::SudoNopasswd) else { return Ok(()) };
    assert_eq!(fixture.host().cd("/tmp").sudo("pwd").await?.line()?, "/tmp");
    assert_eq!(fixture.host().cd("/tmp").sudo("pwd").user("nobody").await?.line()?, "/tmp");
    fixture.client.close().await;
    Ok(())
}

/// In Fabric a value was cut at the first blank, or the rest of the value was executed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_05_a_variable_keeps_its_value_and_is_not_executed() -> Result {
    let sshd = Sshd::start();
    let made = sshd.scratch().join("made");
    for value in ["a b", "a$b \"c\" 'd' `e`", &format!("a; touch {}", made.display()), "line\nline", "$(id)", "é*"] {
        for place in [connect(&sshd), Client::builder().build().local()?] {
            let output = place.env("X", value).run("printf %s \"$X\"").hide(Hide::Both).await?;
            assert_eq!(output.stdout()?, value);
            place.close().await;
        }
    }
    assert!(!made.exists());
    Ok(())
}

/// In Fabric a command continued on the host after the timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_06_a_timeout_ends_the_remote_command() -> Result {
    let (sshd, mark) = (Sshd::start(), marker());
    let host = connect(&sshd);
    let error =
        expect_error(host.run(cmd!("echo before; sleep {mark}")).warn().timeout(secs(1)).await, ErrorKind::Timeout);
    assert_eq!(error.output().expect("the command printed output").stdout()?, "before\n");
    wait_until("all processes have ended", LIMIT, || processes_matching(&mark).is_empty());
    host.close().await;
    Ok(())
}

/// In Fabric 15 of 3,000 characters were replaced: a read ended inside each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_07_characters_stay_intact_with_chunks_of_any_size() -> Result {
    let sshd = Sshd::start();
    let (seen, sink) = capture();
    let host = client_of(&sshd, "").sink(sink).build().connect(sshd.alias())?;
    let text = "€".repeat(3000);
    for size in 1..=7_usize {
        let script = format!(
            "import os\nb = ('€' * 3000).encode()\nfor i in range(0, len(b), {size}):\n    os.write(1, b[i:i + {size}])\n"
        );
        let output = host.run(cmd!("python3 -c {script}")).await?;
        assert_eq!(output.stdout()?, text, "{size}");
    }
    host.close().await;
    let shown = event_texts(&seen, "output_lines", "text").concat();
    assert_eq!(shown, text.repeat(7), "the shown output is intact too");

    // A network may merge pieces again. Here the pieces arrive unchanged, as lines and as one long
    // line that is shown in parts.
    for text in ["€€€\n".repeat(1000), "€".repeat(30_000)] {
        for size in 1..=7 {
            let pieces = text.as_bytes().chunks(size);
            let answer = pieces.fold(FakeAnswer::code(0), |all, piece| all.then(Stream::Stdout, piece.to_vec()));
            let (seen, sink) = capture();
            let client = Client::builder().dial(Fake::new().on("print", answer)).sink(sink).build();
            assert_eq!(client.connect("web1")?.run("print").await?.stdout()?, text, "{size}");
            assert_eq!(event_texts(&seen, "output_lines", "text").concat(), text, "{size}");
        }
    }
    Ok(())
}

/// In Fabric a failed `get` replaced a good file by an empty file, and `put` of a directory was a
/// traceback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_08_a_failed_get_keeps_the_old_file_and_a_directory_can_be_put() -> Result {
    let (sshd, here) = (Sshd::start(), tempfile::tempdir()?);
    let host = connect(&sshd);
    let old = here.path().join("old");
    fs::write(&old, "good")?;
    expect_error(host.get("/no/such/file", old.display().to_string()).await, ErrorKind::File);
    expect_error(host.get("/no/such/file", here.path().join("new").display().to_string()).await, ErrorKind::File);
    assert_eq!(fs::read_to_string(&old)?, "good");
    assert_eq!(fs::read_dir(here.path())?.count(), 1);

    fs::create_dir_all(here.path().join("conf/sub"))?;
    fs::write(here.path().join("conf/sub/a b"), "x")?;
    let there = sshd.scratch().join("conf");
    host.put(here.path().join("conf"), there.display().to_string()).await?;
    assert_eq!(fs::read_to_string(there.join("sub/a b"))?, "x");
    host.close().await;
    Ok(())
}

/// In Fabric a remote `cd` also changed the directory of local commands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_10_a_remote_directory_does_not_apply_to_local_commands() -> Result {
    let sshd = Sshd::start();
    let here = std::env::current_dir()?.canonicalize()?;
    let host = connect(&sshd).cd("/tmp");
    expect_error(host.local("pwd -P").line().await, ErrorKind::Usage);
    let of_task = host.enter(async { local("pwd -P").line().await }).await?;
    assert_eq!(of_task, here.display().to_string());
    assert_eq!(host.run("pwd").line().await?, "/tmp");
    host.close().await;
    Ok(())
}

/// In Fabric a signal was the exit code -1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_13_a_signal_has_its_name() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    for name in ["KILL", "TERM", "SEGV", "USR1"] {
        let error = expect_error(host.run(cmd!("kill -{name} $$")).await, ErrorKind::Exit);
        let status = error.output().map(|output| output.status().cloned()).transpose()?;
        assert_eq!(status, Some(ExitStatus::Signal(Signal::new(name))));
        assert!(error_text(&error).contains(&format!("ended with signal {name}")), "{}", error_text(&error));
    }
    host.close().await;
    Ok(())
}

/// Without a password Fabric sent the text `None`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_14_a_missing_password_sends_no_text() -> Result {
    let Some(fixture) = SudoFixture::of(Account::Sudo, |builder| builder) else { return Ok(()) };
    let error = expect_error(fixture.host().sudo("id; id").await, ErrorKind::Sudo);
    assert!(error_text(&error).contains("caused by: a password is required"), "{}", error_text(&error));
    fixture.client.close().await;
    Ok(())
}

/// In Fabric the prompt remained in the output.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_15_the_prompt_is_absent_from_the_output() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    for command in [
        fixture.host().sudo("echo out"),
        fixture.host().sudo("echo out; true"),
        fixture.host().sudo("echo out; true").pty(),
    ] {
        let output = command.await?;
        assert_eq!((output.stdout()?.trim_end(), output.stderr()?.as_ref()), ("out", ""));
    }
    fixture.client.close().await;
    Ok(())
}

/// In Fabric the last queued host started first, and the return values of tasks were lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_17_hosts_start_in_order_and_keep_their_values() -> Result {
    let sshd = Sshd::builder().aliases(["web1", "web2", "web3", "web4"]).start();
    let client = client_of(&sshd, "").build();
    let began = std::sync::Mutex::new(Vec::new());
    let group = Group::of(&client, ["web1", "web2", "web3", "web4"])?.limit(1);
    let outcomes = group
        .each(|c| {
            let name = c.host().map(|host| host.name().to_owned()).unwrap_or_default();
            began.lock().expect("no task panics").push(name.clone());
            async move { Ok::<_, fabrs::Error>(format!("{name}: {}", c.run("echo done").line().await?)) }
        })
        .await;
    assert_eq!(*began.lock().expect("no task panics"), ["web1", "web2", "web3", "web4"]);
    let kept: Vec<_> = outcomes.all_ok()?.into_iter().map(|(_, value)| value).collect();
    assert_eq!(kept, ["web1: done", "web2: done", "web3: done", "web4: done"]);
    client.close().await;
    Ok(())
}

/// In Fabric each file took a probe and a command, and a path with a blank became two paths.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defect_19_a_file_transfer_is_one_command_for_every_path() -> Result {
    let sshd = Sshd::start();
    let (seen, sink) = capture();
    let client = client_of(&sshd, "").sink(sink).build();
    let (host, here) = (client.connect(sshd.alias())?, tempfile::tempdir()?);
    let names = ["a b", "it's", "$HOME", "a;b", "-rf", "é \"x\""];
    for name in names {
        let there = sshd.scratch().join(name).display().to_string();
        host.put(name.as_bytes().to_vec(), &there).await?;
        host.get(&there, here.path().join("got").display().to_string()).await?;
        assert_eq!(fs::read_to_string(here.path().join("got"))?, name);
    }
    client.close().await;
    assert_eq!(seen.of_kind("command_started").len(), 2 * names.len());
    Ok(())
}
