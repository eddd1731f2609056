//! JSON that a host has: anybody who may write there has written it.

use fabrs::event::escape_controls;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads JSON of a host, with every character of its texts spelled out that a terminal would obey, line ends too: no value may
/// pass for more than one.
///
/// # Errors
///
/// As [`serde_json::from_str`].
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
    fn a_value_is_one_line_without_controls() {
        let value: Vec<String> = parse(r#"["a\nb\tc\u001b[2K\u009b"]"#).unwrap();
        assert_eq!(value, [r"a\nb\tc\u{1b}[2K\u{9b}"]);
    }
}
