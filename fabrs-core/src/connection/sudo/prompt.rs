//! The prompt for a password, by which it is recognised.

use std::ops::Range;

use memchr::memmem;

/// How a prompt for a password is recognised.
#[derive(Debug, Clone)]
pub(super) enum PasswordPrompt {
    /// It is this text, made by chance for one attempt.
    Marker(String),
    /// It is that of doas, which can't be given another.
    Doas,
}

/// What stands around the user and the host.
const DOAS_PROMPT: (&[u8], &[u8]) = (b"doas (", b") password: ");

impl PasswordPrompt {
    /// Returns where it stands in a text, the first time.
    pub(super) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Marker(marker) => memmem::find(text, marker.as_bytes()).map(|at| at..at + marker.len()),
            Self::Doas => {
                let (before, after) = DOAS_PROMPT;
                let start = memmem::find(text, before)?;
                let rest = text.get(start..)?;
                let end = memmem::find(rest, after)?;
                // Between them are a name and a host's, and no line ends.
                let is_prompt = memchr::memchr(b'\n', rest.get(..end)?).is_none();
                is_prompt.then_some(start..start + end + after.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_prompt_is_found() {
        let marker = PasswordPrompt::Marker("fabrs-1".to_owned());
        assert_eq!(marker.find(b"x fabrs-1y"), Some(2..9));
        assert_eq!(marker.find(b"x fabrs-"), None);
        assert_eq!(PasswordPrompt::Doas.find(b"\rdoas (ann@web1) password: "), Some(1..27));
        assert_eq!(PasswordPrompt::Doas.find(b"doas (ann@web1) pass"), None);
        assert_eq!(PasswordPrompt::Doas.find(b"doas (ann\n) password: "), None);
    }
}
