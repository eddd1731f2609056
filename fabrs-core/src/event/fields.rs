//! The JSON form of the fields of events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Word;
use crate::error::{Error, ErrorKind};
use crate::host::Host;

pub(super) fn lossy<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

pub(super) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "the signature of `serialize_with`")]
pub(super) fn some_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

/// Writes `{"ok": ["web1"], "failed": [], ..}`: every outcome is there.
pub(super) fn by_outcome<S: Serializer>(outcomes: &[(Host, Word)], serializer: S) -> Result<S::Ok, S::Error> {
    let of = |wanted| outcomes.iter().filter(move |(_, word)| *word == wanted).map(|(host, _)| host);
    serializer.collect_map(Word::ALL.iter().map(|word| (word, of(*word).collect::<Vec<_>>())))
}

/// Writes `{"ok": 27, "failed": 2, ..}`: every outcome is there.
pub(super) fn counts<S: Serializer>(outcomes: &[(Host, Word)], serializer: S) -> Result<S::Ok, S::Error> {
    let of = |wanted| outcomes.iter().filter(|(_, word)| *word == wanted).count();
    serializer.collect_map(Word::ALL.iter().map(|word| (word, of(*word))))
}

/// Writes an object: `kind`, `host`, `message`, `causes`, `hint`, and `at`, `stdout`, `stderr` where an error has them.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let block = self.block();
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("kind", &self.kind())?;
        fields.serialize_entry("host", &self.host())?;
        fields.serialize_entry("message", self.doing())?;
        fields.serialize_entry("causes", &self.causes())?;
        fields.serialize_entry("hint", &block.hint())?;
        let optional = [("at", self.place()), ("stdout", block.unseen("stdout")), ("stderr", block.unseen("stderr"))];
        for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            fields.serialize_entry(name, &value)?;
        }
        fields.end()
    }
}

/// Writes the name of a kind in snake case: `host_key`.
impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
        }
        serializer.serialize_str(&name)
    }
}

/// Returns the hosts of each outcome, as people write them: `27 ok, 2 failed (web1, web2)`. The hosts are in a form that
/// `-H` accepts.
pub(super) fn summed_up(outcomes: &[(Host, Word)], local: bool) -> String {
    let mut by_word: BTreeMap<usize, (Word, Vec<String>)> = BTreeMap::new();
    for (host, word) in outcomes {
        let rank = Word::ALL.iter().position(|known| known == word).unwrap_or(Word::ALL.len());
        by_word.entry(rank).or_insert((*word, Vec::new())).1.push(host.label().to_string());
    }
    let parts = by_word.into_values().map(|(word, hosts)| match word {
        _ if local => word.as_str().to_owned(),
        Word::Ok => format!("{} ok", hosts.len()),
        _ => format!("{} {} ({})", hosts.len(), word.as_str(), hosts.join(", ")),
    });
    parts.collect::<Vec<_>>().join(", ")
}
