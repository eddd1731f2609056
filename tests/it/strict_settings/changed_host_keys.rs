//! Hosts with a changed key and disabled checking: like `ssh`, fabrs uses the host, but sends no
//! secret.

use fabrs::prelude::*;
use fabrs::{Client, Group, Result, Secret};
use fabrs_testing::{Account, Capability, Sshd};

use crate::known_hosts_file::KnownHostsFile;
use crate::support::{client_of, error_text, expect_error};

/// Returns a client without host key checking, with another key on record for the host.
fn client(sshd: &Sshd, other: &Sshd) -> Client {
    let record = KnownHostsFile::of(sshd, "no", &format!("{{host}} {}\n", other.host_keys()[0].public()));
    client_of(sshd, &record.lines()).sudo_password(Secret::new(Sshd::account_password())).build()
}

#[track_caller]
fn assert_secret_not_sent<T: std::fmt::Debug>(result: Result<T>) {
    let text = error_text(&expect_error(result, ErrorKind::HostKey));
    assert!(
        text.contains("was not sent") && text.contains("the host key differs from the one in known_hosts"),
        "{text}"
    );
    assert!(
        text.contains("hint: if the new host key is genuine, remove the old one: `ssh-keygen -R '[127.0.0.1]:"),
        "{text}"
    );
    assert!(text.contains(" -f /"), "{text}");
}

#[tokio::test]
async fn a_host_with_a_changed_key_runs_commands_but_receives_no_secret() -> Result<()> {
    let (sshd, other) = (Sshd::start(), Sshd::start());
    let host = client(&sshd, &other).connect("host")?.cd(sshd.scratch().to_string_lossy());
    assert_eq!(host.run("echo here").line().await?, "here");
    let secret = Secret::new("hunter2-hunter2");
    assert_secret_not_sent(host.env("TOKEN", &secret).run("echo ran > ran").await);
    assert_secret_not_sent(host.run("cat > ran").stdin(&secret).await);
    assert_secret_not_sent(host.run("cat > ran").watch(Responder::new("Token: ", &secret)).await);
    assert_secret_not_sent(host.put(&secret, "ran").await);
    assert_eq!(host.probe("test ! -e ran && echo absent").line().await?, "absent");
    host.put(b"no secret".as_slice(), "ran").await?;
    // The check also applies inside a task, after earlier commands on the same connection.
    let outcomes = Group::of(&client(&sshd, &other), ["host"])?
        .each(|host| async move {
            host.run("true").await?;
            host.env("TOKEN", Secret::new("hunter2-hunter2")).run("true").await
        })
        .await;
    let error = error_text(&expect_error(outcomes.all_ok(), ErrorKind::HostKey));
    assert!(error.contains("was not sent") && !error.contains("could not be reached again"), "{error}");
    // Another host has a trusted key.
    let trusted = client_of(&sshd, "").build().connect("host")?;
    trusted.env("TOKEN", &secret).run("true").await?;
    Ok(())
}

#[tokio::test]
async fn a_host_with_a_changed_key_receives_no_sudo_password() -> Result<()> {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    for account in [Account::Sudo, Account::SudoNopasswd] {
        let sshd = Sshd::builder().users([account]).start();
        let host = client(&sshd, &Sshd::start()).connect("host")?;
        for line in ["id -un", "id -un; true"] {
            let result = host.sudo(line).await;
            match account {
                Account::Sudo => assert_secret_not_sent(result),
                _ => assert_eq!(result?.line()?, "root"),
            }
        }
    }
    Ok(())
}
