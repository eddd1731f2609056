//! The algorithms offered to a server: preference order, modified by the ssh config.

use fabrs_openssh::config::{AlgorithmList, HostConfig};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg};
use russh::{Preferred, cipher, kex, mac};

use crate::error::{Error, ErrorKind, Result};

/// The minimum size of RSA keys in bits (`RequiredRSASize`), as in OpenSSH.
const MIN_RSA_BITS: u32 = 1024;

/// Key exchange methods, the fastest first. In russh, group 18 costs about fifty times as much as
/// group 14.
const KEX: [&str; 12] = [
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group15-sha512",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group17-sha512",
    "diffie-hellman-group18-sha512",
];
/// Key exchange methods with SHA-1, only used if the ssh config names them.
const OLD_KEX: [&str; 3] =
    ["diffie-hellman-group-exchange-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1"];

const CIPHERS: [&str; 6] = [
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
];
/// Ciphers in CBC mode, only used if the ssh config names them.
const OLD_CIPHERS: [&str; 3] = ["aes128-cbc", "aes192-cbc", "aes256-cbc"];

/// Message authentication codes. Those with SHA-1 come last, as in ssh. SHA-1 is not broken for
/// this use.
const MACS: [&str; 6] = [
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512",
    "hmac-sha2-256",
    "hmac-sha1-etm@openssh.com",
    "hmac-sha1",
];

/// Signature algorithms of host keys.
const HOST_KEYS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];
/// Signature algorithms of hardware security keys, offered for logins in addition to [`HOST_KEYS`].
const SECURITY_KEYS: [&str; 2] = ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"];
/// RSA with SHA-1, only used if the ssh config names it.
const SHA1: &str = "ssh-rsa";
/// DSA, only used if the ssh config names it.
const DSA: &str = "ssh-dss";

/// The suffix of certificate algorithms.
const CERTIFICATE: &str = "-cert-v01@openssh.com";

/// The algorithm lists of the ssh config for a host.
#[derive(Debug)]
pub(super) struct Algorithms {
    ciphers: Option<AlgorithmList>,
    macs: Option<AlgorithmList>,
    kex: Option<AlgorithmList>,
    host_keys: Option<AlgorithmList>,
    login_keys: Option<AlgorithmList>,
    min_rsa_bits: u32,
}

/// The hash of an RSA signature (RFC 8332).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RsaHash {
    Sha512,
    Sha256,
    Sha1,
}

impl RsaHash {
    /// All hashes, the strongest first.
    const ALL: [Self; 3] = [Self::Sha512, Self::Sha256, Self::Sha1];

    /// Converts a hash from russh, where `None` is SHA-1.
    pub(super) fn from_russh(hash: Option<HashAlg>) -> Self {
        match hash {
            Some(HashAlg::Sha512) => Self::Sha512,
            Some(_) => Self::Sha256,
            None => Self::Sha1,
        }
    }

    fn to_russh(self) -> Option<HashAlg> {
        match self {
            Self::Sha512 => Some(HashAlg::Sha512),
            Self::Sha256 => Some(HashAlg::Sha256),
            Self::Sha1 => None,
        }
    }
}

/// The signature algorithm of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginSignature {
    Rsa(RsaHash),
    /// The only algorithm of the key type.
    KeyDefault,
}

impl LoginSignature {
    /// Returns the hash as a russh value.
    pub(super) fn hash(self) -> Option<HashAlg> {
        match self {
            Self::Rsa(hash) => hash.to_russh(),
            Self::KeyDefault => None,
        }
    }
}

impl Algorithms {
    pub(super) fn new(config: &HostConfig) -> Self {
        Self {
            ciphers: config.ciphers.clone(),
            macs: config.macs.clone(),
            kex: config.kex_algorithms.clone(),
            host_keys: config.host_key_algorithms.clone(),
            login_keys: config.pubkey_accepted_algorithms.clone(),
            // As in ssh, the setting can only raise the minimum.
            min_rsa_bits: config.required_rsa_size.map_or(MIN_RSA_BITS, |bits| bits.max(MIN_RSA_BITS)),
        }
    }

