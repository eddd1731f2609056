//! The prompt for a password, by which it is recognised.

use std::ops::Range;

use memchr::memmem;

/// How a prompt for a password is recognised.
#[derive(Debug, Clone)]
pub(super) enum Prompt {
    /// It is this text, made by chance for one attempt.
    Mark(String),
    /// It is that of doas, which can't be given another.
    Doas,
}

/// What stands around the user and the host.
const DOAS: (&[u8], &[u8]) = (b"doas (", b") password: ");

impl Prompt {
    /// Returns where it stands in a text, the first time.
    pub(super) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Mark(mark) => memmem::find(text, mark.as_bytes()).map(|at| at..at + mark.len()),
            Self::Doas => {
                let (before, behind) = DOAS;
                let start = memmem::find(text, before)?;
                let rest = text.get(start..)?;
                let end = memmem::find(rest, behind)?;
                // Between them are a name and a host's, and no line ends.
                let is_one = memchr::memchr(b'\n', rest.get(..end)?).is_none();
                is_one.then_some(start..start + end + behind.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_found_where_it_is_whole() {
        let mark = Prompt::Mark("fabrs-1".to_owned());
        assert_eq!(mark.find(b"x fabrs-1y"), Some(2..9));
        assert_eq!(mark.find(b"x fabrs-"), None);
        assert_eq!(Prompt::Doas.find(b"\rdoas (ann@web1) password: "), Some(1..27));
        assert_eq!(Prompt::Doas.find(b"doas (ann@web1) pass"), None);
        assert_eq!(Prompt::Doas.find(b"doas (ann\n) password: "), None);
    }
}
