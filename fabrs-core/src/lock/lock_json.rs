//! Parses the JSON content of lock files.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::controls::escape_all_controls;

/// Parses JSON from a host. Control characters are escaped, since a terminal would interpret them.
pub(super) fn parse_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    fn escaped(value: Value) -> Value {
        match value {
            Value::String(text) => escape_all_controls(&text).into(),
            Value::Array(all) => all.into_iter().map(escaped).collect(),
            Value::Object(all) => all.into_iter().map(|(name, value)| (name, escaped(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }
    serde_json::from_value(escaped(serde_json::from_str(text).ok()?)).ok()
}
