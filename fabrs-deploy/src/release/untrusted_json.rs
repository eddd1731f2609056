//! Untrusted JSON: files on a host that every user with write access may have changed.

use fabrs::event::escape_controls;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Parses JSON of a host, and escapes all control characters in its strings.
///
/// Terminals interpret control characters, so a manipulated string could hide or forge output. Line
/// feeds and tabs are escaped as well: one value must not look like several lines or columns.
///
/// # Errors
///
/// The errors of [`serde_json::from_str`].
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    serde_json::from_value(escape_all_controls(serde_json::from_str(text)?))
}

fn escape_all_controls(value: Value) -> Value {
    match value {
        Value::String(text) => escape_controls(&text).replace('\n', "\\n").replace('\t', "\\t").into(),
        Value::Array(all) => all.into_iter().map(escape_all_controls).collect(),
        Value::Object(all) => all.into_iter().map(|(name, value)| (name, escape_all_controls(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let value: Vec<String> = parse(r#"["a\nb\tc\u001b[2K\u009b"]"#).unwrap();
        assert_eq!(value, [r"a\nb\tc\u{1b}[2K\u{9b}"]);
    }
}
