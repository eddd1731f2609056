//! A login as root, for which sshd takes no signals: what is on its way ends all the same.

use std::time::Duration;

use fabrs::ErrorKind;
use fabrs::prelude::*;
use fabrs_testing::{Account, Capability, Sshd, processes_matching, wait_until};

use super::lines::{Kind, Lab};
use crate::support::{LIMIT, refused};

fn lab() -> Lab {
    Lab::of(Sshd::builder().users([Account::Root]).start(), |builder| builder)
}

async fn ends(kind: Kind) {
    if !Sshd::can(Capability::Accounts) {
        return;
    }
    let lab = lab();
    let host = lab.host();
    refused(kind.command(&host, &lab.mark).timeout(Duration::from_secs(1)).await, ErrorKind::Timeout);
    wait_until("nothing of it is left", LIMIT, || processes_matching(&lab.mark).is_empty());
    assert!(lab.told.of("leftover").is_empty(), "{:?}", lab.told.of("leftover"));
    host.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_command_of_root_ends() {
    ends(Kind::Single).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_of_root_ends() {
    ends(Kind::Pipeline).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_background_child_of_root_ends() {
    ends(Kind::Background).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_root_on_a_pty_ends() {
    ends(Kind::OnAPty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_root_that_heeds_no_term_is_killed() {
    ends(Kind::Stubborn).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_gets_status_output_and_an_empty_input_as_everybody() -> fabrs::Result<()> {
    if !Sshd::can(Capability::Accounts) {
        return Ok(());
    }
    let lab = lab();
    let host = lab.host();
    let output = host.cd("/tmp").env("X", "a 'b'").run("cat; pwd; echo $X; echo e >&2; exit 3").warn().await?;
    assert_eq!((output.lines()?, output.stderr()?.as_ref()), (vec!["/tmp".to_owned(), "a 'b'".to_owned()], "e\n"));
    assert_eq!(output.status()?, &ExitStatus::Code(3));
    let echoed = host.run("cat").stdin("given").hide(Hide::Both).await?;
    assert_eq!(echoed.line()?, "given");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_root_ends_when_its_connection_is_gone() -> fabrs::Result<()> {
    if !Sshd::can(Capability::Accounts) {
        return Ok(());
    }
    let proxied = lab();
    let proxy = fabrs_testing::faults::Proxy::to(proxied.sshd.addr());
    let way = crate::support::through(&proxy, &proxied.sshd);
    let host = crate::support::client_of(&proxied.sshd, &way).build().connect(proxied.sshd.alias())?;
    let running = Kind::Single.command(&host, &proxied.mark).spawn()?;
    proxied.wait_until_it_runs();
    proxy.cut_now(fabrs_testing::faults::Cut::Reset);
    refused(running.await, ErrorKind::Channel);
    wait_until("nothing of it is left", LIMIT, || processes_matching(&proxied.mark).is_empty());
    Ok(())
}
