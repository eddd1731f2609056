//! Names of temporary files on a host.

use crate::error::Result;
use crate::transport::random_token;

/// The prefix of all temporary names.
const PREFIX: &str = ".fabrs.";
/// The length of the random token after the prefix.
const TOKEN_LEN: usize = 16;

/// Returns a random temporary name. A user of the host can't predict the name.
pub(crate) fn random() -> Result<String> {
    Ok(format!("{PREFIX}{}", random_token()?))
}

/// Returns true if a name is a temporary name.
pub(crate) fn is_temp_name(name: &str) -> bool {
    let token = name.strip_prefix(PREFIX).unwrap_or_default();
    token.len() == TOKEN_LEN && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_random_names_are_temporary_names() {
        assert!(is_temp_name(&random().expect("a random token")));
        for other in [".fabrs.", ".fabrs.0123456789abcde", ".fabrs.0123456789abcdef.x", ".fabrs.0123456789ABCDEF", "x"]
        {
            assert!(!is_temp_name(other), "{other}");
        }
    }
}
