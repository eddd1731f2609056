//! [`ShellLine`], and what turns into one.

use std::fmt;

use crate::shell::error::ShellLineError;
use crate::shell::scan;
use crate::shell::value::{ShellList, ShellValue, quote};

/// A line for a POSIX shell in which every value is quoted.
///
/// Made from a literal, by `cmd!("… {value} …")`, or by [`ShellLine::raw`]. A line that could not be made (a NUL byte
/// in a value, a literal with `{name}` in it whose `cmd!` was forgotten) keeps the reason, and the command it is given
/// to fails with it before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[must_use = "a line does nothing until it is run"]
pub struct ShellLine {
    text: String,
    fault: Option<ShellLineError>,
}

/// A part of what `cmd!` was given.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// Text of the literal, for the shell.
    Text(&'static str),
    /// A value, which becomes one quoted word.
    Value(&'a dyn ShellValue),
    /// A list, which becomes a quoted word an item.
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
    /// Takes any text as a shell line: what is in it, the shell executes.
    ///
    /// This is the one way by which text that came from elsewhere becomes a command; where it stands, injection is
    /// possible, and can be looked for.
    pub fn raw(text: impl Into<String>) -> Self {
        Self::checked(text.into())
    }

    /// Builds a line from the pieces that `cmd!` made.
    pub fn from_pieces(pieces: &[Piece<'_>]) -> Self {
        let mut text = String::new();
        match append(&mut text, pieces) {
            Ok(()) => Self::checked(text),
            Err(fault) => Self { text, fault: Some(fault) },
        }
    }

    /// Returns the line as the shell gets it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the line, or why there is none.
    ///
    /// # Errors
    ///
    /// The [`ShellLineError`] that was met when the line was made.
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

/// What a command can be given: a literal, or a [`ShellLine`].
///
/// A `String` is not among them. It could hold text from elsewhere that the shell would execute; `cmd!` quotes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a shell line",
    label = "could carry text that the shell would execute",
    note = "write `cmd!(\"… {{value}} …\")`: it quotes each value",
    note = "or `ShellLine::raw(text)`, if the text really is a line for the shell"
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
    /// Takes a literal. One that holds an unquoted `{name}` is refused when it is run: `cmd!` was forgotten, and the
    /// braces would reach the shell.
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
    fn a_value_is_one_word_whatever_is_in_it() {
        let hostile = "a b; rm -rf / $(id) `id` 'x' \"y\" \\ \n*";
        let line = ShellLine::from_pieces(&[Piece::Text("echo "), Piece::Value(&hostile)]);
        let words = shlex::split(line.check().unwrap()).unwrap();
        assert_eq!(words, ["echo", hostile]);
    }

    #[test]
    fn a_list_is_one_word_an_item() {
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
    fn a_forgotten_cmd_is_refused_before_it_is_sent() {
        let line = "git reset --hard {tag}".into_shell_line();
        assert_eq!(line.check(), Err(ShellLineError::ForgottenCmd("tag".to_owned())));
    }
}
