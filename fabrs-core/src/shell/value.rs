//! What may stand in the braces of `cmd!`: values that become one quoted word each.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::shell::error::ShellLineError;

/// A value that `cmd!` turns into one word of a shell line, quoted so that the shell takes it as it is.
///
/// Implemented for text, paths, numbers, `bool`, `char`, [`Host`], and references to them. For a type of your own,
/// implement it by naming the text; the quoting is not yours to do.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in `cmd!` as one word",
    label = "not a word for the shell",
    note = "text, paths, numbers, `bool` and `char` can; a list is written `{{name...}}`, one quoted word each",
    note = "a `Secret` is in no line: a command is given it by `.env(NAME, &secret)` or `.stdin(&secret)`"
)]
pub trait ShellValue {
    /// Returns the text of the value, not quoted.
    ///
    /// # Errors
    ///
    /// [`ShellLineError::NotUtf8`] where the value is a path or text of the system that is not UTF-8.
    fn shell_text(&self) -> Result<Cow<'_, str>, ShellLineError>;
}

/// A list that `cmd!` turns into one quoted word for each item, with blanks between them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in `cmd!` as a list of words",
    label = "not a list",
    note = "`{{name...}}` takes slices, arrays, `Vec`s and `Option`s of values; one value is written `{{name}}`"
)]
pub trait ShellList {
    /// Calls `each` with every item.
    ///
    /// # Errors
    ///
    /// What `each` returns.
    fn for_each(
        &self,
        each: &mut dyn FnMut(&dyn ShellValue) -> Result<(), ShellLineError>,
    ) -> Result<(), ShellLineError>;
}

/// Quotes one word so that every login shell reads it the same way: POSIX shells, zsh, fish and csh.
///
/// fish gives `\\` and `\'` a meaning inside single quotes, and csh gives one to `!`. So quotes, backslashes and `!` stand
/// outside of the quotes, each behind a backslash. A line end remains in the quotes, which csh refuses as an error.
///
/// # Errors
///
/// [`ShellLineError::Nul`] where the text holds a NUL byte: no shell can be given one.
pub fn quote(text: &str) -> Result<Cow<'_, str>, ShellLineError> {
    const SPECIAL: [char; 3] = ['\'', '\\', '!'];
    let quoted = |text| shlex::try_quote(text).map_err(|_| ShellLineError::Nul);
    if !text.contains(SPECIAL) {
        return quoted(text);
    }
    let mut word = String::with_capacity(text.len() + 16);
    for piece in text.split_inclusive(SPECIAL) {
        let plain = piece.trim_end_matches(SPECIAL);
        if !plain.is_empty() {
            word.push_str(&quoted(plain)?);
        }
        for special in piece.get(plain.len()..).unwrap_or_default().chars() {
            word.extend(['\\', special]);
        }
    }
    Ok(word.into())
}

/// Quotes a path as one word, leaving a leading `~/` to the shell and a leading `-` from being an option.
pub(crate) fn quote_path(path: &str) -> Result<Cow<'_, str>, ShellLineError> {
    match path.strip_prefix("~/") {
        Some("") => Ok(Cow::Borrowed(path)),
        Some(rest) => Ok(format!("~/{}", quote(rest)?).into()),
        None if path == "~" => Ok(Cow::Borrowed(path)),
        None if path.starts_with('-') => Ok(format!("./{}", quote(path)?).into()),
        None => quote(path),
    }
}

macro_rules! by_display {
    ($($type:ty),*) => {$(
        impl ShellValue for $type {
            fn shell_text(&self) -> Result<Cow<'_, str>, ShellLineError> {
                Ok(Cow::Owned(self.to_string()))
            }
        }
    )*};
}

by_display!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, bool, char, Host);

macro_rules! by_str {
    ($($type:ty),*) => {$(
        impl ShellValue for $type {
            fn shell_text(&self) -> Result<Cow<'_, str>, ShellLineError> {
                Ok(Cow::Borrowed(self.as_ref()))
            }
        }
    )*};
}

by_str!(str, String, Cow<'_, str>);

macro_rules! by_os_str {
    ($($type:ty),*) => {$(
        impl ShellValue for $type {
            fn shell_text(&self) -> Result<Cow<'_, str>, ShellLineError> {
                let text: &OsStr = self.as_ref();
                text.to_str().map(Cow::Borrowed).ok_or(ShellLineError::NotUtf8)
            }
        }
    )*};
}

by_os_str!(OsStr, OsString, Path, PathBuf);

impl<T: ShellValue + ?Sized> ShellValue for &T {
    fn shell_text(&self) -> Result<Cow<'_, str>, ShellLineError> {
        (**self).shell_text()
    }
}

impl<T: ShellValue> ShellList for [T] {
    fn for_each(
        &self,
        each: &mut dyn FnMut(&dyn ShellValue) -> Result<(), ShellLineError>,
    ) -> Result<(), ShellLineError> {
        self.iter().try_for_each(|item| each(item))
    }
}

macro_rules! by_slice {
    ($([$($generic:tt)*] $type:ty),*) => {$(
        impl<T: ShellValue, $($generic)*> ShellList for $type {
            fn for_each(
                &self,
                each: &mut dyn FnMut(&dyn ShellValue) -> Result<(), ShellLineError>,
            ) -> Result<(), ShellLineError> {
                self.as_slice().for_each(each)
            }
        }
    )*};
}

by_slice!([] Vec<T>, [const N: usize] [T; N], [] Option<T>);

impl<T: ShellList + ?Sized> ShellList for &T {
    fn for_each(
        &self,
        each: &mut dyn FnMut(&dyn ShellValue) -> Result<(), ShellLineError>,
    ) -> Result<(), ShellLineError> {
        (**self).for_each(each)
    }
}
