//! Text that a server wrote, made safe to show: what a terminal would obey is spelled out.

use std::fmt::Write as _;

use crate::controls::escape_all_controls;

/// How much of a text is shown. A question needs less, and a hostile server must not fill the screen.
const LONGEST: usize = 2000;

/// Returns `text` with line ends as they are and every other character that moves, colours or reorders what is shown
/// written as `\u{1b}`.
pub(super) fn escape_controls(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut characters = text.chars();
    let beginning: String = characters.by_ref().take(LONGEST).collect();
    let mut shown = beginning.split('\n').map(escape_all_controls).collect::<Vec<_>>().join("\n");
    let left = characters.count();
    if left > 0 {
        // Writing to a string can't fail.
        let _ = write!(shown, "... ({left} more characters)");
    }
    shown
}

/// Returns `text` in one line, as [`escape_controls`].
pub(super) fn line(text: &str) -> String {
    escape_controls(text).replace('\n', "\\n")
}

/// Returns `text` with `name` in front of each of its lines, so that none of them passes for ours.
pub(super) fn from(name: &str, text: &str) -> String {
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
    fn what_a_terminal_would_obey_is_spelled_out() {
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
    fn every_line_has_its_host_in_front() {
        assert_eq!(from("web1", "Your password\r\nhas expired.\n"), "web1: Your password\nweb1: has expired.");
        assert_eq!(from("web1", "\nweb2: Password: "), "web1: \nweb1: web2: Password: ");
        assert_eq!(from("web1", "fabrs\rweb2: "), "web1: fabrs\\rweb2: ");
    }

    #[test]
    fn one_line_stays_one() {
        assert_eq!(line("gone\nerror: web2: all is lost"), "gone\\nerror: web2: all is lost");
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let shown = escape_controls(&"x".repeat(2_100));
        assert!(shown.ends_with("x... (100 more characters)") && shown.len() < 2_100, "{}", shown.len());
    }

    proptest! {
        #[test]
        fn no_text_of_a_stranger_reaches_the_terminal_as_a_control(text in any::<String>(), bytes: Vec<u8>) {
            for text in [text.as_str(), &String::from_utf8_lossy(&bytes)] {
                prop_assert!(!escape_controls(text).chars().any(|c| c != '\n' && needs_escape(c)));
                prop_assert!(!line(text).chars().any(needs_escape));
                prop_assert!(from("web1", text).split('\n').all(|line| line.starts_with("web1: ")));
            }
        }
    }
}
