//! Config keywords compared with `ssh`: misspelt and unsupported keywords, tokens, `Match exec` and
//! jump hosts.

use std::fs;

use fabrs::Result;
use fabrs::prelude::*;
use fabrs_testing::Sshd;

use super::{connect_like_ssh, connect_with, refusal};
use crate::support::{capture, client_of, error_text, event_texts, expect_error};

#[tokio::test]
async fn a_misspelt_keyword_is_an_error_with_its_location() {
    let sshd = Sshd::start();
    for (lines, expected) in [
        ("Hsot other\n    User nobody\nHost *\n", ":1: unknown keyword `hsot`: did you mean `Host`?"),
        ("Mtach host other\n    User nobody\nHost *\n", ":1: unknown keyword `mtach`: did you mean `Match`?"),
        ("\u{feff}Host other\n    User nobody\nHost *\n", ":1: the file starts with a byte order mark (BOM)"),
        ("Ciphers nonsense\n", ":1: `ciphers`: unknown algorithm `nonsense`"),
    ] {
        let text = error_text(&refusal(&sshd, lines, ErrorKind::Config).await);
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn unsupported_keywords_that_make_ssh_stricter_are_errors() {
    let sshd = Sshd::start();
    for line in ["KnownHostsCommand /bin/echo %H", "CheckHostIP yes", "RefuseConnection by the admin"] {
        let text = error_text(&expect_error(connect_with(&sshd, &format!("{line}\n")).await, ErrorKind::Config));
        assert!(text.contains(&format!("`{line}`")) && text.contains("is not supported"), "{text}");
    }
}

#[tokio::test]
async fn a_keyword_without_effect_warns_and_a_harmless_one_does_not() -> Result<()> {
    let sshd = Sshd::start();
    let harmless = "SendEnv LANG LC_*\nGSSAPIAuthentication yes\nForwardX11 yes\nControlMaster auto\nControlPath /x\n\
                    ControlPersist 10m\nLogLevel ERROR\nVisualHostKey yes\nUseKeychain yes\nAddKeysToAgent yes\n\
                    Compression yes\nForwardAgent no\nRequestTTY auto\nAddressFamily any\nConnectionAttempts 1\nTunnel no\n";
    let missed = "LocalForward 8080 localhost:80\nSetEnv A=1\nBindAddress 127.0.0.2\nRequestTTY force\n";
    for (lines, count) in [(harmless, 0), (missed, 4)] {
        let (captured, sink) = capture();
        client_of(&sshd, lines).sink(sink).build().connect("host")?.run("true").await?;
        let warnings = event_texts(&captured, "warning", "text");
        assert_eq!(warnings.len(), count, "{warnings:#?}");
        assert!(warnings.iter().all(|text| text.contains("has no effect")), "{warnings:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn known_hosts_paths_expand_user_and_machine_tokens() -> Result<()> {
    let sshd = Sshd::start();
    let uid = rustix::process::getuid().as_raw();
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let known = sshd.dir().join(format!("known-{uid}-{machine}"));
    fs::copy(sshd.known_hosts(), &known).expect("the directory is ours");
    let dir = sshd.dir().display();
    connect_like_ssh(&sshd, &format!("UserKnownHostsFile {dir}/known-%i-%l\n")).await?;
    refusal(&sshd, &format!("UserKnownHostsFile {dir}/known-%C\n"), ErrorKind::HostKey).await;
    Ok(())
}

#[tokio::test]
async fn match_exec_runs_only_if_local_programs_are_allowed() -> Result<()> {
    let sshd = Sshd::start();
    connect_like_ssh(&sshd, "Match !exec \"test %n = host\"\n    PubkeyAuthentication no\nMatch all\n").await?;
    refusal(
        &sshd,
        "Match exec \"true\"\n    IdentityFile none\n    PubkeyAuthentication no\nMatch all\n",
        ErrorKind::Auth,
    )
    .await;
    connect_like_ssh(&sshd, "Match exec \"exit 3\"\n    PubkeyAuthentication no\nMatch all\n").await?;
    let marker = sshd.dir().join("ran");
    let lines = format!("Match exec \"touch '{}'\"\n    ConnectTimeout 20\nMatch all\n", marker.display());
    let text = error_text(&expect_error(connect_with(&sshd, &lines).await, ErrorKind::Config));
    assert!(
        text.contains("local programs are disabled: enable them with `ClientBuilder::allow_local_programs`"),
        "{text}"
    );
    assert!(!marker.exists());
    Ok(())
}

#[tokio::test]
async fn a_match_exec_command_runs_once_for_all_hosts() -> Result<()> {
    let names = ["web1", "web2", "web3"];
    let sshd = Sshd::builder().aliases(names).start();
    let log = sshd.dir().join("log");
    let lines = format!(
        "Match exec \"echo vpn >> '{0}'\"\n    ConnectTimeout 20\nMatch exec \"echo %n >> '{0}'\"\n    ConnectTimeout 20\n\
         Match all\n",
        log.display()
    );
    let client = client_of(&sshd, &lines).allow_local_programs().build();
    for name in names {
        client.connect(name)?.run("true").await?;
    }
    assert_eq!(fs::read_to_string(&log).expect("the commands wrote it"), "vpn\nweb1\nweb2\nweb3\n");
    Ok(())
}

#[tokio::test]
async fn a_jump_host_with_the_address_of_its_target_is_used() -> Result<()> {
    let inner = Sshd::start();
    let gateway = Sshd::builder().authorize(inner.identity_key()).start();
    // The gateway has no alias, only an address and a port.
    let lines = format!(
        "Host host\n    ProxyJump 127.0.0.1:{}\nHost 127.0.0.1\n    UserKnownHostsFile {}\n    IdentityFile {}\nHost *\n",
        gateway.port(),
        gateway.known_hosts().display(),
        inner.identity().display()
    );
    let host = client_of(&inner, &lines).build().connect("host")?;
    assert_eq!(host.run("echo here").line().await?, "here");
    assert!(gateway.log().contains("Accepted publickey"), "the gateway was not used: {}", gateway.log());
    Ok(())
}
