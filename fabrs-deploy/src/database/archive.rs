//! A tar archive with a snapshot, for one stream to a host.

use fabrs::{Error, ErrorKind};

/// The size of a block in a tar archive.
const BLOCK_SIZE: usize = 512;

/// Returns the header of a file in a tar archive.
///
/// # Errors
///
/// [`ErrorKind::Internal`] if the name is too long.
pub(super) fn header(name: &str, size: u64) -> Result<Vec<u8>, Error> {
    let mut header = tar::Header::new_ustar();
    let text = "the archive cannot be written";
    header.set_path(name).map_err(|source| Error::new(ErrorKind::Internal, text).caused_by(source))?;
    header.set_size(size);
    header.set_mode(0o600);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

/// Returns the bytes after the content of a file with `size` bytes.
pub(super) fn padding(size: u64) -> Vec<u8> {
    let rest = usize::try_from(size % BLOCK_SIZE as u64).unwrap_or_default();
    vec![0; (BLOCK_SIZE - rest) % BLOCK_SIZE]
}

/// Returns a whole file: its header, content and padding.
///
/// # Errors
///
/// As [`header`].
pub(super) fn file(name: &str, content: &str) -> Result<Vec<u8>, Error> {
    let size = content.len() as u64;
    Ok([header(name, size)?, content.as_bytes().to_vec(), padding(size)].concat())
}

/// Returns the end of an archive: two empty blocks.
pub(super) fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK_SIZE]
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn concatenated_parts_form_a_tar_archive() {
        let large = "x".repeat(BLOCK_SIZE);
        let parts =
            [file("mask.sql", "").unwrap(), file("rows", "t\t1\n").unwrap(), file("dump", &large).unwrap(), end()];
        let bytes = parts.concat();
        let mut archive = tar::Archive::new(&bytes[..]);
        let files: Vec<(String, String)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let (path, mut content) = (entry.path().unwrap().display().to_string(), String::new());
                entry.read_to_string(&mut content).unwrap();
                (path, content)
            })
            .collect();
        let expected = [("mask.sql", ""), ("rows", "t\t1\n"), ("dump", &large)];
        assert_eq!(files, expected.map(|(name, content)| (name.to_owned(), content.to_owned())));
    }
}
