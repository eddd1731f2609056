//! What a `$` begins: variables, `${…}`, and `$(…)` inside double quotes.

use super::{Before, FaultKind, Place, Scanned, Scanner};

impl Scanner {
    /// Reads a `$` and what belongs to it; outside of quotes, `(` is read as any other parenthesis.
    pub(super) fn dollar(&mut self, place: Place) -> Scanned {
        let opened = self.at;
        self.take();
        match self.peek(0) {
            Some('{') => self.expansion(opened, place)?,
            Some('(') if place == Place::Double => self.substitution(opened)?,
            Some('[') => return Err(self.fault(FaultKind::OldArithmetic, opened, opened + 1)),
            Some('\'') if place == Place::Plain => self.ansi_quote()?,
            Some(c) if is_name(c) && !c.is_ascii_digit() => {
                let start = self.at;
                while self.peek(0).is_some_and(is_name) {
                    self.take();
                }
                self.before = Before::Variable(start);
            }
            // Taken here, so that the `{` in `$${x}` is not that of a second `${`, and `$#` begins no comment.
            Some(c) if "$#?!*@-0123456789".contains(c) => self.take(),
            _ => {}
        }
        Ok(())
    }

    /// Reads `$(…)` to its own end, wherever it stands.
    fn substitution(&mut self, opened: usize) -> Scanned {
        if self.peek(1) == Some('(') {
            return self.arithmetic(opened);
        }
        self.take_as(Before::Blank);
        self.plain(Some(opened))
    }

    /// Reads `((…))`, whose text shells read as if it stood in double quotes, or not, each in its own way.
    pub(super) fn arithmetic(&mut self, opened: usize) -> Scanned {
        let mut depth = 0_usize;
        self.take();
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                ')' if depth == 0 && self.peek(1) == Some(')') => {
                    self.take();
                    self.take_as(Before::Parenthesis);
                    return Ok(());
                }
                '\'' | '"' | '`' | '\\' => return Err(self.fault(FaultKind::UnclearArithmetic, self.at, self.at)),
                ')' if depth == 0 => return Err(self.fault(FaultKind::UnclearArithmetic, self.at, self.at)),
                '\n' if !self.here_documents.is_empty() => {
                    return Err(self.fault(FaultKind::UnclearArithmetic, opened, self.at - 1));
                }
                ')' => {
                    depth -= 1;
                    self.take();
                }
                '(' => {
                    depth += 1;
                    self.take();
                }
                '$' => self.dollar(Place::Double)?,
                '{' | '}' => self.brace(Place::Arithmetic)?,
                _ => self.take(),
            }
        }
        Err(self.fault(FaultKind::Unclosed, opened, opened + 1))
    }

    /// Reads `${…}`, which belongs to the shell.
    fn expansion(&mut self, opened: usize, place: Place) -> Scanned {
        self.take();
        while let Some(c) = self.peek(0) {
            match c {
                '}' => {
                    self.take();
                    return Ok(());
                }
                '\'' | '"' if place == Place::Double => {
                    return Err(self.fault(FaultKind::QuoteInExpansion, self.at, self.at));
                }
                '\'' => self.foreign_quote()?,
                '"' => self.double()?,
                '`' => self.backticks()?,
                '\\' => self.escape(),
                // A substitution is followed to its own end, also outside of quotes: a `}` in there does not end this.
                '$' if self.peek(1) == Some('(') => {
                    let opened = self.at;
                    self.take();
                    self.substitution(opened)?;
                }
                '$' => self.dollar(place)?,
                '{' => {
                    let end = self.find('}').unwrap_or(self.at);
                    return Err(self.fault(FaultKind::InExpansion, self.at, end));
                }
                _ => self.take(),
            }
        }
        Err(self.fault(FaultKind::Unclosed, opened, opened + 1))
    }

    /// Takes a single quote inside `${…}`: the braces in it, too, belong to the shell.
    fn foreign_quote(&mut self) -> Scanned {
        let opened = self.at;
        self.take();
        let Some(end) = self.find('\'') else {
            return Err(self.fault(FaultKind::Unclosed, opened, opened));
        };
        while self.at <= end {
            self.take();
        }
        Ok(())
    }

    /// Takes a `${…}` that this shell does not look into, with the braces inside it, but not past `end`.
    pub(super) fn foreign_braces(&mut self, end: char, escapes: Escapes) {
        let mut depth = 0_usize;
        while let Some(c) = self.peek(0).filter(|&c| c != end) {
            self.take();
            match c {
                '\\' if escapes == Escapes::Known => self.take(),
                '{' => depth += 1,
                '}' if depth == 1 => break,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
}

/// Whether a backslash means anything where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    Known,
    Unknown,
}

pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
