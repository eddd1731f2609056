//! What hides a value from the shell, or the shell from a value: quotes, backticks, backslashes, comments.

use super::dollar::Escapes;
use super::{Before, FaultKind, Place, Scanned, Scanner};

impl Scanner {
    pub(super) fn single(&mut self) -> Scanned {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => {
                    self.take();
                    return Ok(());
                }
                '$' if self.peek(1) == Some('{') => self.foreign_braces('\'', Escapes::Unknown),
                '{' | '}' => self.brace(Place::Single)?,
                _ => self.take(),
            }
        }
        Err(self.fault(FaultKind::Unclosed, opened, opened))
    }

    /// Reads `$'…'`: to bash, and by the latest POSIX, a quote with escapes in it, to other shells a `$` before a plain
    /// quote. Both end it at the same place unless there is a `\'` inside.
    pub(super) fn ansi_quote(&mut self) -> Scanned {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => {
                    self.take();
                    return Ok(());
                }
                '\\' if self.peek(1) == Some('\'') => {
                    return Err(self.fault(FaultKind::EscapeInAnsiQuote, self.at, self.at + 1));
                }
                '\\' => self.escape(),
                '{' | '}' => self.brace(Place::Single)?,
                _ => self.take(),
            }
        }
        Err(self.fault(FaultKind::Unclosed, opened, opened))
    }

    pub(super) fn double(&mut self) -> Scanned {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '"' => {
                    self.take();
                    return Ok(());
                }
                '\\' => self.backslash(Place::Double)?,
                '$' => self.dollar(Place::Double)?,
                '`' => self.backticks()?,
                '{' | '}' => self.brace(Place::Double)?,
                _ => self.take(),
            }
        }
        Err(self.fault(FaultKind::Unclosed, opened, opened))
    }

    /// Reads to the next backtick that has no backslash: quotes inside do not hide one from the shell.
    pub(super) fn backticks(&mut self) -> Scanned {
        let opened = self.at;
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '`' => {
                    self.take();
                    return Ok(());
                }
                '\\' => self.escape(),
                '$' if self.peek(1) == Some('{') => self.foreign_braces('`', Escapes::Known),
                '{' | '}' => self.brace(Place::Backticks)?,
                _ => self.take(),
            }
        }
        Err(self.fault(FaultKind::Unclosed, opened, opened))
    }

    pub(super) fn hash(&mut self) -> Scanned {
        match self.before {
            Before::Word | Before::Variable(_) => self.take(),
            Before::Parenthesis => return Err(self.fault(FaultKind::UnclearComment, self.at, self.at)),
            Before::Blank => {
                while let Some(c) = self.peek(0).filter(|&c| c != '\n') {
                    match c {
                        '{' | '}' => self.brace(Place::Comment)?,
                        _ => self.take(),
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn backslash(&mut self, place: Place) -> Scanned {
        let at = self.at;
        match (self.peek(1), self.peek(2)) {
            (None, _) => return Err(self.fault(FaultKind::TrailingBackslash, at, at)),
            // A brace is ours before it is the shell's: `\{{` is a `{` that the shell gets escaped.
            (Some('{'), Some('{')) | (Some('}'), Some('}')) => {
                self.take();
                self.brace(place)?;
            }
            (Some('{'), _) if place == Place::Plain => {
                let value = self.placeholder(at + 1)?;
                return Err(self.fault(FaultKind::AfterBackslash, at + 1, value.end));
            }
            (Some('\n'), _) => {
                let glued = at.checked_sub(1).and_then(|before| self.chars.get(before));
                if glued.is_some_and(|c| matches!(c, '$' | '(' | '<')) {
                    return Err(self.fault(FaultKind::BrokenToken, at - 1, at - 1));
                }
                // The shell removes both, so what stood before stands before what follows.
                let before = self.before;
                self.take();
                self.take_as(before);
            }
            _ => self.escape(),
        }
        Ok(())
    }

    /// Takes a backslash, and what it escapes unless that is a brace, which is ours to look at.
    pub(super) fn escape(&mut self) {
        self.take();
        if !matches!(self.peek(0), Some('{' | '}')) {
            self.take();
        }
    }
}
