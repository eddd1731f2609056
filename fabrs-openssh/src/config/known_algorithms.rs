//! The algorithm names accepted by the keywords of `ssh_config`.

/// The algorithm names accepted by a keyword.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownAlgorithms {
    pub(super) names: &'static [&'static str],
    /// True if patterns are allowed. In lists with `-`, patterns are always allowed.
    pub(super) allows_patterns: bool,
}

/// The ciphers of OpenSSH up to 10.
pub(super) const CIPHERS: KnownAlgorithms = KnownAlgorithms {
    allows_patterns: false,
    names: &[
        "3des-cbc",
        "aes128-cbc",
        "aes192-cbc",
        "aes256-cbc",
        "rijndael-cbc@lysator.liu.se",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
    ],
};

/// The message authentication codes of OpenSSH up to 10.
pub(super) const MACS: KnownAlgorithms = KnownAlgorithms {
    allows_patterns: false,
    names: &[
        "hmac-sha1",
        "hmac-sha1-96",
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-md5",
        "hmac-md5-96",
        "umac-64@openssh.com",
        "umac-128@openssh.com",
        "hmac-sha1-etm@openssh.com",
        "hmac-sha1-96-etm@openssh.com",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-md5-etm@openssh.com",
        "hmac-md5-96-etm@openssh.com",
        "umac-64-etm@openssh.com",
        "umac-128-etm@openssh.com",
    ],
};

/// The key exchange algorithms of OpenSSH up to 10, and algorithms of RFC 8268 in other servers.
pub(super) const KEX_ALGORITHMS: KnownAlgorithms = KnownAlgorithms {
    allows_patterns: false,
    names: &[
        "diffie-hellman-group1-sha1",
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group15-sha512",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group17-sha512",
        "diffie-hellman-group18-sha512",
        "diffie-hellman-group-exchange-sha1",
        "diffie-hellman-group-exchange-sha256",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com",
        "mlkem768x25519-sha256",
    ],
};

/// The key and signature algorithms of OpenSSH up to 10, for `HostKeyAlgorithms` and
/// `PubkeyAcceptedAlgorithms`.
pub(super) const KEY_ALGORITHMS: KnownAlgorithms = KnownAlgorithms {
    allows_patterns: true,
    names: &[
        "ssh-ed25519",
        "ssh-ed25519-cert-v01@openssh.com",
        "sk-ssh-ed25519@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        "ecdsa-sha2-nistp521",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
        "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ssh-mldsa44-ed25519@openssh.com",
        "ssh-mldsa44-ed25519-cert-v01@openssh.com",
        "ssh-dss",
        "ssh-dss-cert-v01@openssh.com",
        "ssh-rsa",
        "ssh-rsa-cert-v01@openssh.com",
        "rsa-sha2-256",
        "rsa-sha2-256-cert-v01@openssh.com",
        "rsa-sha2-512",
        "rsa-sha2-512-cert-v01@openssh.com",
        "ssh-xmss@openssh.com",
        "ssh-xmss-cert-v01@openssh.com",
    ],
};

/// The CA signature algorithms accepted by `ssh` by default. SHA-1 (`ssh-rsa`) is not included.
pub(super) const DEFAULT_CA_SIGNATURES: [&str; 8] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// All CA signature algorithms, in the order of `ssh`.
pub(super) const ALL_CA_SIGNATURES: [&str; 11] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-dss",
    "ssh-rsa",
    "rsa-sha2-256",
    "rsa-sha2-512",
];
