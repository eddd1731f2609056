//! The names of what is on its way on a host, until it is in its place.

use crate::error::Result;
use crate::transport::random_token;

/// Begins each.
const PREFIX: &str = ".fabrs.";
/// How long the word behind it is, which nobody knows beforehand.
const WORD: usize = 16;

/// Makes a name.
pub(super) fn random() -> Result<String> {
    Ok(format!("{PREFIX}{}", random_token()?))
}

/// Tells whether a name is one.
pub(super) fn is_temp_name(name: &str) -> bool {
    let word = name.strip_prefix(PREFIX).unwrap_or_default();
    word.len() == WORD && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_random_names_are_temporary_names() {
        assert!(is_temp_name(&random().expect("there is chance")));
        for other in [".fabrs.", ".fabrs.0123456789abcde", ".fabrs.0123456789abcdef.x", ".fabrs.0123456789ABCDEF", "x"]
        {
            assert!(!is_temp_name(other), "{other}");
        }
    }
}
