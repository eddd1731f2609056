//! The JSON form of the fields of events.

use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::error::{Error, ErrorKind};
use crate::event::outcome_kind::OutcomeKind;
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

/// Writes `{"ok": ["web1"], "failed": [], ..}` with all outcomes.
pub(super) fn by_outcome<S: Serializer>(outcomes: &[(Host, OutcomeKind)], serializer: S) -> Result<S::Ok, S::Error> {
    let of = |wanted| outcomes.iter().filter(move |(_, word)| *word == wanted).map(|(host, _)| host);
    serializer.collect_map(OutcomeKind::ALL.iter().map(|word| (word, of(*word).collect::<Vec<_>>())))
}

/// Writes `{"ok": 27, "failed": 2, ..}` with all outcomes.
pub(super) fn counts<S: Serializer>(outcomes: &[(Host, OutcomeKind)], serializer: S) -> Result<S::Ok, S::Error> {
    let of = |wanted| outcomes.iter().filter(|(_, word)| *word == wanted).count();
    serializer.collect_map(OutcomeKind::ALL.iter().map(|word| (word, of(*word))))
}

/// Writes an object with `kind`, `host`, `message`, `causes` and `hint`, and with `at`, `stdout`
/// and `stderr` if they are known.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let block = self.block();
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("kind", &self.kind())?;
        fields.serialize_entry("host", &self.host())?;
        fields.serialize_entry("message", self.message())?;
        fields.serialize_entry("causes", &self.causes())?;
        fields.serialize_entry("hint", &block.hint())?;
        let optional = [
            ("at", self.code_location()),
            ("stdout", block.unshown_output("stdout")),
            ("stderr", block.unshown_output("stderr")),
        ];
        for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            fields.serialize_entry(name, &value)?;
        }
        fields.end()
    }
}

/// Writes the name of the kind in snake case: `host_key`.
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
