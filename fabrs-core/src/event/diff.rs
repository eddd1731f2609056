//! [`FileDiff`]: what becomes another in a file.

use serde::Serialize;

use crate::controls::escape_all_controls;
use crate::event::style::{Role, Style};
use crate::secret::Redactor;

/// What becomes another in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileDiff {
    /// Nothing: the content is there already.
    None,
    /// These lines, as a unified diff with three lines around each change; of a file that is not there yet, every line.
    Lines(String),
    /// What becomes another in a folder, a line for each entry as `rsync --itemize-changes` prints it.
    Entries(Vec<String>),
    /// Some of its bytes, but it is no text.
    Binary,
    /// Not everybody on the host may read it, so it may be a secret of which nobody here knows: it is not shown.
    Private,
    /// It could not be read, for this reason; it may be written all the same.
    Unread(String),
    /// Too much to be shown: the old file or the new one is larger than 1 MiB.
    Large,
    /// It is not shown, and was not looked at: the new content is a secret.
    Secret,
}

impl FileDiff {
    /// Returns it as lines for people.
    pub(super) fn lines(&self, path: &str, style: Style) -> Vec<String> {
        let said = match self {
            Self::Lines(text) => {
                let text = text.strip_suffix('\n').unwrap_or(text);
                return text.split('\n').enumerate().map(|(n, line)| painted(n, line, style)).collect();
            }
            Self::Entries(entries) if !entries.is_empty() => {
                return entries.iter().map(|entry| entry_painted(entry, style)).collect();
            }
            Self::Entries(_) => "nothing differs",
            Self::None => "the same content",
            Self::Private => "differs, and not everybody may read it (`--diff=all` shows it)",
            Self::Unread(why) => return vec![format!("{path}: not compared: {}", escape_all_controls(why))],
            Self::Binary => "differs, and is no text",
            Self::Large => "too large to be compared",
            Self::Secret => "a secret, not compared",
        };
        vec![format!("{path}: {said}")]
    }

    /// Returns it without the secrets of a run.
    pub(super) fn redacted(&self, redactor: &Redactor) -> Self {
        match self {
            Self::Lines(text) => Self::Lines(redactor.text(text).into_owned()),
            Self::Unread(why) => Self::Unread(redactor.text(why).into_owned()),
            Self::Entries(entries) => {
                Self::Entries(entries.iter().map(|entry| redactor.text(entry).into_owned()).collect())
            }
            Self::None | Self::Binary | Self::Private | Self::Large | Self::Secret => self.clone(),
        }
    }
}

/// Paints an entry by whether it is new, or goes.
fn entry_painted(entry: &str, style: Style) -> String {
    let text = escape_all_controls(entry);
    match entry.split(' ').next() {
        Some("*deleting") => style.paint(Role::Removed, &text),
        Some(signs) if signs.ends_with('+') => style.paint(Role::Added, &text),
        _ => text,
    }
}

/// Paints a line by the sign that it begins with, but the two that name the file; and spells out what a terminal would obey:
/// half of it is the host's.
fn painted(number: usize, line: &str, style: Style) -> String {
    let line = line.split('\t').map(escape_all_controls).collect::<Vec<_>>().join("\t");
    let role = match line.as_bytes() {
        _ if number < 2 => Role::Command,
        [b'-', ..] => Role::Removed,
        [b'+', ..] => Role::Added,
        [b'@', ..] => Role::Hint,
        _ => return line,
    };
    style.paint(role, &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        let difference = FileDiff::Lines("-\u{1b}[2Jx\ty\r\n+é\n".to_owned());
        assert_eq!(difference.lines("/x", Style::Plain), ["-\\u{1b}[2Jx\ty\\r", "+é"]);
    }

    #[test]
    fn signs_have_colours() {
        let difference = FileDiff::Lines("--- /x\n+++ /x\n@@ -1 +1 @@\n a\n-b\n+c\n--- a comment\n".to_owned());
        let lines = difference.lines("/x", Style::Colour);
        let expected = ["[1m--- /x", "[1m+++ /x", "[36m@@ -1 +1 @@", " a", "[31m-b", "[32m+c", "[31m--- a comment"];
        let painted = |text: &str| match text.strip_prefix('[') {
            Some(_) => format!("\u{1b}{text}\u{1b}[0m"),
            None => text.to_owned(),
        };
        assert_eq!(lines, expected.map(painted));
    }
}
