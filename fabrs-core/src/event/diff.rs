//! [`FileDiff`]: the diff of a file.

use serde::Serialize;

use crate::controls::escape_all_controls;
use crate::event::style::{Style, TextRole};
use crate::secret::Redactor;

/// The diff of a file or directory on a host, or the reason why there is no diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileDiff {
    /// The content is equal.
    None,
    /// A unified diff with three lines of context. For a new file, it contains all lines.
    Lines(String),
    /// The changes in a directory, one line for each entry in the format of
    /// `rsync --itemize-changes`.
    Entries(Vec<String>),
    /// The content differs and is binary.
    Binary,
    /// The content differs and is not shown. Not all users of the host may read the file, so it may
    /// contain an unknown secret.
    Private,
    /// The file could not be read. The text is the reason. The upload may still succeed.
    Unread(String),
    /// The old or the new file is larger than 1 MiB.
    Large,
    /// The new content is a [`Secret`](crate::Secret). It is neither compared nor shown.
    Secret,
}

impl FileDiff {
    /// Returns the lines for a terminal.
    pub(super) fn lines(&self, path: &str, style: Style) -> Vec<String> {
        let text = match self {
            Self::Lines(text) => {
                let text = text.strip_suffix('\n').unwrap_or(text);
                return text.split('\n').enumerate().map(|(n, line)| diff_line(n, line, style)).collect();
            }
            Self::Entries(entries) if !entries.is_empty() => {
                return entries.iter().map(|entry| entry_line(entry, style)).collect();
            }
            Self::Entries(_) => "no differences",
            Self::None => "the same content",
            Self::Private => "differs, not shown because not all users may read the file (use `--diff=all`)",
            Self::Unread(why) => return vec![format!("{path}: not compared: {}", escape_all_controls(why))],
            Self::Binary => "binary content differs",
            Self::Large => "not compared: too large",
            Self::Secret => "not compared: a secret",
        };
        vec![format!("{path}: {text}")]
    }

    /// Returns the diff with secrets redacted.
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

/// Returns an entry in the colour of its change: added or removed.
fn entry_line(entry: &str, style: Style) -> String {
    let text = escape_all_controls(entry);
    match entry.split(' ').next() {
        Some("*deleting") => style.paint(TextRole::Removed, &text),
        Some(signs) if signs.ends_with('+') => style.paint(TextRole::Added, &text),
        _ => text,
    }
}

/// Returns a line of a diff in the colour of its sign. The first two lines name the file. Control
/// characters are escaped, because the old content is from the host.
fn diff_line(number: usize, line: &str, style: Style) -> String {
    let line = line.split('\t').map(escape_all_controls).collect::<Vec<_>>().join("\t");
    let role = match line.as_bytes() {
        _ if number < 2 => TextRole::Command,
        [b'-', ..] => TextRole::Removed,
        [b'+', ..] => TextRole::Added,
        [b'@', ..] => TextRole::Hint,
        _ => return line,
    };
    style.paint(role, &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let difference = FileDiff::Lines("-\u{1b}[2Jx\ty\r\n+é\n".to_owned());
        assert_eq!(difference.lines("/x", Style::Plain), ["-\\u{1b}[2Jx\ty\\r", "+é"]);
    }

    #[test]
    fn diff_signs_have_colours() {
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
