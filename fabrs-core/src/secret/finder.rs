//! [`Finder`]: the search for secrets in bytes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use crate::secret::secret::REDACTED;

/// A search for a fixed set of byte strings.
pub(super) struct Finder {
    automaton: AhoCorasick,
    /// The byte strings, sorted.
    forms: Vec<Vec<u8>>,
    longest: usize,
}

impl Finder {
    /// Builds the search. Returns `None` if the forms exceed the limit of the automaton, 2 GiB.
    pub(super) fn new(forms: &BTreeSet<Vec<u8>>) -> Option<Self> {
        let automaton = AhoCorasick::new(forms).ok()?;
        let longest = forms.iter().map(Vec::len).max().unwrap_or_default();
        Some(Self { automaton, forms: forms.iter().cloned().collect(), longest })
    }

    /// Returns the bytes before `end` with the secrets masked. Later bytes are read only to find
    /// the end of the last secret.
    ///
    /// `open` is the number of bytes at the start that continue a masked secret of the previous
    /// chunk. On return, `open` is this number for the bytes after `end`.
    pub(super) fn redact<'a>(&self, bytes: Cow<'a, [u8]>, end: usize, open: &mut usize) -> Cow<'a, [u8]> {
        let secrets = self.secrets(&bytes, *open);
        if secrets.is_empty() && end == bytes.len() {
            return bytes;
        }
        let mut shown = Vec::with_capacity(end);
        let mut at = 0;
        for secret in secrets {
            let is_open = *open > 0 && secret.start == 0;
            if secret.start >= end && !is_open {
                break;
            }
            if !is_open {
                shown.extend_from_slice(bytes.get(at..secret.start).unwrap_or_default());
                shown.extend_from_slice(REDACTED.as_bytes());
            }
            at = secret.end;
        }
        shown.extend_from_slice(bytes.get(at..end).unwrap_or_default());
        *open = at.saturating_sub(end);
        Cow::Owned(shown)
    }

    /// Returns the ranges of the secrets in order. Overlapping secrets share a range. The first
    /// `open` bytes belong to a secret.
    fn secrets(&self, bytes: &[u8], open: usize) -> Vec<Range<usize>> {
        let mut secrets: Vec<Range<usize>> = Vec::new();
        if open > 0 {
            secrets.push(0..open);
        }
        // The matches are sorted by their ends.
        for found in self.automaton.find_overlapping_iter(bytes) {
            let mut found = found.range();
            while let Some(last) = secrets.pop_if(|last| found.start < last.end) {
                found = found.start.min(last.start)..found.end.max(last.end);
            }
            secrets.push(found);
        }
        secrets
    }

    /// Returns the first position of a possible secret that continues after the end of the bytes.
    pub(super) fn possible_start(&self, bytes: &[u8]) -> Option<usize> {
        let could_be = |end: &[u8]| {
            // In sorted order, a form that starts with `end` follows directly after `end`.
            let next = self.forms.partition_point(|form| form.as_slice() <= end);
            self.forms.get(next).is_some_and(|form| form.starts_with(end))
        };
        let first = (bytes.len() + 1).saturating_sub(self.longest);
        (first..bytes.len()).find(|at| bytes.get(*at..).is_some_and(could_be))
    }
}
