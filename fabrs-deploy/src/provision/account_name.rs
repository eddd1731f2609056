//! Names of users, groups, packages and units: checked before they reach a host.

use fabrs::{Error, ErrorKind};

/// Returns an error if a name is empty, starts with `-`, or has a character other than ASCII
/// letters, digits and `extra`.
///
/// # Errors
///
/// [`ErrorKind::Usage`] with the kind and the name.
pub(super) fn check_name(kind: &str, name: &str, extra: &str) -> Result<(), Error> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_allowed) {
        let error = Error::new(ErrorKind::Usage, format!("invalid {kind} name `{name}`"));
        return Err(error.hint(format!("use only a-z, A-Z, 0-9 and `{extra}`, without a leading `-`")));
    }
    Ok(())
}

/// As [`check_name`], for users and groups.
///
/// # Errors
///
/// As [`check_name`].
pub(super) fn check_account(kind: &str, name: &str) -> Result<(), Error> {
    // getent and id read digits as the number of an account.
    if name.chars().all(|c| c.is_ascii_digit()) {
        return Err(Error::new(ErrorKind::Usage, format!("invalid {kind} name `{name}`: only digits")));
    }
    check_name(kind, name, "_-.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_options_or_shell_syntax_are_rejected() {
        for name in ["shop", "www-data", "_apt", "a.b"] {
            check_account("user", name).unwrap();
        }
        for name in ["", "0", "-rf", "a b", "a;b", "a\nb", "ä"] {
            let error = check_account("user", name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{name}");
        }
    }
}
