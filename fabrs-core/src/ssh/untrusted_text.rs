//! Untrusted text of a server, with control characters escaped.

use std::fmt::Write as _;

use crate::controls::escape_all_controls;

/// The maximum number of characters shown. A prompt needs less, and a malicious server must not
/// fill the screen.
const MAX_SHOWN_CHARS: usize = 2000;

/// Returns `text` with escaped control characters, for example `\u{1b}`. Line ends are kept.
/// Characters that move, colour or reorder text are escaped.
pub(super) fn escape_controls(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut characters = text.chars();
    let beginning: String = characters.by_ref().take(MAX_SHOWN_CHARS).collect();
    let mut shown = beginning.split('\n').map(escape_all_controls).collect::<Vec<_>>().join("\n");
    let left = characters.count();
    if left > 0 {
        // Writing to a string is infallible.
        let _ = write!(shown, "... ({left} more characters)");
    }
    shown
}

/// Like [`escape_controls`], with escaped line ends.
pub(super) fn single_line(text: &str) -> String {
    escape_controls(text).replace('\n', "\\n")
}

/// Returns the escaped text with `name` before each line, so a server cannot imitate a message
/// of fabrs.
pub(super) fn prefix_lines(name: &str, text: &str) -> String {
    let text = escape_controls(text);
    let lines = text.trim_end_matches('\n').split('\n').map(|line| format!("{name}: {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::controls::needs_escape;

    #[test]
    fn control_characters_are_escaped() {
        #[track_caller]
        fn case(text: &str, expected: &str) {
            assert_eq!(escape_controls(text), expected, "{text:?}");
        }
        case("Password: ", "Password: ");
        case("Passwort für José: ", "Passwort für José: ");
        case("\x1b[2J\x1b]0;title\x07ok", "\\u{1b}[2J\\u{1b}]0;title\\u{7}ok");
        case("\u{9b}2Jx\x7f\x08", "\\u{9b}2Jx\\u{7f}\\u{8}");
        case("one\r\ntwo\rthree\tfour", "one\ntwo\\rthree\\tfour");
        case("\u{202e}drowssap", "\\u{202e}drowssap");
        case("a\u{200b}b\u{2066}c", "a\\u{200b}b\\u{2066}c");
    }

    #[test]
    fn every_line_starts_with_the_host() {
        assert_eq!(prefix_lines("web1", "Your password\r\nhas expired.\n"), "web1: Your password\nweb1: has expired.");
        assert_eq!(prefix_lines("web1", "\nweb2: Password: "), "web1: \nweb1: web2: Password: ");
        assert_eq!(prefix_lines("web1", "fabrs\rweb2: "), "web1: fabrs\\rweb2: ");
    }

    #[test]
    fn a_single_line_has_no_line_end() {
        assert_eq!(single_line("gone\nerror: web2: all is lost"), "gone\\nerror: web2: all is lost");
    }

    #[test]
    fn a_long_text_is_truncated() {
        let shown = escape_controls(&"x".repeat(2_100));
        assert!(shown.ends_with("x... (100 more characters)") && shown.len() < 2_100, "{}", shown.len());
    }

    proptest! {
        #[test]
        fn untrusted_text_contains_no_controls(text in any::<String>(), bytes: Vec<u8>) {
            for text in [text.as_str(), &String::from_utf8_lossy(&bytes)] {
                prop_assert!(!escape_controls(text).chars().any(|c| c != '\n' && needs_escape(c)));
                prop_assert!(!single_line(text).chars().any(needs_escape));
                prop_assert!(prefix_lines("web1", text).split('\n').all(|line| line.starts_with("web1: ")));
            }
        }
    }
}
