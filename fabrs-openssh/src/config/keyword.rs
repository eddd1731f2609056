//! The keywords of `ssh_config`, and suggestions for misspelt keywords.

/// A keyword with an effect in this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    BatchMode,
    CaSignatureAlgorithms,
    CertificateFile,
    Ciphers,
    ConnectTimeout,
    ForwardAgent,
    GlobalKnownHostsFile,
    HashKnownHosts,
    Host,
    HostKeyAlgorithms,
    HostKeyAlias,
    Hostname,
    IdentitiesOnly,
    IdentityAgent,
    IdentityFile,
    IgnoreUnknown,
    Include,
    KbdInteractiveAuthentication,
    KexAlgorithms,
    Macs,
    Match,
    NumberOfPasswordPrompts,
    PasswordAuthentication,
    Port,
    PreferredAuthentications,
    ProxyCommand,
    ProxyJump,
    PubkeyAcceptedAlgorithms,
    PubkeyAuthentication,
    RequiredRsaSize,
    RevokedHostKeys,
    ServerAliveCountMax,
    ServerAliveInterval,
    StrictHostKeyChecking,
    TcpKeepAlive,
    User,
    UserKnownHostsFile,
    /// A keyword known to `ssh`, but without an effect in this crate. The caller receives the value
    /// as text.
    Other,
}

/// Finds a keyword by its current or old name, in lower case. Returns `None` if `ssh` has no such
/// keyword.
pub(super) fn find(name: &str) -> Option<Keyword> {
    Some(match name {
        "batchmode" => Keyword::BatchMode,
        "casignaturealgorithms" => Keyword::CaSignatureAlgorithms,
        "certificatefile" => Keyword::CertificateFile,
        "ciphers" => Keyword::Ciphers,
        "connecttimeout" => Keyword::ConnectTimeout,
        "forwardagent" => Keyword::ForwardAgent,
        "globalknownhostsfile" => Keyword::GlobalKnownHostsFile,
        "hashknownhosts" => Keyword::HashKnownHosts,
        "host" => Keyword::Host,
        "hostkeyalgorithms" => Keyword::HostKeyAlgorithms,
        "hostkeyalias" => Keyword::HostKeyAlias,
        "hostname" => Keyword::Hostname,
        "identitiesonly" => Keyword::IdentitiesOnly,
        "identityagent" => Keyword::IdentityAgent,
        "identityfile" | "identityfile2" => Keyword::IdentityFile,
        "ignoreunknown" => Keyword::IgnoreUnknown,
        "include" => Keyword::Include,
        "kbdinteractiveauthentication"
        | "challengeresponseauthentication"
        | "skeyauthentication"
        | "tisauthentication" => Keyword::KbdInteractiveAuthentication,
        "kexalgorithms" => Keyword::KexAlgorithms,
        "macs" => Keyword::Macs,
        "match" => Keyword::Match,
        "numberofpasswordprompts" => Keyword::NumberOfPasswordPrompts,
        "passwordauthentication" => Keyword::PasswordAuthentication,
        "port" => Keyword::Port,
        "preferredauthentications" => Keyword::PreferredAuthentications,
        "proxycommand" => Keyword::ProxyCommand,
        "proxyjump" => Keyword::ProxyJump,
        "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => Keyword::PubkeyAcceptedAlgorithms,
        "pubkeyauthentication" | "dsaauthentication" => Keyword::PubkeyAuthentication,
        // `RSAMinSize` is the name in RHEL and its derivatives.
        "requiredrsasize" | "rsaminsize" => Keyword::RequiredRsaSize,
        "revokedhostkeys" => Keyword::RevokedHostKeys,
        "serveralivecountmax" => Keyword::ServerAliveCountMax,
        "serveraliveinterval" => Keyword::ServerAliveInterval,
        "stricthostkeychecking" => Keyword::StrictHostKeyChecking,
        "tcpkeepalive" | "keepalive" => Keyword::TcpKeepAlive,
        "user" => Keyword::User,
        "userknownhostsfile" => Keyword::UserKnownHostsFile,
        _ => return OTHER_KEYWORDS.binary_search(&name).is_ok().then_some(Keyword::Other),
    })
}

