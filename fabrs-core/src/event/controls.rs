//! Characters that a terminal obeys rather than shows.

/// Tells whether a terminal acts on a character rather than showing it: controls of both sets, and those that change
/// the direction of text or stand for nothing that is seen.
pub(crate) fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Returns `text` with each such character written as `\u{1b}`.
pub(crate) fn spelled_out(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_obeyed(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
