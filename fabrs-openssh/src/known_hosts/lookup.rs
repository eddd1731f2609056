//! [`KnownHosts`]: the parsed `known_hosts` files, and lookups of host keys.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::error::Error;
use crate::location::{Location, Warning};

use super::entry::{Entry, Marker};
use super::host_key_status::HostKeyStatus;
use super::host_name::HostName;
use crate::host_key::HostKey;

/// The entries of one or more `known_hosts` files, in file order.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
    warnings: Vec<Warning>,
}

impl KnownHosts {
    /// Reads the files in order. Missing files are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if a file exists but cannot be read.
    pub fn load<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let mut known = Self::default();
        for file in files {
            let file = file.as_ref();
            match fs::read(file) {
                // A line that is not UTF-8 matches no host, and must not hide the other lines.
                Ok(bytes) => known.add(&String::from_utf8_lossy(&bytes), file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::read(file, error)),
            }
        }
        Ok(known)
    }

    /// Parses the text of a single file. `path` is the file name in each [`Location`].
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Self {
        let mut known = Self::default();
        known.add(text, path.as_ref());
        known
    }

    fn add(&mut self, text: &str, path: &Path) {
        let file: Arc<Path> = Arc::from(path);
        for (index, line) in text.split('\n').enumerate() {
            let at = Location { file: Arc::clone(&file), line: index + 1 };
            match Entry::parse(line, &at) {
                None => {}
                Some(Ok(entry)) => self.entries.push(entry),
                Some(Err(text)) => self.warnings.push(Warning { at, text }),
            }
        }
    }

    /// Returns a warning for each malformed line. Like `ssh`, lookups ignore malformed lines.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Returns all entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Returns all entries for a host, in order, including entries with a marker.
    pub fn entries_for(&self, name: &HostName) -> impl Iterator<Item = &Entry> {
        let name = name.to_string();
        self.entries.iter().filter(move |entry| entry.hosts.matches(&name))
    }

    /// Compares `key` with the recorded keys of a host.
    ///
    /// A host may have several recorded keys, even of the same type. Each recorded key is valid.
    ///
    /// A host on a port other than 22 is recorded as `[host]:port`. If no such line matches, a key
    /// recorded for `host` counts as known, and a key revoked for `host` counts as revoked. For
    /// such a revoked key, `ssh` only prints a warning.
    ///
    /// [`Self::check_certificate`] checks certificates. If a certificate is not trusted, look up
    /// the certified key with this method.
    ///
    /// ```
    /// use fabrs_openssh::known_hosts::{HostKey, HostKeyStatus, HostName, KnownHosts};
    ///
    /// let key = HostKey::from_blob(*b"\0\0\0\x0bssh-ed25519\0\0\0\x01x")?;
    /// let known = KnownHosts::parse(&format!("web1 {key}\n"), "known_hosts");
    /// let status = known.lookup(&HostName::new("web1", 22), &key);
    /// assert!(matches!(status, HostKeyStatus::Known { .. }));
    /// assert_eq!(known.lookup(&HostName::new("web2", 22), &key), HostKeyStatus::Unknown);
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    pub fn lookup(&self, name: &HostName, key: &HostKey) -> HostKeyStatus {
        match (self.lookup_exactly(name, key), name.without_port()) {
            (HostKeyStatus::Unknown, Some(name)) => match self.lookup_exactly(&name, key) {
                found @ (HostKeyStatus::Known { .. } | HostKeyStatus::Revoked { .. }) => found,
                // Other keys recorded for port 22 do not affect this port.
                HostKeyStatus::Unknown | HostKeyStatus::OtherType { .. } | HostKeyStatus::Changed { .. } => {
                    HostKeyStatus::Unknown
                }
            },
            (verdict, _) => verdict,
        }
    }

    fn lookup_exactly(&self, name: &HostName, key: &HostKey) -> HostKeyStatus {
        let plain: Vec<&Entry> = self.entries_for(name).filter(|entry| entry.marker.is_none()).collect();
        if let Some(entry) = self.revoked(name, key) {
            return HostKeyStatus::Revoked { at: entry.at.clone() };
        }
        if let Some(entry) = plain.iter().find(|entry| entry.key == *key) {
            return HostKeyStatus::Known { at: entry.at.clone() };
        }
        if let Some(entry) = plain.iter().rfind(|entry| entry.key.algorithm() == key.algorithm()) {
            return HostKeyStatus::Changed { at: entry.at.clone(), algorithm: key.algorithm().to_owned() };
        }
        if plain.is_empty() {
            return HostKeyStatus::Unknown;
        }
        let recorded = plain.iter().map(|entry| (entry.key.algorithm().to_owned(), entry.at.clone())).collect();
        HostKeyStatus::OtherType { recorded }
    }

    /// Returns the types of the recorded keys of a host, without duplicates and revoked keys.
    ///
    /// A client offers these types to the server first. Otherwise the server may send a key of a
    /// type that has no recorded key. The values are key types: for `ssh-rsa`, offer the algorithms
    /// `rsa-sha2-512` and `rsa-sha2-256`.
    pub fn algorithms_for(&self, name: &HostName) -> Vec<String> {
        let mut algorithms: Vec<String> = Vec::new();
        for entry in self.entries_for(name).filter(|entry| entry.marker.is_none()) {
            if !algorithms.iter().any(|known| known == entry.key.algorithm())
                && self.revoked(name, &entry.key).is_none()
            {
                algorithms.push(entry.key.algorithm().to_owned());
            }
        }
        algorithms
    }

    /// Returns the `@revoked` line for a key of a host, if any.
    pub(super) fn revoked(&self, name: &HostName, key: &HostKey) -> Option<&Entry> {
        self.marked(Marker::Revoked, name).find(|entry| entry.key == *key)
    }

    /// Returns the entries for a host with the given marker. The marker is compared first: few
    /// lines have a marker, and a comparison with a hashed name is expensive.
    pub(super) fn marked(&self, marker: Marker, name: &HostName) -> impl Iterator<Item = &Entry> {
        let name = name.to_string();
        self.entries().filter(move |entry| entry.marker == Some(marker) && entry.hosts.matches(&name))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::location::Location;

    use super::{HostKey, HostKeyStatus, HostName, KnownHosts};

    fn key(algorithm: &str, id: u8) -> HostKey {
        let length = u32::try_from(algorithm.len()).expect("the name is short");
        let blob = [&length.to_be_bytes()[..], algorithm.as_bytes(), &[0, 0, 0, 1, id]].concat();
        HostKey::from_blob(blob).expect("the key is well formed")
    }

    fn ed25519(id: u8) -> HostKey {
        key("ssh-ed25519", id)
    }

    fn at(line: usize) -> Location {
        Location { file: Path::new("known_hosts").into(), line }
    }

    /// Parses lines with a placeholder for each key: `ed1` or `rsa2` is the key of the type and
    /// number.
    fn known(lines: &[&str]) -> KnownHosts {
        let spelled = |line: &&str| {
            line.split(' ')
                .map(|word| match (word.strip_prefix("ed"), word.strip_prefix("rsa")) {
                    (Some(id), _) => ed25519(id.parse().expect("keys are numbered")).to_string(),
                    (_, Some(id)) => key("ssh-rsa", id.parse().expect("keys are numbered")).to_string(),
                    _ => word.to_owned(),
                })
                .collect::<Vec<_>>()
                .join(" ")
        };
        KnownHosts::parse(&lines.iter().map(spelled).collect::<Vec<_>>().join("\n"), "known_hosts")
    }

    #[track_caller]
    fn case(lines: &[&str], name: &HostName, expected: &HostKeyStatus) {
        assert_eq!(known(lines).lookup(name, &ed25519(1)), *expected, "{name}: {lines:?}");
    }

    #[test]
    fn every_recorded_key_is_known() {
        let web = HostName::new("WEB", 22);
        case(&[], &web, &HostKeyStatus::Unknown);
        case(&["db ed1"], &web, &HostKeyStatus::Unknown);
        case(&["web ed1"], &web, &HostKeyStatus::Known { at: at(1) });
        case(&["web ed2", "# web", "web rsa1", "web ed1"], &web, &HostKeyStatus::Known { at: at(4) });
        case(&["web ed1", "*b ed1"], &web, &HostKeyStatus::Known { at: at(1) });
    }

    #[test]
    fn a_different_key_of_the_type_is_a_change_and_other_types_are_listed() {
        let web = HostName::new("web", 22);
        let changed = |line| HostKeyStatus::Changed { at: at(line), algorithm: "ssh-ed25519".to_owned() };
        case(&["web ed2"], &web, &changed(1));
        case(&["web ed2", "web ed3", "web rsa1"], &web, &changed(2));
        case(&["web,!web ed2"], &web, &HostKeyStatus::Unknown);
        let recorded = vec![("ssh-rsa".to_owned(), at(2))];
        case(&["db ed1", "web rsa1"], &web, &HostKeyStatus::OtherType { recorded });
    }

    #[test]
    fn a_revoked_key_is_never_known() {
        let web = HostName::new("web", 22);
        case(&["web ed1", "@revoked * ed1"], &web, &HostKeyStatus::Revoked { at: at(2) });
        case(&["web ed1", "@revoked * ed2"], &web, &HostKeyStatus::Known { at: at(1) });
        case(&["web ed1", "@revoked db ed1"], &web, &HostKeyStatus::Known { at: at(1) });
        case(&["@revoked web ed2"], &web, &HostKeyStatus::Unknown);
        case(&["@revoked web ed1"], &HostName::new("web", 2222), &HostKeyStatus::Revoked { at: at(1) });
    }

    #[test]
    fn an_authority_is_not_a_host_key() {
        case(&["@cert-authority web ed1"], &HostName::new("web", 22), &HostKeyStatus::Unknown);
        case(&["@cert-authority web ed2"], &HostName::new("web", 22), &HostKeyStatus::Unknown);
    }

    #[test]
    fn a_port_has_its_own_entries_and_falls_back_only_to_an_equal_key() {
        let port = HostName::new("web", 2222);
        case(&["[web]:2222 ed1", "web ed2"], &port, &HostKeyStatus::Known { at: at(1) });
        case(&["web ed1"], &port, &HostKeyStatus::Known { at: at(1) });
        case(&["web ed2"], &port, &HostKeyStatus::Unknown);
        case(&["[web]:2223 ed1"], &port, &HostKeyStatus::Unknown);
        case(
            &["[web]:2222 ed2", "web ed1"],
            &port,
            &HostKeyStatus::Changed { at: at(1), algorithm: "ssh-ed25519".to_owned() },
        );
        case(&["[web]:22 ed1"], &HostName::new("web", 22), &HostKeyStatus::Unknown);
        case(&["[shop]:2222 ed1"], &HostName::alias("shop"), &HostKeyStatus::Unknown);
        case(&["shop ed1"], &HostName::alias("Shop"), &HostKeyStatus::Known { at: at(1) });
    }

    #[test]
    fn recorded_types_are_in_order_without_revoked_keys() {
        let known = known(&["web rsa1", "web ed1", "web rsa2", "web ed2", "db ed1", "@cert-authority web ed3"]);
        assert_eq!(known.algorithms_for(&HostName::new("web", 22)), ["ssh-rsa", "ssh-ed25519"]);
        assert!(known.algorithms_for(&HostName::new("web", 2222)).is_empty());
    }

    #[test]
    fn malformed_lines_cause_warnings_and_hide_no_other_lines() {
        let known = known(&["web", "web ssh-ed25519 !", "web ed1"]);
        let lines: Vec<String> = known.warnings().iter().map(|warning| warning.at.to_string()).collect();
        assert_eq!(lines, ["known_hosts:1", "known_hosts:2"]);
        assert_eq!(known.lookup(&HostName::new("web", 22), &ed25519(1)), HostKeyStatus::Known { at: at(3) });
    }
}
