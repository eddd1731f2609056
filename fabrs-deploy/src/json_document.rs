//! JSON documents for the output of a run.

use std::borrow::Cow;

use fabrs::event::escape_controls;
use serde::Serialize;

/// Returns a value as JSON without control characters. `serde_json` escapes only some of them, and
/// the output of a run shows the others in a form that is not JSON.
pub(crate) fn json_document<T: Serialize>(value: &T) -> String {
    // All fields are strings, numbers and lists: they always serialize.
    let document = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let mut text = String::with_capacity(document.len());
    for letter in document.chars() {
        let mut bytes = [0; 4];
        // Line ends separate the lines of the document. In a string, they are escaped already.
        if letter == '\n' || matches!(escape_controls(letter.encode_utf8(&mut bytes)), Cow::Borrowed(_)) {
            text.push(letter);
        } else {
            let mut units = [0; 2];
            text.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_no_control_characters_and_keeps_its_values() {
        let value = vec!["\u{1b}[2K\n\u{7f}\u{9b}\u{202e}".to_owned(), "Käse 🧀".to_owned()];
        let document = json_document(&value);
        assert_eq!(serde_json::from_str::<Vec<String>>(&document).unwrap(), value);
        assert_eq!(escape_controls(&document), document, "the output of a run is the document");
        assert!(document.contains("Käse 🧀"), "{document}");
    }
}
