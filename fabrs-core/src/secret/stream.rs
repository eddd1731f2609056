//! Taking secrets out of a stream that comes in pieces, cut anywhere.

use std::borrow::Cow;

use super::{REDACTED, Redactor};

/// One stream on its way to who is shown it.
#[derive(Debug, Default)]
pub(crate) struct RedactedStream {
    /// What could be the beginning of a secret: shown when what follows says that it is none.
    held: Vec<u8>,
}

impl RedactedStream {
    /// Returns what can be shown after another piece has come.
    pub(crate) fn push<'a>(&mut self, redactor: &Redactor, piece: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = redactor.finder() else { return Cow::Borrowed(piece) };
        let bytes = if self.held.is_empty() {
            Cow::Borrowed(piece)
        } else {
            self.held.extend_from_slice(piece);
            Cow::Owned(std::mem::take(&mut self.held))
        };
        let mut shown = Vec::new();
        let mut at = 0;
        loop {
            let beginning = finder.beginning(&bytes, at).unwrap_or(bytes.len());
            match finder.find(&bytes, at) {
                // One that begins further on may still become a longer one.
                Some((start, end)) if start < beginning => {
                    shown.extend_from_slice(bytes.get(at..start).unwrap_or_default());
                    shown.extend_from_slice(REDACTED.as_bytes());
                    at = end;
                }
                _ if at == 0 && beginning == bytes.len() => return bytes,
                _ => {
                    shown.extend_from_slice(bytes.get(at..beginning).unwrap_or_default());
                    self.held = bytes.get(beginning..).unwrap_or_default().to_vec();
                    return Cow::Owned(shown);
                }
            }
        }
    }

    /// Returns what was held back, when nothing follows.
    pub(crate) fn finish(&mut self, redactor: &Redactor) -> Vec<u8> {
        redactor.bytes(&std::mem::take(&mut self.held)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    fn redacted(secrets: &[&str], text: &[u8], size: usize) -> String {
        let redactor = Redactor::default();
        for secret in secrets {
            redactor.add(&Secret::new(*secret));
        }
        let mut stream = RedactedStream::default();
        let mut shown = Vec::new();
        for piece in text.chunks(size) {
            shown.extend_from_slice(&stream.push(&redactor, piece));
        }
        shown.extend_from_slice(&stream.finish(&redactor));
        String::from_utf8_lossy(&shown).into_owned()
    }

    #[test]
    fn a_secret_is_found_however_it_is_cut() {
        let text = b"huhunter2 hunter2-long hunter hunter2";
        for size in 1..=text.len() {
            let shown = redacted(&["hunter2", "hunter2-long"], text, size);
            assert_eq!(shown, "hu[redacted] [redacted] hunter [redacted]", "in pieces of {size}");
        }
    }

    #[test]
    fn nothing_is_held_back_that_can_not_be_one() {
        let redactor = Redactor::default();
        redactor.add(&Secret::new("hunter2"));
        let mut stream = RedactedStream::default();
        assert_eq!(&*stream.push(&redactor, b"Password: "), b"Password: ");
        assert_eq!(&*stream.push(&redactor, b"a hunt"), b"a ");
        assert_eq!(&*stream.push(&redactor, b"er"), b"");
        assert_eq!(&*stream.push(&redactor, b" goes on"), b"hunter goes on");
    }

    proptest! {
        #[test]
        fn pieces_and_the_whole_give_the_same(text in "[abc]{0,60}", secret in "[ab]{6,8}", size in 1usize..9) {
            let whole = redacted(&[&secret], text.as_bytes(), 100);
            prop_assert!(!whole.contains(&secret));
            prop_assert_eq!(redacted(&[&secret], text.as_bytes(), size), whole);
        }
    }
}
