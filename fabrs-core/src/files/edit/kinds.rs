//! What an edit makes of a text: each kind says it in words, and does it.

use regex::bytes::Regex;

use super::text::{self, Spot};
use crate::error::{Error, ErrorKind, Result};

/// A change of a text.
pub trait Change: sealed::Change + Send + Sync + 'static {}

pub(super) mod sealed {
    use crate::error::Result;

    pub trait Change {
        /// Says in words what it is, and of which file.
        fn in_words(&self, path: &str) -> String;
        /// Returns the new content; of no file at all an error, where there has to be one.
        fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>>;
    }
}

/// Lines that are to be in a file.
#[derive(Debug)]
pub struct Append(pub(super) Vec<String>);

/// What matches, and what comes into its place.
#[derive(Debug)]
pub struct Replace {
    pub(super) pattern: String,
    pub(super) with: String,
}

/// Lines that are to be comments.
#[derive(Debug)]
pub struct Comment {
    pub(super) pattern: String,
    pub(super) sign: String,
}

/// Lines that are to be none any more.
#[derive(Debug)]
pub struct Uncomment {
    pub(super) pattern: String,
    pub(super) sign: String,
}

/// A line that is to be in a file, in the place of another or at its spot.
#[derive(Debug)]
pub struct Line {
    pub(super) text: String,
    pub(super) instead_of: Option<String>,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
}

impl Change for Append {}
impl Change for Replace {}
impl Change for Comment {}
impl Change for Uncomment {}
impl Change for Line {}

impl sealed::Change for Append {
    fn in_words(&self, path: &str) -> String {
        match self.0.as_slice() {
            [line] => format!("append `{line}` to {path}"),
            lines => format!("append {} lines to {path}", lines.len()),
        }
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        Ok(text::append(old.unwrap_or_default(), &self.0))
    }
}

impl sealed::Change for Replace {
    fn in_words(&self, path: &str) -> String {
        format!("replace `{}` by `{}` in {path}", self.pattern, self.with)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        let pattern = pattern(&self.pattern)?;
        if let Some(group) = text::unknown_group(&pattern, &self.with) {
            let error = Error::new(ErrorKind::Usage, format!("`{}` has no group `{group}`", self.pattern));
            return Err(error.hint("`${1}x` is the first group and an `x`, `$$` is a dollar"));
        }
        Ok(text::replace(of_a_file(old)?, &pattern, &self.with))
    }
}

impl sealed::Change for Comment {
    fn in_words(&self, path: &str) -> String {
        format!("comment `{}` in {path}", self.pattern)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        Ok(text::comment(of_a_file(old)?, &pattern(&self.pattern)?, &self.sign))
    }
}

impl sealed::Change for Uncomment {
    fn in_words(&self, path: &str) -> String {
        format!("uncomment `{}` in {path}", self.pattern)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        Ok(text::uncomment(of_a_file(old)?, &pattern(&self.pattern)?, &self.sign))
    }
}

impl sealed::Change for Line {
    fn in_words(&self, path: &str) -> String {
        format!("ensure the line `{}` in {path}", self.text)
    }

    fn apply(&self, old: Option<&[u8]>) -> Result<Vec<u8>> {
        if self.text.contains(['\n', '\r']) {
            let error = Error::new(ErrorKind::Usage, format!("`{}` is more than a line", self.text));
            return Err(error.hint("`.append(path, lines)` takes several"));
        }
        let instead_of = self.instead_of.as_deref().map(pattern).transpose()?;
        let spot = match (&self.after, &self.before) {
            (Some(after), _) => Spot::After(pattern(after)?),
            (None, Some(before)) => Spot::Before(pattern(before)?),
            (None, None) => Spot::End,
        };
        Ok(text::ensure_line(old.unwrap_or_default(), &self.text, instead_of.as_ref(), &spot))
    }
}

fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|source| Error::new(ErrorKind::Usage, format!("`{text}` is no pattern")).caused_by(source))
}

fn of_a_file(old: Option<&[u8]>) -> Result<&[u8]> {
    old.ok_or_else(|| Error::new(ErrorKind::File, "there is no such file"))
}

/// One line, or several.
pub trait IntoLines {
    /// Returns them.
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
