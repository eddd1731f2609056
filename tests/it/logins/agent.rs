//! Logins with keys held by an agent.

use std::fs;
use std::process::{Command, Stdio};

use fabrs::Result;
use fabrs::prelude::*;
use fabrs_testing::{Key, KeyType, SshAgent, Sshd};

use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{client_of, error_text, expect_error};

/// Returns a server that accepts this key. The server's own identity file is removed.
fn server_accepting(key: &Key) -> Sshd {
    let sshd = Sshd::builder().authorize(key).start();
    fs::remove_file(sshd.identity()).expect("the directory is ours");
    sshd
}

fn key(dir: &tempfile::TempDir, kind: KeyType) -> Key {
    Key::generate(dir.path().join(format!("held_{kind:?}")), kind, "")
}

#[tokio::test]
async fn a_key_of_the_agent_logs_in() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let key = key(&dir, kind);
        let sshd = server_accepting(&key);
        let agent = SshAgent::holding(&[&key], sshd.dir());
        let config = format!("IdentitiesOnly no\n{}", agent.line());
        client_of(&sshd, &config).build().connect("host")?.run("true").await?;
        assert!(sshd.log().contains(&key.fingerprint()), "{kind:?}: {}", sshd.log());
    }
    Ok(())
}

#[tokio::test]
async fn an_unnamed_agent_key_is_not_offered_with_identities_only() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = key(&dir, KeyType::Ed25519);
    let sshd = server_accepting(&key);
    let agent = SshAgent::holding(&[&key], sshd.dir());
    let error =
        expect_error(client_of(&sshd, &agent.line()).build().connect("host")?.run("true").await, ErrorKind::Auth);
    assert!(!error_text(&error).contains("of the agent"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_public_key_file_selects_the_agent_key() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = key(&dir, KeyType::Ed25519);
    let sshd = server_accepting(&key);
    let agent = SshAgent::holding(&[&key], sshd.dir());
    fs::remove_file(key.path()).expect("the directory is ours");
    // Like `ssh`: the file itself, or the file with the suffix `.pub`.
    for named in [key.public_path(), key.path().to_owned()] {
        let config = format!("IdentityFile {}\n{}", named.display(), agent.line());
        client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_encrypted_key_held_by_the_agent_needs_no_passphrase() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = key(&dir, KeyType::Ed25519);
    let sshd = server_accepting(&key);
    let agent = SshAgent::holding(&[&key], sshd.dir());
    let mut lock = Command::new("ssh-keygen");
    let locked = lock.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]).arg(key.path()).stdout(Stdio::null()).status();
    assert!(locked.expect("`ssh-keygen` comes with openssh-client").success());
    let answers = ScriptedPrompter::new([]);
    let config = format!("IdentityFile {}\n{}", key.path().display(), agent.line());
    client_of(&sshd, &config).prompter(answers.clone()).build().connect("host")?.run("true").await?;
    assert_eq!(answers.prompts(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn key_files_are_tried_without_a_running_agent() -> Result<()> {
    let sshd = Sshd::start();
    let config = format!("IdentityAgent {}\n", sshd.dir().join("nobody").display());
    client_of(&sshd, &config).build().connect("host")?.run("true").await?;
    Ok(())
}