    /// Returns the algorithms to offer, in order of preference. Like ssh, the key types in
    /// `recorded` come first, so a server with several keys presents a known one. `certificates` is
    /// true if `known_hosts` has an `@cert-authority` or `@revoked` line for the host. Certificates
    /// are offered only then, or if `HostKeyAlgorithms` sets another order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a list of the ssh config leaves no supported algorithm.
    pub(super) fn preferred(&self, recorded: &[String], certificates: bool) -> Result<Preferred> {
        let kex = selected("KexAlgorithms", self.kex.as_ref(), &KEX, &OLD_KEX, |name| kex::Name::try_from(name).ok())?;
        let extensions = [kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];
        let ciphers = ciphers();
        let ciphers = selected("Ciphers", self.ciphers.as_ref(), &ciphers, &OLD_CIPHERS, |name| {
            cipher::Name::try_from(name).ok()
        })?;
        let macs = selected("MACs", self.macs.as_ref(), &MACS, &[], |name| mac::Name::try_from(name).ok())?;
        let keys = self.host_keys(recorded, certificates)?;
        let (certificates, plain): (Vec<&str>, Vec<&str>) =
            keys.iter().map(String::as_str).partition(|name| name.ends_with(CERTIFICATE));
        let algorithms = |names: Vec<&str>| -> Vec<Algorithm> {
            names.into_iter().filter_map(|name| plain_name(name).parse().ok()).collect()
        };
        Ok(Preferred {
            kex: kex.into_iter().chain(extensions).collect::<Vec<_>>().into(),
            key: algorithms(plain).into(),
            host_key_certificates: algorithms(certificates).into(),
            cipher: ciphers.into(),
            mac: macs.into(),
            ..Preferred::default()
        })
    }

    /// Returns the names of the offered host key algorithms. The order in the ssh config has
    /// precedence over `known_hosts`.
    fn host_keys(&self, recorded: &[String], certificates: bool) -> Result<Vec<String>> {
        let with_certificates = |names: &[&str]| -> Vec<String> {
            let certificates = names.iter().map(|name| format!("{name}{CERTIFICATE}"));
            certificates.chain(names.iter().map(|&name| name.to_owned())).collect()
        };
        let (defaults, all) = (with_certificates(&HOST_KEYS), with_certificates(&[&HOST_KEYS[..], &[SHA1]].concat()));
        let (defaults, all) = (borrowed(&defaults), borrowed(&all));
        let list = self.host_keys.as_ref();
        let mut names = match list {
            Some(list) => list.select(&defaults, &all),
            None => defaults.iter().map(|&name| name.to_owned()).collect(),
        };
        if list.is_none_or(AlgorithmList::keeps_default_order) {
            names.retain(|name| certificates || !name.ends_with(CERTIFICATE));
            let is_recorded = |name: &str| {
                recorded.iter().any(|known| known == name || (known == SHA1 && name.starts_with("rsa-sha2-")))
            };
            // A stable sort only moves unrecorded key types to the end. Certificates stay first.
            names.sort_by_key(|name| !name.ends_with(CERTIFICATE) && !is_recorded(name));
        }
        if names.is_empty() { Err(none_left("HostKeyAlgorithms", list, &all)) } else { Ok(names) }
    }

    /// Returns true if a host key of this type, or its certificate, is allowed by
    /// `HostKeyAlgorithms`. A server could present a type other than the negotiated type.
    pub(super) fn accepts_host_key(&self, key: &Algorithm, is_certificate: bool) -> bool {
        let offered = self.host_keys(&[], true).unwrap_or_default();
        let named = |algorithm: &Algorithm| offered.contains(&name_of(algorithm, is_certificate));
        if key.clone().is_rsa() {
            RsaHash::ALL.into_iter().any(|hash| named(&Algorithm::Rsa { hash: hash.to_russh() }))
        } else {
            named(key)
        }
    }

