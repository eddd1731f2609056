//! Known hosts files, read by `ssh` and by fabrs: the same verdict, and equally many recorded keys.

use std::fs;
use std::process::Command;

use fabrs::Result;
use fabrs_testing::{KeyType, Sshd};

use crate::known_hosts_file::KnownHostsFile;
use crate::support::{capture, client_of, event_texts};

/// Compares the verdict on each file with the verdict of `ssh`. `{key}` stands for the server's
/// key, `{other}` for another key of the same type, and `{ecdsa}` for a key of another type. `ask`
/// is not a separate case: without a prompt, `ask` behaves like `yes`.
async fn assert_same_verdicts(records: &[&str], stricts: &[&'static str]) {
    let (sshd, other) = (Sshd::start(), Sshd::builder().host_keys([KeyType::Ed25519, KeyType::Ecdsa]).start());
    let keys =
        [("{key}", &sshd.host_keys()[0]), ("{other}", &other.host_keys()[0]), ("{ecdsa}", &other.host_keys()[1])];
    for record in records {
        let text = keys.iter().fold((*record).to_owned(), |text, (name, key)| text.replace(name, &key.public()));
        for &strict in stricts {
            // The comparison is complete. The verdict itself does not matter here.
            drop(KnownHostsFile::of(&sshd, strict, &text).connect_like_ssh(&sshd).await);
        }
    }
}

#[tokio::test]
async fn keys_of_all_types_have_the_same_verdict() {
    let records = [
        "",
        "{host} {key}\n",
        "{host} {other}\n",
        "{host} {ecdsa}\n",
        "{host} {other}\n{host} {key}\n",
        "{host} {key}\n{host} {other}\n",
        "{host} {other}\n{host} {ecdsa}\n",
        "{host} {ecdsa}\n{host} {key}\n",
    ];
    assert_same_verdicts(&records, &["yes", "accept-new", "no"]).await;
}

#[tokio::test]
async fn patterns_and_ports_have_the_same_verdict() {
    let records = [
        "* {key}\n",
        "* {other}\n",
        "127.0.0.* {key}\n",
        "127.0.0.? {other}\n",
        "[127.0.0.?]:* {key}\n",
        "[127.0.0.1]:* {other}\n",
        "*,!{host} {key}\n",
        "*,!{host} {other}\n",
        "!{host} {key}\n",
        "!127.0.0.1,* {key}\n",
        "127.0.0.1 {key}\n",
        "127.0.0.1 {other}\n",
        "[127.0.0.1]:1 {key}\n",
        "127.0.0.1 {key}\n{host} {other}\n",
        "other,{host},third {key}\n",
    ];
    assert_same_verdicts(&records, &["yes", "accept-new"]).await;
}

#[tokio::test]
async fn blanks_comments_and_invalid_lines_have_the_same_verdict() {
    let records = [
        "# a comment\n\n   \n{host} {key}\n",
        "{host}\t{key}\r\n",
        "  {host}  \t {key} and more # words\r\n",
        "{host} {key}",
        "# the end is missing",
        "{host} {key}\n\0\n",
        "{host}\n{host} ssh-ed25519\n{host} ssh-ed25519 AAAA\n{host} {key}\n",
        "{host} ssh-ed25519 AAAA\n",
        "{host} ssh-rsa {key}\n",
        "{host} 1024 35 1234567890\n",
        "@nothing {host} {key}\n",
        "#{host} {key}\n",
    ];
    assert_same_verdicts(&records, &["yes", "accept-new"]).await;
}

#[tokio::test]
async fn markers_have_the_same_verdict() {
    let records = [
        "@revoked {host} {other}\n{host} {key}\n",
        "@revoked db {key}\n{host} {key}\n",
        "@revoked   {host}   {other}\n",
        "@cert-authority {host} {key}\n",
        "@cert-authority {host} {other}\n{host} {key}\n",
        "@cert-authority {host} {key}\n{host} {other}\n",
    ];
    assert_same_verdicts(&records, &["yes", "accept-new"]).await;
}

/// With `no`, `ssh` only warns about a revoked key. fabrs refuses the key with every setting.
#[tokio::test]
async fn a_revoked_key_has_the_same_verdict() -> Result<()> {
    let sshd = Sshd::start();
    let key = sshd.host_keys()[0].public();
    for strict in ["yes", "accept-new", "ask"] {
        for text in [format!("@revoked * {key}\n"), format!("{{host}} {key}\n@revoked {{host}} {key}\n")] {
            assert!(KnownHostsFile::of(&sshd, strict, &text).connect_like_ssh(&sshd).await.is_err());
        }
    }
    Ok(())
}

#[tokio::test]
async fn hashed_names_have_the_same_verdict() -> Result<()> {
    let (sshd, other) = (Sshd::start(), Sshd::start());
    for (key, known) in [(&sshd.host_keys()[0], true), (&other.host_keys()[0], false)] {
        let record = KnownHostsFile::of(&sshd, "yes", &format!("db {0}\nother,{{host}} {0}\n", key.public()));
        let hashed = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&record.file).output();
        assert!(hashed.expect("`ssh-keygen` comes with openssh-client").status.success());
        assert_eq!(record.text().matches("|1|").count(), 3, "{}", record.text());
        assert_eq!(record.connect_like_ssh(&sshd).await.is_ok(), known);
    }
    Ok(())
}

