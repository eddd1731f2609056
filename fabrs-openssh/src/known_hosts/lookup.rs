//! The files as one list, and what they say about a host and its key.

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

/// What is on record about hosts, in the order in which it was read.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
    warnings: Vec<Warning>,
}

impl KnownHosts {
    /// Reads files one after the other. Those that do not exist are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] for a file that exists and cannot be read.
    pub fn load<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        let mut known = Self::default();
        for file in files {
            let file = file.as_ref();
            match fs::read(file) {
                // A line that is not UTF-8 names no host, and must not hide the others.
                Ok(bytes) => known.add(&String::from_utf8_lossy(&bytes), file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::read(file, error)),
            }
        }
        Ok(known)
    }

    /// Reads one file from memory. `path` is what it is called in a [`Location`].
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

    /// The lines that mean nothing. They are passed over, as by `ssh`.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// All entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// All entries about a host, markers included, in order.
    pub fn entries_for(&self, name: &HostName) -> impl Iterator<Item = &Entry> {
        let name = name.to_string();
        self.entries.iter().filter(move |entry| entry.hosts.matches(&name))
    }

    /// Says whether `key` is the one on record for a host.
    ///
    /// Several keys may be on record, of one type or of several, and each of them is the host's. A host on a port
    /// other than 22 goes by `[host]:port`; where nothing is on record for that, a key that is on record for `host`
    /// is known as well, and one that was withdrawn for `host` is revoked (of that `ssh` only warns).
    ///
    /// A certificate is judged by [`Self::check_certificate`]; one that does not count leaves the key that it is about, which is
    /// then looked up here.
    pub fn lookup(&self, name: &HostName, key: &HostKey) -> HostKeyStatus {
        match (self.lookup_exactly(name, key), name.without_port()) {
            (HostKeyStatus::Unknown, Some(name)) => match self.lookup_exactly(&name, key) {
                found @ (HostKeyStatus::Known { .. } | HostKeyStatus::Revoked { .. }) => found,
                // Other keys of the same machine on port 22 say nothing about this port.
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

    /// Lists the types of the keys on record for a host, each once, in order; revoked keys do not count.
    ///
    /// A client asks the server for these first, or it would be shown a key of a type that it cannot compare. The
    /// types are those of keys: for `ssh-rsa` the algorithms to ask for are `rsa-sha2-512` and `rsa-sha2-256`.
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

    /// Returns the line that withdraws a key of a host.
    pub(super) fn revoked(&self, name: &HostName, key: &HostKey) -> Option<&Entry> {
        self.marked(Marker::Revoked, name).find(|entry| entry.key == *key)
    }

    /// Lists the entries with a marker that are about a host. There are few with one, and to compare names may be dear,
    /// where they are hashed.
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

    /// Reads lines in which `ed1` or `rsa2` stands for the key of that type and number.
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
    fn any_key_on_record_is_known() {
        let web = HostName::new("WEB", 22);
        case(&[], &web, &HostKeyStatus::Unknown);
        case(&["db ed1"], &web, &HostKeyStatus::Unknown);
        case(&["web ed1"], &web, &HostKeyStatus::Known { at: at(1) });
        case(&["web ed2", "# web", "web rsa1", "web ed1"], &web, &HostKeyStatus::Known { at: at(4) });
        case(&["web ed1", "*b ed1"], &web, &HostKeyStatus::Known { at: at(1) });
    }

    #[test]
    fn another_key_of_the_type_is_a_change_and_other_types_are_told() {
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
    fn an_authority_is_no_host_key() {
        case(&["@cert-authority web ed1"], &HostName::new("web", 22), &HostKeyStatus::Unknown);
        case(&["@cert-authority web ed2"], &HostName::new("web", 22), &HostKeyStatus::Unknown);
    }

    #[test]
    fn a_port_has_its_own_record_and_falls_back_only_to_the_same_key() {
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
    fn recorded_types_come_in_order_without_what_is_revoked() {
        let known = known(&["web rsa1", "web ed1", "web rsa2", "web ed2", "db ed1", "@cert-authority web ed3"]);
        assert_eq!(known.algorithms_for(&HostName::new("web", 22)), ["ssh-rsa", "ssh-ed25519"]);
        assert!(known.algorithms_for(&HostName::new("web", 2222)).is_empty());
    }

    #[test]
    fn broken_lines_are_named_and_hide_nothing() {
        let known = known(&["web", "web ssh-ed25519 !", "web ed1"]);
        let lines: Vec<String> = known.warnings().iter().map(|warning| warning.at.to_string()).collect();
        assert_eq!(lines, ["known_hosts:1", "known_hosts:2"]);
        assert_eq!(known.lookup(&HostName::new("web", 22), &ed25519(1)), HostKeyStatus::Known { at: at(3) });
    }
}
