//! Braces: `{{`, `}}`, and the values between `{` and `}`.

use super::dollar::is_name;
use super::{Before, Fault, FaultKind, Part, Place, Placeholder, Scanned, Scanner, is_blank};
use crate::cmd::placeholder::Form;

/// A value, and where its `}` stands.
pub(super) struct Found {
    placeholder: Placeholder,
    pub(super) end: usize,
}

impl Scanner {
    /// Reads `{{`, `}}` or a value.
    pub(super) fn brace(&mut self, place: Place) -> Scanned {
        let at = self.at;
        match (self.peek(0), self.peek(1)) {
            (Some('{'), Some('{')) | (Some('}'), Some('}')) => {
                self.at += 1;
                self.take();
                return Ok(());
            }
            (Some('}'), _) => return Err(self.fault(FaultKind::LoneBrace, at, at)),
            _ => {}
        }
        let Found { placeholder, end } = self.placeholder(at)?;
        let refused = match place {
            Place::Plain => self.check_neighbours(&placeholder, end),
            Place::Single => Some(FaultKind::Quoted('\'')),
            Place::Double => Some(FaultKind::Quoted('"')),
            Place::Backticks => Some(FaultKind::InBackticks),
            Place::Comment => Some(FaultKind::InComment),
            Place::HereDocument => Some(FaultKind::InHereDocument),
            Place::Arithmetic => Some(FaultKind::InArithmetic),
        };
        if let Some(kind) = refused {
            return Err(self.fault(kind, at, end));
        }
        self.flush();
        self.parts.push(Part::Value(placeholder));
        self.at = end + 1;
        self.before = Before::Word;
        Ok(())
    }

    /// Says what is wrong with what stands right beside a value.
    fn check_neighbours(&self, value: &Placeholder, end: usize) -> Option<FaultKind> {
        let after = self.chars.get(end + 1).copied();
        if let Before::Variable(start) = self.before {
            let name = self.chars.get(start..self.at).unwrap_or_default();
            return Some(FaultKind::AfterVariable(name.iter().filter(|c| is_name(**c)).collect()));
        }
        if matches!(after, Some('<' | '>')) {
            return Some(FaultKind::BeforeRedirect);
        }
        let is_glued = self.before != Before::Blank || after.is_some_and(|c| !is_blank(c));
        (value.form == Form::List && is_glued).then_some(FaultKind::GluedList)
    }

    /// Reads the value whose `{` stands at a position.
    pub(super) fn placeholder(&self, at: usize) -> Result<Found, Fault> {
        let rest = self.chars.get(at + 1..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&c| c == '}') else {
            return Err(self.fault(FaultKind::UnclosedBrace, at, at));
        };
        let inside: String = rest.iter().take(length).collect();
        let end = at + 1 + length;
        match Placeholder::parse(&inside) {
            Ok(placeholder) => Ok(Found { placeholder, end }),
            Err(misuse) => Err(self.fault(FaultKind::Braces(misuse), at, end)),
        }
    }
}
