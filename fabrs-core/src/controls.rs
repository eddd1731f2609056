//! Control characters and their escapes.

use std::borrow::Cow;

/// Returns true if a terminal acts on a character instead of showing it: control characters (C0 and
/// C1), bidirectional controls and invisible characters.
pub(crate) fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Escapes each character that [`needs_escape`], for example as `\u{1b}`.
pub(crate) fn escape_all_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if needs_escape(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Escapes control characters in untrusted text, so a terminal shows them instead of acting on
/// them. Zero-width and bidirectional characters are escaped too. Line ends and tabs are kept.
///
/// ```
/// use fabrs_core::event::escape_controls;
///
/// assert_eq!(escape_controls("Fix a typo\u{1b}[2K\r+ 1a2b3c4d5e"), "Fix a typo\\u{1b}[2K\\r+ 1a2b3c4d5e");
/// ```
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| needs_escape(character) && !matches!(character, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let spelled = text.split('\n').map(|line| line.split('\t').map(escape_all_controls).collect::<Vec<_>>().join("\t"));
    Cow::Owned(spelled.collect::<Vec<_>>().join("\n"))
}

/// Like [`escape_controls`], but keeps colours and font weights (SGR).
pub(crate) fn escape_except_colours(text: &str) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return escape_controls(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ESCAPE) {
        let (before, behind) = rest.split_at(at);
        shown += &escape_controls(before);
        let colour = colour(behind);
        if colour.is_empty() {
            shown += "\\u{1b}";
        } else {
            shown += colour;
        }
        rest = behind.get(colour.len().max(ESCAPE.len_utf8())..).unwrap_or_default();
    }
    shown += &escape_controls(rest);
    Cow::Owned(shown)
}

/// Like [`escape_except_colours`], for a line of output that may not be UTF-8.
pub(crate) fn line_with_colours(line: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: &u8| matches!(*byte, b'\t' | b' '..=b'~');
    if line.iter().all(is_plain) {
        return Cow::Borrowed(line);
    }
    let mut shown = Vec::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        shown.extend_from_slice(escape_except_colours(chunk.valid()).as_bytes());
        for byte in chunk.invalid() {
            match byte {
                // Some terminals interpret these bytes as controls of ISO 6429.
                0x80..=0x9f => shown.extend(format!("\\x{byte:02x}").bytes()),
                byte => shown.push(*byte),
            }
        }
    }
    Cow::Owned(shown)
}

const ESCAPE: char = '\u{1b}';

/// Returns the sequence at the start of `text` if it only sets colours and font weights (ECMA-48,
/// SGR). Sequences for hidden or blinking text don't count.
fn colour(text: &str) -> &str {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return "" };
    let Some(end) = parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':') else { return "" };
    let (numbers, rest) = parameters.split_at(end);
    if !rest.starts_with('m') || !are_harmless(numbers) {
        return "";
    }
    text.get(.."\u{1b}[".len() + end + 1).unwrap_or_default()
}

/// Returns true if the parameters of a sequence neither hide text nor let text blink.
fn are_harmless(parameters: &str) -> bool {
    let mut numbers = parameters.split([';', ':']);
    while let Some(number) = numbers.next() {
        match number {
            "5" | "6" | "8" | "05" | "06" | "08" => return false,
            // A palette colour (`5`) has one more number. An RGB colour (`2`) has three more.
            "38" | "48" | "58" => match numbers.next() {
                Some("5") => drop(numbers.next()),
                Some("2") => drop(numbers.by_ref().take(3).count()),
                _ => return false,
            },
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_text_are_escaped() {
        assert_eq!(escape_controls("a\nb\tc é"), "a\nb\tc é");
        assert_eq!(escape_controls("x\u{1b}[2K\ry\u{202e}z\u{9b}"), "x\\u{1b}[2K\\ry\\u{202e}z\\u{9b}");
    }

    #[test]
    fn only_colour_sequences_are_kept() {
        let passes = |text: &str| assert_eq!(escape_except_colours(text), text);
        passes("\u{1b}[31mred\u{1b}[0m \u{1b}[1;38;5;8mgrey\u{1b}[m");
        let spelled = |text: &str| {
            assert_eq!(escape_except_colours(text), text.replace('\u{1b}', "\\u{1b}").replace('\r', "\\r"));
        };
        for text in [
            "\u{1b}[8mhidden",
            "\u{1b}[1A",
            "\u{1b}]52;c;eA==",
            "\u{1b}[2K\r",
            "\u{1b}",
            "\u{1b}[1;5mx",
            "\u{1b}[31",
            "\u{1b}[38;5;1;8mx",
        ] {
            spelled(text);
        }
        assert_eq!(escape_except_colours("\u{1b}[31mred\u{1b}[1Aé"), "\u{1b}[31mred\\u{1b}[1Aé");
    }

    #[test]
    fn a_line_of_invalid_utf8_keeps_its_bytes_without_controls() {
        assert_eq!(&*line_with_colours(b"a\xffb\x9bc\x07\x1b[31m"), b"a\xffb\\x9bc\\u{7}\x1b[31m");
        assert!(matches!(line_with_colours(b"plain\ttext"), Cow::Borrowed(_)));
    }
}
