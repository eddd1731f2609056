//! [`ShellLine`], and the conversions into a shell line.

use std::fmt;

use crate::shell::error::ShellLineError;
use crate::shell::scan;
use crate::shell::value::{ShellList, ShellValue, quote};

/// A line for a POSIX shell with quoted values.
///
/// Made from a literal, with `cmd!("… {value} …")`, or with [`ShellLine::raw`]. A line is invalid
/// if the text contains a NUL byte, or if a literal contains `{name}` without `cmd!`. An invalid
/// line keeps the error, and the command fails before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[must_use = "a line does nothing until it is run"]
pub struct ShellLine {
    text: String,
    fault: Option<ShellLineError>,
}

/// A part of the arguments of `cmd!`.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// Literal text for the shell.
    Text(&'static str),
    /// A value: one quoted word.
    Value(&'a dyn ShellValue),
    /// A list: one quoted word for each item.
    List(&'a dyn ShellList),
}

impl fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Value(_) => f.write_str("Value"),
            Self::List(_) => f.write_str("List"),
        }
    }
}

impl ShellLine {
    /// Makes a shell line from any text. The shell executes the text.
    ///
    /// No other function turns arbitrary text into a command. A search for `raw` finds every place
    /// where an injection is possible.
    pub fn raw(text: impl Into<String>) -> Self {
        Self::checked(text.into())
    }

    /// Builds a line from the pieces of `cmd!`.
    pub fn from_pieces(pieces: &[Piece<'_>]) -> Self {
        let mut text = String::new();
        match append(&mut text, pieces) {
            Ok(()) => Self::checked(text),
            Err(fault) => Self { text, fault: Some(fault) },
        }
    }

    /// Returns the text of the line.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the text of the line if the line is valid.
    ///
    /// # Errors
    ///
    /// The [`ShellLineError`] found when the line was made.
    pub fn check(&self) -> Result<&str, ShellLineError> {
        match &self.fault {
            None => Ok(&self.text),
            Some(fault) => Err(fault.clone()),
        }
    }

    fn checked(text: String) -> Self {
        let fault = text.contains('\0').then_some(ShellLineError::Nul);
        Self { text, fault }
    }
}

fn append(text: &mut String, pieces: &[Piece<'_>]) -> Result<(), ShellLineError> {
    for piece in pieces {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Value(value) => text.push_str(&quote(&value.shell_text()?)?),
            Piece::List(list) => {
                let mut first = true;
                list.for_each(&mut |item| {
                    if !std::mem::take(&mut first) {
                        text.push(' ');
                    }
                    text.push_str(&quote(&item.shell_text()?)?);
                    Ok(())
                })?;
            }
        }
    }
    Ok(())
}

impl fmt::Display for ShellLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A value accepted as a command: a literal or a [`ShellLine`].
///
/// A `String` does not implement this trait, because the shell would execute arbitrary text. `cmd!`
/// quotes a `String`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shell line",
    label = "may contain text that the shell would execute",
    note = "write `cmd!(\"… {{value}} …\")`: it quotes each value",
    note = "or `ShellLine::raw(text)`, if the text is trusted shell code"
)]
pub trait IntoShellLine {
    /// Makes the line.
    fn into_shell_line(self) -> ShellLine;
}

impl IntoShellLine for ShellLine {
    fn into_shell_line(self) -> ShellLine {
        self
    }
}

impl IntoShellLine for &ShellLine {
    fn into_shell_line(self) -> ShellLine {
        self.clone()
    }
}

impl IntoShellLine for &'static str {
    /// Converts a literal. A literal with an unquoted `{name}` is invalid: `cmd!` is missing, and
    /// the shell would receive the braces.
    fn into_shell_line(self) -> ShellLine {
        let mut line = ShellLine::checked(self.to_owned());
        if let Some(name) = scan::forgotten_placeholder(self) {
            line.fault = Some(ShellLineError::ForgottenCmd(name.to_owned()));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_is_one_word() {
        let hostile = "a b; rm -rf / $(id) `id` 'x' \"y\" \\ \n*";
        let line = ShellLine::from_pieces(&[Piece::Text("echo "), Piece::Value(&hostile)]);
        let words = shlex::split(line.check().unwrap()).unwrap();
        assert_eq!(words, ["echo", hostile]);
    }

    #[test]
    fn a_list_is_one_word_per_item() {
        let items = vec!["a b", "", "c"];
        let line = ShellLine::from_pieces(&[Piece::Text("rm "), Piece::List(&items)]);
        assert_eq!(shlex::split(line.as_str()).unwrap(), ["rm", "a b", "", "c"]);
        let none: [&str; 0] = [];
        assert_eq!(ShellLine::from_pieces(&[Piece::Text("rm "), Piece::List(&none)]).as_str(), "rm ");
    }

    #[test]
    fn a_nul_is_refused() {
        assert_eq!(ShellLine::raw("a\0b").check(), Err(ShellLineError::Nul));
        assert_eq!(ShellLine::from_pieces(&[Piece::Value(&"a\0b")]).check(), Err(ShellLineError::Nul));
    }

    #[test]
    fn a_placeholder_without_cmd_is_an_error() {
        let line = "git reset --hard {tag}".into_shell_line();
        assert_eq!(line.check(), Err(ShellLineError::ForgottenCmd("tag".to_owned())));
    }
}
