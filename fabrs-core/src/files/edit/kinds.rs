//! The kinds of text edits: append, replace, comment, uncomment, and ensure a line.

use regex::bytes::Regex;

use super::text::{self, LinePosition};
use crate::error::{Error, ErrorKind, Result};

/// A text edit of a file: the kind of an [`EditRequest`](super::EditRequest).
pub trait TextEdit: sealed::TextEdit + Send + Sync + 'static {}

pub(super) mod sealed {
    use crate::error::Result;

    pub trait TextEdit {
        /// Returns the description of the edit, with the path of the file.
        fn describe(&self, path: &str) -> String;
        /// Returns the new content. `old` is `None` if the file does not exist. Edits of existing
        /// lines then return an error.
        fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>>;
    }
}

/// Appends missing lines to a file. See [`Connection::append`](crate::Connection::append).
#[derive(Debug)]
pub struct AppendLines(pub(super) Vec<String>);

/// Replaces the matches of a pattern. See [`Connection::replace`](crate::Connection::replace).
#[derive(Debug)]
pub struct ReplaceMatches {
    pub(super) pattern: String,
    pub(super) with: String,
}

/// Comments out matching lines. See [`Connection::comment`](crate::Connection::comment).
#[derive(Debug)]
pub struct CommentLines {
    pub(super) pattern: String,
    pub(super) marker: String,
}

/// Uncomments matching lines. See [`Connection::uncomment`](crate::Connection::uncomment).
#[derive(Debug)]
pub struct UncommentLines {
    pub(super) pattern: String,
    pub(super) marker: String,
}

/// Ensures that a file has a line. See [`Connection::ensure_line`](crate::Connection::ensure_line).
#[derive(Debug)]
pub struct EnsureLine {
    pub(super) text: String,
    pub(super) matching: Option<String>,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
}

impl TextEdit for AppendLines {}
impl TextEdit for ReplaceMatches {}
impl TextEdit for CommentLines {}
impl TextEdit for UncommentLines {}
impl TextEdit for EnsureLine {}

impl sealed::TextEdit for AppendLines {
    fn describe(&self, path: &str) -> String {
        match self.0.as_slice() {
            [line] => format!("append `{line}` to {path}"),
            lines => format!("append {} lines to {path}", lines.len()),
        }
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        Ok(text::append(old.unwrap_or_default(), &self.0))
    }
}

impl sealed::TextEdit for ReplaceMatches {
    fn describe(&self, path: &str) -> String {
        format!("replace `{}` by `{}` in {path}", self.pattern, self.with)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        let pattern = pattern(&self.pattern)?;
        if let Some(group) = text::unknown_group(&pattern, &self.with) {
            let error = Error::new(ErrorKind::Usage, format!("`{}` has no group `{group}`", self.pattern));
            return Err(error.hint("write `${1}x` for the first group followed by `x`, and `$$` for a dollar sign"));
        }
        Ok(text::replace(existing_content(old)?, &pattern, &self.with))
    }
}

impl sealed::TextEdit for CommentLines {
    fn describe(&self, path: &str) -> String {
        format!("comment `{}` in {path}", self.pattern)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        Ok(text::comment(existing_content(old)?, &pattern(&self.pattern)?, &self.marker))
    }
}

impl sealed::TextEdit for UncommentLines {
    fn describe(&self, path: &str) -> String {
        format!("uncomment `{}` in {path}", self.pattern)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        Ok(text::uncomment(existing_content(old)?, &pattern(&self.pattern)?, &self.marker))
    }
}

impl sealed::TextEdit for EnsureLine {
    fn describe(&self, path: &str) -> String {
        format!("ensure the line `{}` in {path}", self.text)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        if self.text.contains(['\n', '\r']) {
            let error = Error::new(ErrorKind::Usage, format!("`{}` has more than one line", self.text));
            return Err(error.hint("use `.append(path, lines)` for several lines"));
        }
        let matching = self.matching.as_deref().map(pattern).transpose()?;
        let position = match (&self.after, &self.before) {
            (Some(after), _) => LinePosition::After(pattern(after)?),
            (None, Some(before)) => LinePosition::Before(pattern(before)?),
            (None, None) => LinePosition::End,
        };
        Ok(text::ensure_line(old.unwrap_or_default(), &self.text, matching.as_ref(), &position))
    }
}

fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|source| {
        Error::new(ErrorKind::Usage, format!("invalid regular expression `{text}`")).caused_by(source)
    })
}

fn existing_content(old: Option<&[u8]>) -> Result<&[u8]> {
    old.ok_or_else(|| Error::new(ErrorKind::File, "no such file"))
}

/// A conversion into lines of text: one string with several lines, or a list of lines.
pub trait IntoLines {
    /// Returns the lines, without line ends.
    fn into_lines(self) -> Vec<String>;
}

impl IntoLines for &str {
    fn into_lines(self) -> Vec<String> {
        self.lines().map(str::to_owned).collect()
    }
}

impl IntoLines for String {
    fn into_lines(self) -> Vec<String> {
        self.as_str().into_lines()
    }
}

impl<S: Into<String>, const N: usize> IntoLines for [S; N] {
    fn into_lines(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<S: Into<String>> IntoLines for Vec<S> {
    fn into_lines(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}
