//! What nobody can foresee: marks, names and salts.

use data_encoding::HEXLOWER;

use crate::error::{Error, ErrorKind, Result};

/// Returns so many bytes by chance.
///
/// # Errors
///
/// [`ErrorKind::Internal`] where the system has none to give.
pub(crate) fn bytes_by_chance<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|source| Error::new(ErrorKind::Internal, "the system gave no random bytes").caused_by(source))?;
    Ok(bytes)
}

/// Returns a word of letters and digits by chance.
///
/// # Errors
///
/// As [`bytes_by_chance`].
pub(crate) fn word_by_chance() -> Result<String> {
    Ok(HEXLOWER.encode(&bytes_by_chance::<8>()?))
}
