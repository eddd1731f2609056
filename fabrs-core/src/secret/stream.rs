//! [`RedactedStream`]: redaction of a stream that arrives in chunks.

use std::borrow::Cow;

use crate::secret::redactor::Redactor;

/// The redaction of one stream, including secrets that are split across chunks.
#[derive(Debug, Default)]
pub struct RedactedStream {
    /// The last bytes, if they may be the start of a secret.
    held: Vec<u8>,
    /// The number of held bytes that belong to a masked secret.
    open: usize,
}

impl RedactedStream {
    /// Accepts the next chunk and returns the bytes to show.
    pub fn push<'a>(&mut self, redactor: &Redactor, piece: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = redactor.finder() else { return Cow::Borrowed(piece) };
        let bytes = if self.held.is_empty() {
            Cow::Borrowed(piece)
        } else {
            self.held.extend_from_slice(piece);
            Cow::Owned(std::mem::take(&mut self.held))
        };
        let end = finder.possible_start(&bytes).unwrap_or(bytes.len());
        self.held = bytes.get(end..).unwrap_or_default().to_vec();
        finder.redact(bytes, end, &mut self.open)
    }

    /// Returns the held bytes at the end of the stream.
    pub fn finish(&mut self, redactor: &Redactor) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let Some(finder) = redactor.finder() else { return held };
        let end = held.len();
        finder.redact(Cow::Owned(held), end, &mut self.open).into_owned()
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
    fn a_secret_is_found_across_chunks_of_any_size() {
        let text = b"huhunter2 hunter2-long hunter hunter2";
        for size in 1..=text.len() {
            let shown = redacted(&["hunter2", "hunter2-long"], text, size);
            assert_eq!(shown, "hu[redacted] [redacted] hunter [redacted]", "in pieces of {size}");
        }
    }

    #[test]
    fn only_a_possible_start_of_a_secret_is_held() {
        let redactor = Redactor::default();
        redactor.add(&Secret::new("hunter2"));
        let mut stream = RedactedStream::default();
        assert_eq!(&*stream.push(&redactor, b"Password: "), b"Password: ");
        assert_eq!(&*stream.push(&redactor, b"a hunt"), b"a ");
        assert_eq!(&*stream.push(&redactor, b"er"), b"");
        assert_eq!(&*stream.push(&redactor, b" goes on"), b"hunter goes on");
    }

    /// Returns the text with one `[redacted]` for each group of overlapping secrets. Adjacent
    /// secrets are separate groups.
    fn expected(secrets: &[String], text: &str) -> String {
        let (mut starts, mut joined) = (vec![false; text.len()], vec![false; text.len()]);
        let mut covered = joined.clone();
        for secret in secrets {
            for at in (0..text.len()).filter(|at| text[*at..].starts_with(secret.as_str())) {
                starts[at] = true;
                covered[at..at + secret.len()].fill(true);
                joined[at + 1..at + secret.len()].fill(true);
            }
        }
        let shown = text.char_indices().map(|(at, c)| match (covered[at], starts[at] && !joined[at]) {
            (false, _) => c.to_string(),
            (true, true) => crate::secret::REDACTED.to_owned(),
            (true, false) => String::new(),
        });
        shown.collect()
    }

    proptest! {
        #[test]
        fn chunks_and_the_whole_text_have_the_same_result(
            text in "[abc]{0,60}",
            // The secrets are parts of the text, so that they occur and overlap.
            parts in prop::collection::vec((0usize..50, 6usize..10), 1..5),
            size in 1usize..9,
        ) {
            let secrets: Vec<String> =
                parts.iter().filter_map(|(at, length)| text.get(*at..at + length)).map(str::to_owned).collect();
            let all: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let whole = redacted(&all, text.as_bytes(), 100);
            prop_assert_eq!(&whole, &expected(&secrets, &text));
            prop_assert_eq!(redacted(&all, text.as_bytes(), size), whole);
        }
    }

    #[test]
    fn overlapping_secrets_do_not_grow_the_buffer() {
        let redactor = Redactor::default();
        redactor.add(&Secret::new("aaaaaaaa"));
        let mut stream = RedactedStream::default();
        let shown: Vec<u8> = (0..1000).flat_map(|_| stream.push(&redactor, b"aaa").into_owned()).collect();
        assert_eq!((shown.as_slice(), stream.held.len()), (&b"[redacted]"[..], 7));
        assert_eq!(&*stream.push(&redactor, b"b"), b"b");
    }
}
