//! Algorithm lists: fabrs negotiates the same algorithms as `ssh`, and fails without a common
//! algorithm.

use fabrs::{ErrorKind, Result};
use fabrs_testing::{KeyType, Sshd};

use super::{connect_like_ssh, connect_with, refusal};
use crate::support::{error_text, expect_error};

/// Returns the server's log lines about negotiated algorithms, without timestamps.
fn negotiated(sshd: &Sshd) -> Vec<String> {
    let log = sshd.log();
    let lines = log.lines().filter_map(|line| line.split_once("debug1: kex: ")).map(|(_, line)| line);
    lines.map(|line| line.replace(" [preauth]", "")).collect()
}

/// Asserts that fabrs and `ssh` negotiate the same algorithms with a server, and that the server
/// logs this word.
async fn assert_same_algorithms(sshd: &Sshd, lines: &str, word: &str) {
    let before = negotiated(sshd).len();
    connect_like_ssh(sshd, lines).await.unwrap_or_else(|error| panic!("with {lines}: {}", error_text(&error)));
    let lines_of_both = negotiated(sshd).split_off(before);
    let (ours, theirs) = lines_of_both.split_at(lines_of_both.len() / 2);
    for (who, agreed) in [("ours", ours), ("ssh", theirs)] {
        let has_word = agreed.iter().any(|line| line.contains(word));
        assert!(has_word, "{word} is missing in the log of {who}, with {lines}: {agreed:#?}");
    }
}

#[tokio::test]
async fn algorithm_lists_select_the_same_algorithms_as_ssh() {
    let kinds = [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa];
    let sshd = Sshd::builder().host_keys(kinds).option("LogLevel", "DEBUG").start();
    for (lines, word) in [
        ("Ciphers aes256-ctr", "cipher: aes256-ctr"),
        ("Ciphers -aes*gcm*,chacha*,aes128-ctr,aes192-ctr", "cipher: aes256-ctr"),
        ("Ciphers ^aes192-ctr", "cipher: aes192-ctr"),
        ("Ciphers aes128-ctr\nMACs hmac-sha2-256", "MAC: hmac-sha2-256 "),
        ("Ciphers aes128-ctr\nMACs ^hmac-sha2-512", "MAC: hmac-sha2-512 "),
        ("KexAlgorithms ecdh-sha2-nistp384", "algorithm: ecdh-sha2-nistp384"),
        ("KexAlgorithms -*25519*", "algorithm: ecdh-sha2-nistp256"),
        ("KexAlgorithms ^diffie-hellman-group14-sha256", "algorithm: diffie-hellman-group14-sha256"),
        ("HostKeyAlgorithms rsa-sha2-256", "host key algorithm: rsa-sha2-256"),
        ("HostKeyAlgorithms ^ecdsa-sha2-nistp256", "host key algorithm: ecdsa-sha2-nistp256"),
        ("HostKeyAlgorithms -ssh-ed25519,ecdsa*", "host key algorithm: rsa-sha2-512"),
    ] {
        assert_same_algorithms(&sshd, &format!("{lines}\n"), word).await;
    }
}

#[tokio::test]
async fn every_key_exchange_of_ssh_but_two_connects() -> Result<()> {
    // Our SSH library does not support `sntrup761x25519-sha512` and its former name.
    for kex in [
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group-exchange-sha256",
    ] {
        let sshd = Sshd::builder().option("KexAlgorithms", kex).start();
        connect_like_ssh(&sshd, "").await?;
    }
    let sshd = Sshd::builder().option("KexAlgorithms", "diffie-hellman-group14-sha1").start();
    refusal(&sshd, "", ErrorKind::Connect).await;
    connect_like_ssh(&sshd, "KexAlgorithms +diffie-hellman-group14-sha1\n").await
}

#[tokio::test]
async fn sha1_is_not_offered_for_host_keys_unless_the_config_adds_it() -> Result<()> {
    let sshd = Sshd::builder().host_keys([KeyType::Rsa]).option("HostKeyAlgorithms", "ssh-rsa").start();
    refusal(&sshd, "", ErrorKind::Connect).await;
    connect_like_ssh(&sshd, "HostKeyAlgorithms +ssh-rsa\n").await
}

#[tokio::test]
async fn a_list_without_a_common_algorithm_is_refused() {
    let sshd = Sshd::builder().option("Ciphers", "aes128-ctr").start();
    refusal(&sshd, "Ciphers aes256-ctr\n", ErrorKind::Connect).await;
    let sshd = Sshd::start();
    refusal(&sshd, "HostKeyAlgorithms rsa-sha2-512\n", ErrorKind::Connect).await;
    refusal(&sshd, "HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com\n", ErrorKind::Connect).await;
    let error = expect_error(connect_with(&sshd, "Ciphers 3des-cbc\n").await, ErrorKind::Config);
    assert!(error_text(&error).contains("no algorithm of `Ciphers 3des-cbc`"), "{error:?}");
}

#[tokio::test]
async fn keys_sign_only_by_accepted_algorithms() -> Result<()> {
    let sshd = Sshd::builder().identity_type(KeyType::Ed25519).start();
    refusal(&sshd, "PubkeyAcceptedAlgorithms rsa-*\n", ErrorKind::Auth).await;
    connect_like_ssh(&sshd, "PubkeyAcceptedAlgorithms ssh-ed25519\n").await?;
    let sshd = Sshd::builder().identity_type(KeyType::Rsa).option("LogLevel", "DEBUG").start();
    refusal(&sshd, "PubkeyAcceptedAlgorithms ssh-ed25519\n", ErrorKind::Auth).await;
    connect_like_ssh(&sshd, "PubkeyAcceptedAlgorithms rsa-sha2-256\n").await?;
    // This server announces SHA-512 although it rejects such signatures.
    let sshd = Sshd::builder().identity_type(KeyType::Rsa).option("PubkeyAcceptedAlgorithms", "rsa-sha2-256").start();
    refusal(&sshd, "", ErrorKind::Auth).await;
    connect_like_ssh(&sshd, "PubkeyAcceptedAlgorithms -rsa-sha2-512\n").await?;
    let sshd = Sshd::builder().identity_type(KeyType::Rsa).option("PubkeyAcceptedAlgorithms", "ssh-rsa").start();
    refusal(&sshd, "", ErrorKind::Auth).await;
    connect_like_ssh(&sshd, "PubkeyAcceptedAlgorithms ssh-rsa\n").await
}

#[tokio::test]
async fn rsa_keys_below_the_required_size_are_refused() -> Result<()> {
    let sshd = Sshd::builder().host_keys([KeyType::Rsa]).start();
    connect_like_ssh(&sshd, "RequiredRSASize 2048\n").await?;
    let text = error_text(&refusal(&sshd, "RequiredRSASize 2049\n", ErrorKind::HostKey).await);
    assert!(text.contains("the host's RSA key is too small"), "{text}");
    assert!(text.contains("it has 2048 bits, and `RequiredRSASize` is 2049"), "{text}");
    let sshd = Sshd::builder().identity_type(KeyType::Rsa).start();
    let text = error_text(&refusal(&sshd, "RequiredRSASize 3072\n", ErrorKind::Auth).await);
    assert!(text.contains("(2048 bits, and `RequiredRSASize` is 3072)"), "{text}");
    Ok(())
}