#[tokio::test]
async fn recorded_keys_are_accepted_by_both_programs() -> Result<()> {
    let sshd = Sshd::start();
    for hash in ["no", "yes"] {
        // The last line of the file has no line end.
        let ours = KnownHostsFile::of(&sshd, "accept-new", "# no end");
        let config = format!("HashKnownHosts {hash}\n{}", ours.lines());
        client_of(&sshd, &config).build().connect("host")?.run("true").await?;
        ours.with("yes").connect_like_ssh(&sshd).await?;

        let theirs = KnownHostsFile::empty(&sshd, "yes");
        fs::remove_file(&theirs.file).expect("the file was written");
        let mut ssh = sshd.ssh();
        for option in [format!("UserKnownHostsFile={}", theirs.file.display()), format!("HashKnownHosts={hash}")] {
            ssh.arg("-o").arg(option);
        }
        let recorded = ssh.args(["-o", "StrictHostKeyChecking=accept-new", "host", "true"]).output();
        assert!(recorded.expect("`ssh` comes with openssh-client").status.success());
        assert_eq!(theirs.text().contains("|1|"), hash == "yes", "{}", theirs.text());
        theirs.connect(&sshd).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_line_without_effect_causes_one_warning_for_all_hosts() -> Result<()> {
    let names = ["web1", "web2", "web3"];
    let sshd = Sshd::builder().aliases(names).start();
    let key = sshd.host_keys()[0].public();
    let record = KnownHostsFile::of(&sshd, "accept-new", &format!("# fine\nbroken\n@odd {{host}} {key}\n"));
    let (captured, sink) = capture();
    let client = client_of(&sshd, &format!("SetEnv A=1\nSendEnv LANG\n{}", record.lines())).sink(sink).build();
    for name in names {
        client.connect(name)?.run("true").await?;
    }
    let warnings = event_texts(&captured, "warning", "text");
    let about = |text: &str| warnings.iter().filter(|warning| warning.contains(text)).count();
    assert_eq!(about(&format!("{}:2: the key is missing", record.file.display())), 1, "{warnings:?}");
    assert_eq!(about(&format!("{}:3: unknown marker `@odd`", record.file.display())), 1, "{warnings:?}");
    assert_eq!(about(":1: `SetEnv` has no effect"), 1, "{warnings:?}");
    assert_eq!(about("recorded its ssh-ed25519 key"), 1, "{warnings:?}");
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    Ok(())
}
