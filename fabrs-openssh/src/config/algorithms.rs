//! Lists of algorithms: names and patterns, which replace the default or change it (`+`, `-`, `^`).

use crate::pattern;

use super::value::Problem;

/// The signatures of an authority that `ssh` accepts. SHA-1 (`ssh-rsa`) is none of them.
pub(super) const CA_SIGNATURES: [&str; 8] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// All signatures that a list may name, in `ssh`'s order.
const SIGNATURES: [&str; 11] = [
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

/// Reads a `CASignatureAlgorithms` list into names, each once.
pub(super) fn ca_signatures(text: &str) -> Result<Vec<String>, Problem> {
    let defaults = CA_SIGNATURES.iter().copied();
    if let Some(removed) = text.strip_prefix('-') {
        let kept = defaults.filter(|name| !pattern::list_matches(name, removed));
        return Ok(kept.map(str::to_owned).collect());
    }
    let (list, before, after) = match text.strip_prefix('+') {
        Some(list) => (list, true, false),
        None => text.strip_prefix('^').map_or((text, false, false), |list| (list, false, true)),
    };
    let wanted: Vec<&str> = list.split(',').filter(|name| !name.is_empty()).collect();
    let is_known = |name: &&str| {
        // A certificate's own type is a name that `ssh` knows, though nothing is signed by it.
        name.ends_with("-cert-v01@openssh.com") || SIGNATURES.iter().any(|known| pattern::matches(known, name))
    };
    if wanted.is_empty() || !wanted.iter().all(is_known) {
        return Err(format!("bad algorithms `{text}`"));
    }
    let defaults = |wanted: bool| CA_SIGNATURES.iter().copied().filter(move |_| wanted);
    let mut names: Vec<String> = Vec::new();
    for wanted in defaults(before).chain(wanted).chain(defaults(after)) {
        for name in SIGNATURES.iter().filter(|name| pattern::matches(name, wanted)) {
            if !names.iter().any(|known| known == name) {
                names.push((*name).to_owned());
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{CA_SIGNATURES, ca_signatures};

    #[test]
    fn a_list_replaces_the_default_or_changes_it() {
        #[track_caller]
        fn case(text: &str, expected: &[&str]) {
            assert_eq!(ca_signatures(text).expect("a good list"), expected, "{text}");
        }
        let with = |name| [&CA_SIGNATURES[..], &[name]].concat();
        case("ssh-ed25519", &["ssh-ed25519"]);
        case("rsa-sha2-*,ssh-ed25519,rsa-sha2-256", &["rsa-sha2-256", "rsa-sha2-512", "ssh-ed25519"]);
        case("+ssh-rsa,ssh-ed25519", &with("ssh-rsa"));
        case("-none", &CA_SIGNATURES);
        case("-*-nistp*,rsa*,sk*", &["ssh-ed25519"]);
        case("-*", &[]);
        assert_eq!(ca_signatures("^ssh-rsa").expect("a good list")[..2], ["ssh-rsa", "ssh-ed25519"]);
    }

    #[test]
    fn names_that_nobody_knows_are_refused() {
        for text in ["", ",", "+", "^", "foo", "ssh-ed25519,foo", "+foo", "Ssh-ed25519"] {
            assert!(ca_signatures(text).is_err(), "{text}");
        }
    }
}