/// Suggestions for misspelt keywords, spelled as in the manual. On a tie, the first keyword wins.
const SUGGESTED_KEYWORDS: &[&str] = &[
    "Host",
    "Match",
    "HostName",
    "User",
    "Port",
    "IdentityFile",
    "IdentitiesOnly",
    "IdentityAgent",
    "CertificateFile",
    "ProxyJump",
    "ProxyCommand",
    "Include",
    "StrictHostKeyChecking",
    "UserKnownHostsFile",
    "GlobalKnownHostsFile",
    "RevokedHostKeys",
    "HostKeyAlias",
    "HostKeyAlgorithms",
    "PubkeyAcceptedAlgorithms",
    "KexAlgorithms",
    "Ciphers",
    "MACs",
    "ForwardAgent",
    "LocalForward",
    "RemoteForward",
    "ConnectTimeout",
    "ServerAliveInterval",
    "ServerAliveCountMax",
    "BatchMode",
    "PasswordAuthentication",
    "PubkeyAuthentication",
    "PreferredAuthentications",
    "ControlMaster",
    "ControlPath",
    "ControlPersist",
    "AddKeysToAgent",
    "LogLevel",
    "SendEnv",
    "SetEnv",
    "Compression",
    "IgnoreUnknown",
];

/// Returns the known keyword most similar to `name`, or `None` if no keyword is similar.
pub(super) fn did_you_mean(name: &str) -> Option<&'static str> {
    let distance = |known: &str| strsim::damerau_levenshtein(name, &known.to_ascii_lowercase());
    let nearest =
        SUGGESTED_KEYWORDS.iter().map(|&known| (distance(known), known)).min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= 2 && nearest.0 < name.chars().count() / 2).then_some(nearest.1)
}

/// The other keywords of `ssh` up to 10.5, sorted. The list includes deprecated keywords, and
/// `UseKeychain` of macOS.
const OTHER_KEYWORDS: &[&str] = &[
    "addkeystoagent",
    "addressfamily",
    "afstokenpassing",
    "bindaddress",
    "bindinterface",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizehostname",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "channeltimeout",
    "checkhostip",
    "cipher",
    "clearallforwardings",
    "compression",
    "compressionlevel",
    "connectionattempts",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "enableescapecommandline",
    "enablesshkeysign",
    "escapechar",
    "exitonforwardfailure",
    "fallbacktorsh",
    "fingerprinthash",
    "forkafterauthentication",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gatewayports",
    "globalknownhostsfile2",
    "gssapiauthentication",
    "gssapiclientidentity",
    "gssapidelegatecredentials",
    "gssapikexalgorithms",
    "gssapikeyexchange",
    "gssapirenewalforcesrekey",
    "gssapiserveridentity",
    "gssapitrustdns",
    "hostbasedacceptedalgorithms",
    "hostbasedauthentication",
    "hostbasedkeytypes",
    "ipqos",
    "kbdinteractivedevices",
    "kerberosauthentication",
    "kerberostgtpassing",
    "knownhostscommand",
    "localcommand",
    "localforward",
    "loglevel",
    "logverbose",
    "nohostauthenticationforlocalhost",
    "obscurekeystroketiming",
    "permitlocalcommand",
    "permitremoteopen",
    "pkcs11provider",
    "protocol",
    "protocolkeepalives",
    "proxyusefdpass",
    "refuseconnection",
    "rekeylimit",
    "remotecommand",
    "remoteforward",
    "requesttty",
    "rhostsauthentication",
    "rhostsrsaauthentication",
    "rsaauthentication",
    "securitykeyprovider",
    "sendenv",
    "sessiontype",
    "setenv",
    "setuptimeout",
    "smartcarddevice",
    "stdinnull",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "syslogfacility",
    "tag",
    "tunnel",
    "tunneldevice",
    "updatehostkeys",
    "usekeychain",
    "useprivilegedport",
    "userknownhostsfile2",
    "useroaming",
    "usersh",
    "verifyhostkeydns",
    "versionaddendum",
    "visualhostkey",
    "warnweakcrypto",
    "xauthlocation",
];

#[cfg(test)]
mod tests {
    use super::{Keyword, OTHER_KEYWORDS, did_you_mean, find};

    #[test]
    fn the_keyword_list_is_sorted() {
        assert!(OTHER_KEYWORDS.is_sorted());
        assert!(OTHER_KEYWORDS.iter().all(|name| find(name) == Some(Keyword::Other)));
    }

    #[test]
    fn old_names_map_to_current_keywords() {
        assert_eq!(find("challengeresponseauthentication"), Some(Keyword::KbdInteractiveAuthentication));
        assert_eq!(find("keepalive"), Some(Keyword::TcpKeepAlive));
        assert_eq!(find("usekeychain"), Some(Keyword::Other));
        assert_eq!(find("hsot"), None);
    }

    #[test]
    fn a_misspelt_keyword_has_a_suggestion() {
        let cases = [("hsot", "Host"), ("mach", "Match"), ("identitiyfile", "IdentityFile"), ("prot", "Port")];
        for (name, expected) in cases {
            assert_eq!(did_you_mean(name), Some(expected), "{name}");
        }
        assert_eq!(did_you_mean("flavour"), None);
    }
}
