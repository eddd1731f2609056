//! Flow control: a flooded or unread channel does not stall other channels, and does not block the
//! end of its command.

use fabrs::Result;
use fabrs::prelude::*;
use fabrs_testing::{Sshd, marker, processes_matching, wait_until};
use futures::future::try_join_all;

use crate::support::{LIMIT, connect};

/// Returns a hundred mebibytes of input.
fn large_input() -> Vec<u8> {
    vec![b'x'; 100 << 20]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_output_does_not_stall_other_commands() -> Result<()> {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    let mark = marker();
    let line = cmd!("echo {mark}; exec tail -f /dev/zero");
    let flood = host.run(&line).hide(Hide::Both).spawn()?;
    wait_until("the output flows", LIMIT, || !processes_matching("tail -f /dev/zero").is_empty());
    try_join_all((0..20).map(|_| host.run("true"))).await?;
    drop(flood);
    wait_until("the command has ended", LIMIT, || sshd.session_processes().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_input_does_not_stall_other_commands() -> Result<()> {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    let mark = marker();
    let stuck = host.run(cmd!("sleep {mark}")).stdin(large_input()).spawn()?;
    wait_until("the command runs", LIMIT, || !processes_matching(&mark).is_empty());
    try_join_all((0..20).map(|_| host.run("cat").stdin("little"))).await?;
    drop(stuck);
    wait_until("the command has ended", LIMIT, || processes_matching(&mark).is_empty());
    try_join_all((0..10).map(|_| host.run("true"))).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_with_unread_input_ends() -> Result<()> {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    host.run("true").stdin(large_input()).await?;
    let output = host.run("head -c 3; exit 4").stdin(large_input()).warn().await?;
    assert_eq!((output.stdout()?.as_ref(), output.status()?.shell_code()), ("xxx", 4));
    let here = Client::builder().build().local()?;
    here.run("true").stdin(large_input()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_input_and_output_pass_concurrently() -> Result<()> {
    let sshd = Sshd::start();
    let output = connect(&sshd).run("cat").stdin(vec![b'x'; 20 << 20]).hide(Hide::Both).capture_all().await?;
    assert_eq!(output.stdout_bytes()?.len(), 20 << 20);
    Ok(())
}
