//! Here-documents: `<<END`, and the lines up to the one that is `END`.

use super::dollar::Escapes;
use super::{Before, FaultKind, Place, Scanned, Scanner, is_blank};

/// A here-document whose text has not begun.
pub(super) struct HereDocument {
    end: String,
    /// `<<-`: tabs in front of the end are no part of it.
    tabs: bool,
    /// The name stands in quotes, in which case a backslash in the text does not join two lines.
    escapes: Escapes,
    opened: usize,
}

impl Scanner {
    /// Reads `<<` and the name that ends the text; `<<<` is an operator before a plain word.
    pub(super) fn here_operator(&mut self) -> Scanned {
        let opened = self.at;
        self.take();
        self.take_as(Before::Blank);
        if self.peek(0) == Some('<') {
            self.take_as(Before::Blank);
            return Ok(());
        }
        let tabs = self.peek(0) == Some('-');
        if tabs {
            self.take();
        }
        while self.peek(0).is_some_and(|c| c == ' ' || c == '\t') {
            self.take();
        }
        let start = self.at;
        while self.peek(0).is_some_and(|c| !is_blank(c)) {
            self.take();
        }
        let name: String = self.chars.get(start..self.at).unwrap_or_default().iter().collect();
        match unquoted(&name) {
            Some(end) => {
                let escapes = if end == name { Escapes::Known } else { Escapes::Unknown };
                self.here_documents.push(HereDocument { end: end.to_owned(), tabs, escapes, opened });
                Ok(())
            }
            None => Err(self.fault(FaultKind::HereDocumentName, opened, self.at - 1)),
        }
    }

    /// Reads the texts of the here-documents that the line before has opened.
    pub(super) fn here_texts(&mut self) -> Scanned {
        for document in std::mem::take(&mut self.here_documents) {
            while !self.takes_end_of(&document) {
                if self.peek(0).is_none() {
                    return Err(self.fault(FaultKind::Unclosed, document.opened, document.opened + 1));
                }
                self.here_line(document.escapes)?;
            }
        }
        Ok(())
    }

    /// Takes the line that ends the document, with its line break, if it stands here.
    fn takes_end_of(&mut self, document: &HereDocument) -> bool {
        let to = self.find('\n').unwrap_or(self.chars.len());
        let line: String = self.chars.get(self.at..to).unwrap_or_default().iter().collect();
        let is_end = document.end == if document.tabs { line.trim_start_matches('\t') } else { &line };
        while is_end && self.at <= to && self.peek(0).is_some() {
            self.take();
        }
        is_end
    }

    fn here_line(&mut self, escapes: Escapes) -> Scanned {
        while let Some(c) = self.peek(0) {
            match c {
                '\n' => {
                    self.take();
                    break;
                }
                '\\' if escapes == Escapes::Known => self.escape(),
                '$' | '`' if escapes == Escapes::Known => self.here_substitution(c)?,
                '$' if self.peek(1) == Some('{') => self.foreign_braces('\n', escapes),
                '{' | '}' => self.brace(Place::HereDocument)?,
                _ => self.take(),
            }
        }
        Ok(())
    }

    /// Reads `$…` or backticks in a text that the shell looks into.
    ///
    /// To dash, a line inside is none of the text, to bash it is, so that the one may miss the end that the other sees.
    /// And a value inside could bring such a line along.
    fn here_substitution(&mut self, first: char) -> Scanned {
        let (opened, values) = (self.at, self.parts.len());
        if first == '$' {
            self.dollar(Place::Double)?;
        } else {
            self.backticks()?;
        }
        let goes_on = self.chars.get(opened..self.at).unwrap_or_default().contains(&'\n');
        if goes_on || self.parts.len() != values {
            return Err(self.fault(FaultKind::SubstitutionInHereDocument, opened, opened));
        }
        Ok(())
    }
}

/// Returns a name without the quotes around it, if it is one that needs no shell to be read.
fn unquoted(name: &str) -> Option<&str> {
    let between = |quote: char| name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let plain = between('\'').or_else(|| between('"')).or_else(|| name.strip_prefix('\\')).unwrap_or(name);
    let is_plain = !plain.is_empty() && !plain.contains(['\'', '"', '\\', '$', '`', '{', '}']);
    is_plain.then_some(plain)
}
