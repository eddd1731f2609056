//! `RevokedHostKeys`: text lists and key revocation lists, for keys and certificates of all types.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fabrs::{ErrorKind, Result};
use fabrs_testing::{Key, KeyType, Sshd};

use super::{connect_like_ssh, refusal};
use crate::known_hosts_file::KnownHostsFile;
use crate::support::error_text;

const KINDS: [KeyType; 3] = [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa];

/// Makes a key revocation list, from a file with public keys or a specification.
fn krl(sshd: &Sshd, name: &str, arguments: &[&str], content: &Path) -> PathBuf {
    let path = sshd.dir().join(name);
    let mut keygen = Command::new("ssh-keygen");
    let made = keygen.args(["-q", "-k", "-f"]).arg(&path).args(arguments).arg(content).status();
    assert!(made.expect("`ssh-keygen` comes with openssh-client").success());
    path
}

fn file(sshd: &Sshd, name: &str, text: &str) -> PathBuf {
    let path = sshd.dir().join(name);
    fs::write(&path, text).expect("the directory is ours");
    path
}

/// Asserts that fabrs and `ssh` refuse the host because of this list, with every checking mode.
/// Returns the error text.
async fn assert_revoked(sshd: &Sshd, record: &KnownHostsFile, list: &Path) -> String {
    let mut text = String::new();
    for strict in ["yes", "accept-new", "no"] {
        let lines = format!("{}RevokedHostKeys {}\n", record.with(strict).lines(), list.display());
        text = error_text(&refusal(sshd, &lines, ErrorKind::HostKey).await);
        assert!(text.contains(&list.display().to_string()), "{text}");
    }
    text
}

/// Asserts that fabrs and `ssh` accept a host with this list.
async fn assert_accepted(sshd: &Sshd, record: &KnownHostsFile, list: &Path) -> Result<()> {
    connect_like_ssh(sshd, &format!("{}RevokedHostKeys {}\n", record.lines(), list.display())).await
}

#[tokio::test]
async fn a_key_revoked_by_a_text_list_or_a_krl_is_refused() -> Result<()> {
    let other = Sshd::start();
    for kind in KINDS {
        let sshd = Sshd::builder().host_keys([kind]).start();
        let key = &sshd.host_keys()[0];
        let record = KnownHostsFile::of(&sshd, "yes", &format!("{{host}} {}\n", key.public()));
        let lists = [
            file(&sshd, "text", &format!("# stolen\n\n{}\n", key.public())),
            krl(&sshd, "key.krl", &[], &key.public_path()),
            krl(&sshd, "sha1.krl", &[], &file(&sshd, "sha1", &format!("sha1: {}\n", key.public()))),
            krl(&sshd, "sha256.krl", &[], &file(&sshd, "sha256", &format!("sha256: {}\n", key.public()))),
        ];
        for list in lists {
            let text = assert_revoked(&sshd, &record, &list).await;
            assert!(text.starts_with("error: host: the host's key is revoked"), "{text}");
        }
        assert_accepted(&sshd, &record, &file(&sshd, "other", &other.host_keys()[0].public())).await?;
        assert_accepted(&sshd, &record, &krl(&sshd, "other.krl", &[], &other.host_keys()[0].public_path())).await?;
        assert_accepted(&sshd, &record, Path::new("none")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_is_refused_by_its_key_its_authority_its_serial_and_its_id() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let authority = Key::generate(dir.path().join("authority"), KeyType::Ed25519, "");
    let ca = authority.public_path().display().to_string();
    for kind in KINDS {
        let sshd = Sshd::builder()
            .host_keys([kind])
            .host_ca(&authority)
            .host_certificate_args(["-h", "-n", "127.0.0.1", "-z", "77"])
            .start();
        let key = &sshd.host_keys()[0];
        let record = KnownHostsFile::of(&sshd, "yes", &format!("@cert-authority * {}\n", authority.public()));
        let of_authority =
            |name: &str, text: &str| krl(&sshd, &format!("{name}.krl"), &["-s", &ca], &file(&sshd, name, text));
        let lists = [
            (file(&sshd, "text", &key.public()), "the host's key is revoked"),
            (file(&sshd, "ca", &authority.public()), "the authority that signed the host's certificate is revoked"),
            (krl(&sshd, "key.krl", &[], &key.public_path()), "the host's key is revoked"),
            (
                krl(&sshd, "ca.krl", &[], &authority.public_path()),
                "the authority that signed the host's certificate is revoked",
            ),
            (of_authority("serial", "serial: 77\n"), "revoked by its serial number 77"),
            (of_authority("range", "serial: 70-80\n"), "revoked by its serial number 77"),
            (of_authority("id", "id: fabrs-testing\n"), "revoked by its key ID `fabrs-testing`"),
        ];
        for (list, expected) in lists {
            let text = assert_revoked(&sshd, &record, &list).await;
            assert!(text.contains(expected), "{text}");
        }
        assert_accepted(&sshd, &record, &of_authority("others", "serial: 1-76\nserial: 78\nid: other\n")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_or_damaged_list_refuses_every_host() {
    let sshd = Sshd::start();
    let record = KnownHostsFile::of(&sshd, "yes", &format!("{{host}} {}\n", sshd.host_keys()[0].public()));
    let damaged = [b"SSHKRL\n\0".as_slice(), &[0; 20]].concat();
    let krl = sshd.dir().join("damaged.krl");
    fs::write(&krl, damaged).expect("the directory is ours");
    for list in [sshd.dir().join("missing"), krl, file(&sshd, "bad", "this is no key\n")] {
        let text = assert_revoked(&sshd, &record, &list).await;
        assert!(text.contains("could not read the revoked host keys"), "{text}");
        assert!(text.contains("no host is trusted while the file is unreadable"), "{text}");
    }
}
