//! Values in the braces of `cmd!`, and quoting for shells.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::shell::error::ShellLineError;

/// A value quoted by `cmd!` as one word.
///
/// Implemented for text, paths, numbers, `bool`, `char`, [`Host`], and references to them.
/// Implement the trait for your own type by returning its text. `cmd!` quotes the text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be one word in `cmd!`",
    label = "not a word for the shell",
    note = "text, paths, numbers, `bool` and `char` are allowed; write a list as `{{name...}}`, one quoted word each",
    note = "pass a `Secret` with `.env(NAME, &secret)` or `.stdin(&secret)`, not in a line"
)]
pub trait ShellValue {
    /// Returns the text of the value, not quoted.
    ///
    /// # Errors
    ///
    /// [`ShellLineError::NotUtf8`] if the value is a path or an OS string with invalid UTF-8.
    fn shell_text(&self) -> Result<Cow<'_, str>, ShellLineError>;
}

/// A list for `cmd!`: one quoted word for each item, separated by blanks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a list of words in `cmd!`",
    label = "not a list",
    note = "`{{name...}}` accepts slices, arrays, `Vec`s and `Option`s of values; write one value as `{{name}}`"
)]
pub trait ShellList {
    /// Calls `each` for every item.
    ///
    /// # Errors
    ///
    /// The error returned by `each`.
    fn for_each(
        &self,
        each: &mut dyn FnMut(&dyn ShellValue) -> Result<(), ShellLineError>,
    ) -> Result<(), ShellLineError>;
}

/// Quotes a word for every login shell: POSIX shells, zsh, fish and csh read the word unchanged.
///
/// fish interprets `\\` and `\'` in single quotes, and csh interprets `!`. Therefore quotes,
/// backslashes and `!` are placed outside the single quotes, each after a backslash. A line end
/// stays inside the quotes, and csh rejects such a word.
///
/// # Errors
///
/// [`ShellLineError::Nul`] if the text contains a NUL byte, which no shell accepts.
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

/// Quotes a path as one word. The shell still expands a leading `~/`. A path with a leading `-`
/// gets the prefix `./`. Otherwise a program would read the path as an option.
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
