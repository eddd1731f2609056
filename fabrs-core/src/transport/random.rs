//! Random bytes and tokens for markers, file names and salts.

use data_encoding::HEXLOWER;

use crate::error::{Error, ErrorKind, Result};

/// Returns random bytes from the operating system.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the system provides no random bytes.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|source| Error::new(ErrorKind::Internal, "the system provided no random bytes").caused_by(source))?;
    Ok(bytes)
}

/// Returns a random token of 16 hexadecimal digits.
///
/// # Errors
///
/// As [`random_bytes`].
pub(crate) fn random_token() -> Result<String> {
    Ok(HEXLOWER.encode(&random_bytes::<8>()?))
}