    /// Returns the signature algorithm for a login, or `None` if `PubkeyAcceptedAlgorithms`
    /// excludes the key. An RSA key uses the first allowed algorithm that the server has announced.
    /// A server without an announcement is older than RFC 8332. Like ssh, fabrs then uses SHA-1, if
    /// allowed. If there is no such algorithm, the first allowed algorithm is used.
    pub(super) fn login_signature(
        &self,
        key: &Algorithm,
        is_certificate: bool,
        announced: Option<RsaHash>,
    ) -> Option<LoginSignature> {
        let names = self.login_names();
        if !key.clone().is_rsa() {
            return names.contains(&name_of(key, is_certificate)).then_some(LoginSignature::KeyDefault);
        }
        let hash = |name: &String| {
            RsaHash::ALL
                .into_iter()
                .find(|hash| name_of(&Algorithm::Rsa { hash: hash.to_russh() }, is_certificate) == *name)
        };
        let accepted: Vec<RsaHash> = names.iter().filter_map(hash).collect();
        let is_announced = |hash: &RsaHash| match announced {
            // A server with SHA-512 also supports SHA-256.
            Some(RsaHash::Sha512) => *hash != RsaHash::Sha1,
            Some(best) => *hash == best,
            None => *hash == RsaHash::Sha1,
        };
        let best = accepted.iter().copied().find(is_announced);
        best.or_else(|| accepted.first().copied()).map(LoginSignature::Rsa)
    }

    /// Returns the names of the signature algorithms for the login, in order.
    fn login_names(&self) -> Vec<String> {
        let with_certificates = |names: &[&str]| -> Vec<String> {
            let known: Vec<Algorithm> = names.iter().filter_map(|name| name.parse().ok()).collect();
            let named = |is_certificate| known.iter().map(move |algorithm| name_of(algorithm, is_certificate));
            named(true).chain(named(false)).collect()
        };
        let defaults = [&HOST_KEYS[..], &SECURITY_KEYS].concat();
        let (all, defaults) =
            (with_certificates(&[&defaults[..], &[SHA1, DSA]].concat()), with_certificates(&defaults));
        match &self.login_keys {
            Some(list) => list.select(&borrowed(&defaults), &borrowed(&all)),
            None => defaults,
        }
    }

    /// Returns the size of an RSA key and the required size (`RequiredRSASize`), both in bits, if
    /// the key is too small.
    pub(super) fn too_small(&self, key: &KeyData) -> Option<(u32, u32)> {
        let modulus = key.rsa()?.n().as_positive_bytes()?;
        let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
        let bits = u32::try_from(modulus.len() * 8).unwrap_or(u32::MAX) - unused;
        (bits < self.min_rsa_bits).then_some((bits, self.min_rsa_bits))
    }
}

/// Returns the ciphers in order. AES-GCM comes first if the processor has AES instructions.
fn ciphers() -> [&'static str; 6] {
    let mut ciphers = CIPHERS;
    if has_aes() {
        ciphers.sort_by_key(|name| !name.contains("gcm"));
    }
    ciphers
}

