//! [`Redactor`]: what a run has to keep to itself.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::forms::forms;
use super::{REDACTED, Secret};

/// Knows the secrets of a run and takes them out of what is shown. Clones know the same.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Asked for every piece of output, and true for most runs.
    knows_any: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    forms: BTreeSet<Vec<u8>>,
    finder: Option<Arc<Finder>>,
}

/// Finds the forms of all secrets that were known when it was made.
pub(super) struct Finder {
    automaton: AhoCorasick,
    /// By their first byte: few begin with the one that is looked at.
    forms: HashMap<u8, Vec<Vec<u8>>>,
    longest: usize,
}

impl Redactor {
    /// Keeps `secret` out of what is shown from now on.
    pub(crate) fn add(&self, secret: &Secret) {
        let mut known = self.known();
        let before = known.forms.len();
        known.forms.extend(forms(secret.expose()));
        if known.forms.len() > before {
            // Where there is too much to look for, what was known before still is.
            if let Some(finder) = Finder::new(known.forms.iter().cloned().collect()) {
                known.finder = Some(Arc::new(finder));
            }
            self.shared.knows_any.store(true, Ordering::Release);
        }
    }

    /// Returns what finds the secrets, where any are known.
    pub(super) fn finder(&self) -> Option<Arc<Finder>> {
        if self.shared.knows_any.load(Ordering::Acquire) { self.known().finder.clone() } else { None }
    }

    /// Returns a text without the secrets in it.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Returns bytes without the secrets in them.
    pub(crate) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = self.finder() else { return Cow::Borrowed(bytes) };
        let mut redacted = Vec::new();
        let mut at = 0;
        while let Some((start, end)) = finder.find(bytes, at) {
            redacted.extend_from_slice(bytes.get(at..start).unwrap_or_default());
            redacted.extend_from_slice(REDACTED.as_bytes());
            at = end;
        }
        if at == 0 {
            return Cow::Borrowed(bytes);
        }
        redacted.extend_from_slice(bytes.get(at..).unwrap_or_default());
        Cow::Owned(redacted)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows how much it knows and not what.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("forms", &self.known().forms.len()).finish()
    }
}

impl Finder {
    /// Makes it; too much to look for is nothing that a run has.
    fn new(forms: Vec<Vec<u8>>) -> Option<Self> {
        // Of two that begin alike the longer, or the rest of it would be shown.
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).ok()?;
        let longest = forms.iter().map(Vec::len).max().unwrap_or_default();
        let mut by_first: HashMap<u8, Vec<Vec<u8>>> = HashMap::new();
        for form in forms {
            by_first.entry(*form.first()?).or_default().push(form);
        }
        Some(Self { automaton, forms: by_first, longest })
    }

    /// Returns where the first secret at or behind `from` begins and ends.
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<(usize, usize)> {
        let input = Input::new(bytes).range(from.min(bytes.len())..);
        self.automaton.find(input).map(|found| (found.start(), found.end()))
    }

    /// Returns where, at or behind `from`, something begins that what follows could make a secret.
    pub(super) fn beginning(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let first = from.max((bytes.len() + 1).saturating_sub(self.longest));
        let could_be = |end: &[u8]| {
            let forms = end.first().and_then(|first| self.forms.get(first));
            forms.is_some_and(|forms| forms.iter().any(|form| form.len() > end.len() && form.starts_with(end)))
        };
        (first..bytes.len()).find(|at| bytes.get(*at..).is_some_and(could_be))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_taken_out_wherever_it_stands() {
        let redactor = Redactor::default();
        assert_eq!(redactor.text("hunter2 and more"), "hunter2 and more");
        redactor.add(&Secret::new("hunter2"));
        redactor.clone().add(&Secret::new("hunter2-too"));
        redactor.add(&Secret::new("a"));
        assert_eq!(redactor.text("a hunter2hunter2, hunter2-too"), "a [redacted][redacted], [redacted]");
        assert!(matches!(redactor.text("nothing of it"), Cow::Borrowed(_)));
        assert!(!format!("{redactor:?}").contains("hunter2"));
    }
}
