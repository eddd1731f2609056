//! Known hosts files: the files searched for a host key, and the file that receives a new host key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fabrs::prelude::*;
use fabrs::{Client, Result};
use fabrs_testing::Sshd;

use crate::support::{capture, client_of, error_text, expect_error, gateway_config};

/// Makes a file with the server's key.
fn file_with_server_key(sshd: &Sshd, name: &str) -> PathBuf {
    let path = sshd.dir().join(name);
    fs::copy(sshd.known_hosts(), &path).expect("the directory is ours");
    path
}

fn client(sshd: &Sshd, user: &[&Path], global: &Path, strict: &str) -> Client {
    let user: Vec<String> = user.iter().map(|path| path.display().to_string()).collect();
    let (user, global) = (user.join(" "), global.display());
    let config = format!("UserKnownHostsFile {user}\nGlobalKnownHostsFile {global}\nStrictHostKeyChecking {strict}\n");
    client_of(sshd, &config).build()
}

#[tokio::test]
async fn a_key_is_searched_in_all_user_and_system_files() -> Result<()> {
    let sshd = Sshd::start();
    let [missing, empty] = ["missing", "empty"].map(|name| sshd.dir().join(name));
    fs::write(&empty, "").expect("the directory is ours");
    let full = file_with_server_key(&sshd, "full");
    for (user, global) in [([&*missing, &*full], &*empty), ([&full, &empty], &missing), ([&missing, &empty], &full)] {
        client(&sshd, &user, global, "yes").connect("host")?.run("true").await?;
    }
    let error = client(&sshd, &[&missing, &empty], &missing, "yes").connect("host")?.run("true").await;
    expect_error(error, ErrorKind::HostKey);
    Ok(())
}

#[tokio::test]
async fn a_new_key_is_recorded_in_the_first_user_file() -> Result<()> {
    let sshd = Sshd::start();
    let [first, second, global] = ["first", "second", "global"].map(|name| sshd.dir().join(name));
    client(&sshd, &[&first, &second], &global, "accept-new").connect("host")?.run("true").await?;
    let text = fs::read_to_string(&first).expect("the file was written");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", sshd.port())), "{text}");
    assert!(!second.exists() && !global.exists());
    Ok(())
}

#[tokio::test]
async fn a_directory_made_for_known_hosts_is_private() -> Result<()> {
    let sshd = Sshd::start();
    let folder = sshd.dir().join("home/.ssh");
    let file = folder.join("known_hosts");
    client(&sshd, &[&file], Path::new("/dev/null"), "accept-new").connect("host")?.run("true").await?;
    let mode = |path: &Path| fs::metadata(path).expect("the file was made").permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    Ok(())
}

#[tokio::test]
async fn the_system_file_is_never_written() -> Result<()> {
    let sshd = Sshd::start();
    let global = sshd.dir().join("global");
    client(&sshd, &[Path::new("none")], &global, "accept-new").connect("host")?.run("true").await?;
    assert!(!global.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_of_two_servers_with_the_same_new_name_is_accepted() -> Result<()> {
    let server = Sshd::start();
    let other = Sshd::builder().authorize(server.identity_key()).start();
    let record = server.dir().join("recorded");
    let trust =
        format!("HostKeyAlias shop\nUserKnownHostsFile {}\nStrictHostKeyChecking accept-new\n", record.display());
    let client = client_of(&server, &(trust + &gateway_config("other", &other))).build();
    let (host, other) = (client.connect("host")?, client.connect("other")?);
    let (first, second) = tokio::join!(host.run("true"), other.run("true"));
    let (taken, refusal) = if first.is_ok() { (first, second) } else { (second, first) };
    assert!(taken?.ok()?);
    let error = expect_error(refusal, ErrorKind::HostKey);
    assert!(error_text(&error).contains("key has changed"), "{error:?}");
    assert_eq!(fs::read_to_string(&record).expect("the file was written").lines().count(), 1);
    Ok(())
}

#[tokio::test]
async fn an_unreadable_known_hosts_file_is_an_error() -> Result<()> {
    let sshd = Sshd::start();
    let (events, sink) = capture();
    let config = format!("UserKnownHostsFile {}\nStrictHostKeyChecking accept-new\n", sshd.dir().display());
    let host = client_of(&sshd, &config).sink(sink).build().connect("host")?;
    let error = expect_error(host.run("true").await, ErrorKind::HostKey);
    assert!(error_text(&error).starts_with("error: host: could not read the known hosts"), "{error:?}");
    assert!(events.of_kind("warning").is_empty());
    Ok(())
}