/// Returns the configured or the default algorithms in order, without those unknown to russh.
fn selected<T>(
    keyword: &str,
    list: Option<&AlgorithmList>,
    defaults: &[&str],
    others: &[&str],
    known: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>> {
    let Some(list) = list else { return Ok(defaults.iter().filter_map(|name| known(name)).collect()) };
    let all = [defaults, others].concat();
    let names: Vec<T> = list.select(defaults, &all).iter().filter_map(|name| known(name)).collect();
    if names.is_empty() { Err(none_left(keyword, Some(list), &all)) } else { Ok(names) }
}

fn none_left(keyword: &str, list: Option<&AlgorithmList>, all: &[&str]) -> Error {
    let list = list.map(|list| format!(" {list}` ({})", list.location())).unwrap_or_default();
    let text = format!("no algorithm of `{keyword}{list} is supported");
    Error::new(ErrorKind::Config, text).hint(format!("supported are {}", all.join(", ")))
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Returns the name of the algorithm of a key, or of its certificate.
fn name_of(key: &Algorithm, is_certificate: bool) -> String {
    if is_certificate { key.to_certificate_type() } else { key.as_str().to_owned() }
}

/// Returns the name of an algorithm without the suffix of certificates.
fn plain_name(name: &str) -> &str {
    name.strip_suffix(CERTIFICATE).unwrap_or(name)
}

fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use fabrs_openssh::config::{Query, SshConfig};
    use russh::keys::Algorithm;

    use super::RsaHash::{Sha1, Sha256, Sha512};
    use super::{Algorithms, LoginSignature};

    fn algorithms(config: &str) -> Algorithms {
        let config = SshConfig::parse(config, "config").expect("the config is valid");
        Algorithms::new(&config.resolve(&Query::new("web1", "ann", "/")).expect("there is nothing to expand"))
    }

    fn keys(config: &str, recorded: &[&str], certificates: bool) -> Vec<String> {
        let recorded: Vec<String> = recorded.iter().map(|&name| name.to_owned()).collect();
        let preferred = algorithms(config).preferred(&recorded, certificates).expect("some algorithms are left");
        let certificates = preferred.host_key_certificates.iter().map(Algorithm::to_certificate_type);
        certificates.chain(preferred.key.iter().map(|algorithm| algorithm.as_str().to_owned())).collect()
    }

    #[test]
    fn recorded_host_key_types_come_first() {
        let defaults = keys("", &[], false);
        assert_eq!(defaults.first().map(String::as_str), Some("ssh-ed25519"));
        assert!(!defaults.contains(&"ssh-rsa".to_owned()), "SHA-1 is offered for host keys");
        assert_eq!(keys("", &["ssh-rsa"], false)[..2], ["rsa-sha2-512", "rsa-sha2-256"]);
        let with_certificates = keys("", &["ecdsa-sha2-nistp384"], true);
        assert_eq!(with_certificates[0], "ssh-ed25519-cert-v01@openssh.com");
        assert_eq!(with_certificates[6], "ecdsa-sha2-nistp384");
    }

    #[test]
    fn a_host_key_list_sets_certificates_and_order() {
        assert_eq!(
            keys("HostKeyAlgorithms rsa-sha2-256,ssh-ed25519", &["ssh-ed25519"], true),
            ["rsa-sha2-256", "ssh-ed25519"]
        );
        let only = "HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com";
        assert_eq!(keys(only, &[], false), ["ssh-ed25519-cert-v01@openssh.com"]);
        assert_eq!(keys("HostKeyAlgorithms +ssh-rsa", &[], false).last().map(String::as_str), Some("ssh-rsa"));
        assert_eq!(keys("HostKeyAlgorithms -*cert*,*nist*,rsa*", &[], true), ["ssh-ed25519"]);
    }

    #[test]
    fn a_host_key_of_an_unrequested_type_is_rejected() {
        let accepts = |config: &str, name: &str, is_certificate| {
            let key: Algorithm = name.parse().expect("a name of an algorithm");
            algorithms(config).accepts_host_key(&key, is_certificate)
        };
        assert!(accepts("", "ssh-ed25519", false) && accepts("", "ssh-ed25519", true) && accepts("", "ssh-rsa", false));
        assert!(!accepts("HostKeyAlgorithms -ecdsa*", "ecdsa-sha2-nistp256", false));
        assert!(!accepts("HostKeyAlgorithms ssh-ed25519", "ssh-ed25519", true));
        assert!(!accepts("HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", false));
        assert!(accepts("HostKeyAlgorithms rsa-sha2-256", "ssh-rsa", false) && !accepts("", "ssh-dss", false));
    }

    #[test]
    fn the_required_size_of_rsa_keys_can_only_be_raised() {
        let bits = |config: &str| algorithms(config).min_rsa_bits;
        assert_eq!(
            ["", "RequiredRSASize 512", "RequiredRSASize 0", "RSAMinSize 3072"].map(bits),
            [1024, 1024, 1024, 3072]
        );
    }

    #[test]
    fn a_list_without_supported_algorithms_is_an_error_with_its_line() {
        #[track_caller]
        fn case(config: &str, text: &str) {
            let error = algorithms(config).preferred(&[], false).expect_err("no algorithm is left");
            assert_eq!(error.to_string(), text);
        }
        case("Ciphers 3des-cbc", "no algorithm of `Ciphers 3des-cbc` (config:1) is supported");
        case("\nMACs -*", "no algorithm of `MACs -*` (config:2) is supported");
        case(
            "KexAlgorithms sntrup761x25519-sha512",
            "no algorithm of `KexAlgorithms sntrup761x25519-sha512` (config:1) is supported",
        );
        case("HostKeyAlgorithms ssh-dss", "no algorithm of `HostKeyAlgorithms ssh-dss` (config:1) is supported");
        assert_eq!(algorithms("Ciphers +aes128-cbc").preferred(&[], false).expect("all are left").cipher.len(), 7);
        let only = algorithms("Ciphers aes256-ctr\nMACs hmac-sha1\nKexAlgorithms ecdh-sha2-nistp384");
        let only = only.preferred(&[], false).expect("one algorithm of each kind is left");
        assert_eq!(
            (only.cipher[0].as_ref(), only.mac[0].as_ref(), only.kex[0].as_ref()),
            ("aes256-ctr", "hmac-sha1", "ecdh-sha2-nistp384")
        );
        assert_eq!((only.cipher.len(), only.mac.len(), only.kex.len()), (1, 1, 3));
    }

    #[test]
    fn rsa_signs_with_the_first_hash_announced_by_the_server() {
        let rsa = Algorithm::Rsa { hash: None };
        let case = |config: &str, is_certificate, announced| match algorithms(config).login_signature(
            &rsa,
            is_certificate,
            announced,
        )? {
            LoginSignature::Rsa(hash) => Some(hash),
            LoginSignature::KeyDefault => panic!("an RSA key has several algorithms"),
        };
        let key = |config, announced| case(config, false, announced);
        assert_eq!(key("", None), Some(Sha512));
        assert_eq!(key("PubkeyAcceptedAlgorithms +ssh-rsa", None), Some(Sha1), "the server announces nothing");
        assert_eq!(key("", Some(Sha256)), Some(Sha256));
        assert_eq!(key("", Some(Sha1)), Some(Sha512), "SHA-1 is not among the defaults");
        assert_eq!(key("PubkeyAcceptedAlgorithms +ssh-rsa", Some(Sha1)), Some(Sha1));
        assert_eq!(key("PubkeyAcceptedAlgorithms -rsa-sha2-512", Some(Sha512)), Some(Sha256));
        assert_eq!(key("PubkeyAcceptedAlgorithms ^rsa-sha2-256", Some(Sha512)), Some(Sha256));
        assert_eq!(key("PubkeyAcceptedAlgorithms ssh-ed25519", Some(Sha512)), None);
        assert_eq!(case("PubkeyAcceptedAlgorithms rsa-sha2-256", true, None), None);
        let certificate = "PubkeyAcceptedAlgorithms rsa-sha2-256-cert-v01@openssh.com";
        assert_eq!(case(certificate, true, None), Some(Sha256));
    }

    #[test]
    fn other_key_types_sign_if_listed() {
        let case = |config: &str, key: Algorithm, is_certificate| {
            algorithms(config).login_signature(&key, is_certificate, None).is_some()
        };
        assert!(
            case("", Algorithm::Ed25519, false)
                && case("", Algorithm::SkEd25519, false)
                && case("", Algorithm::SkEd25519, true)
        );
        assert!(!case("", Algorithm::Dsa, false) && case("PubkeyAcceptedAlgorithms +ssh-dss", Algorithm::Dsa, false));
        assert!(!case("PubkeyAcceptedAlgorithms -*ed25519*", Algorithm::Ed25519, true));
    }
}
