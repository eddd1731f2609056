//! Parses the JSON content of lock files.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::controls::escape_all_controls;

/// Parses JSON from a host. Control characters are escaped, since terminals would execute them.
pub(super) fn parse_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    fn spelled(value: Value) -> Value {
        match value {
            Value::String(text) => escape_all_controls(&text).into(),
            Value::Array(all) => all.into_iter().map(spelled).collect(),
            Value::Object(all) => all.into_iter().map(|(name, value)| (name, spelled(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }
    serde_json::from_value(spelled(serde_json::from_str(text).ok()?)).ok()
}
