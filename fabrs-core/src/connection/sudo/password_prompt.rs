//! [`PasswordPrompt`]: the prompt of sudo or doas for a password, and its detection.

use std::ops::Range;

use memchr::memmem;

/// The password prompt of a program.
#[derive(Debug, Clone)]
pub(super) enum PasswordPrompt {
    /// A random text set for one attempt (`sudo -p`).
    Marker(String),
    /// The prompt of doas, which cannot be changed.
    Doas,
}

/// The texts before and after the user and the host in the prompt of doas.
const DOAS_PROMPT: (&[u8], &[u8]) = (b"doas (", b") password: ");

impl PasswordPrompt {
    /// Returns the range of the first prompt in a text.
    pub(super) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Marker(marker) => memmem::find(text, marker.as_bytes()).map(|at| at..at + marker.len()),
            Self::Doas => {
                let (before, after) = DOAS_PROMPT;
                let start = memmem::find(text, before)?;
                let rest = text.get(start..)?;
                let end = memmem::find(rest, after)?;
                // The prompt has no line end between the user and the host.
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
