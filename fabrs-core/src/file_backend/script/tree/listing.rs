//! Parses the host's answers about paths: metadata, checksums and symlinks.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::file_backend::script::script_dialog;
use crate::transfer::checksum::Sha256;
use crate::transfer::entry::FileKind;

/// The metadata of a path on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteMetadata {
    /// The file type and the permissions.
    mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) size: u64,
    pub(crate) modified: i64,
    pub(crate) device: u64,
    /// The number of hard links.
    pub(crate) hard_links: u64,
}

impl RemoteMetadata {
    pub(crate) fn kind(&self) -> FileKind {
        FileKind::of_mode(self.mode)
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    pub(crate) fn is_file(&self) -> bool {
        self.kind() == FileKind::File
    }

    pub(crate) fn is_link(&self) -> bool {
        self.kind() == FileKind::Symlink
    }

    pub(crate) fn mode(&self) -> u32 {
        self.mode & 0o7777
    }
}

/// The metadata of paths, in the order of the host.
#[derive(Debug, Default)]
pub(crate) struct MetadataList(pub(crate) Vec<(OsString, RemoteMetadata)>);

impl MetadataList {
    /// Adds a record.
    ///
    /// If `stat` ends records with a line break, a file name with line breaks spans several lines.
    /// A line that is not a record continues the last name.
    pub(crate) fn take(&mut self, record: &[u8]) {
        match (status(record), self.0.last_mut()) {
            (Some(found), _) => self.0.push(found),
            (None, Some((path, _))) => {
                path.push("\n");
                path.push(script_dialog::os_str(record));
            }
            // A line before the first record belongs to no path.
            (None, None) => {}
        }
    }
}

/// Parses a record: `x81a4 0 0 12 1700000000 65024 1 ./path`. The mode is hexadecimal after `x`,
/// and octal after `o`.
pub(crate) fn status(record: &[u8]) -> Option<(OsString, RemoteMetadata)> {
    let mut fields = record.splitn(8, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let mode = text()?;
    let mode = match mode.split_at_checked(1)? {
        ("x", digits) => u32::from_str_radix(digits, 16).ok()?,
        ("o", digits) => u32::from_str_radix(digits, 8).ok()?,
        _ => return None,
    };
    let owner = (text()?.parse().ok()?, text()?.parse().ok()?);
    let (size, modified) = (text()?.parse().ok()?, text()?.parse().ok()?);
    let (device, hard_links) = (text()?.parse().ok()?, text()?.parse().ok()?);
    Some((
        script_dialog::relative_path(fields.next()?).into(),
        RemoteMetadata { mode, owner, size, modified, device, hard_links },
    ))
}

/// The checksums of paths. A path with two records has no checksum.
#[derive(Debug, Default)]
pub(crate) struct ChecksumMap(HashMap<OsString, Option<Sha256>>);

impl ChecksumMap {
    /// Adds a record in the format of `sha256sum`.
    pub(crate) fn take(&mut self, record: &[u8]) {
        let Some((sum, rest)) = record.split_at_checked(Sha256::DIGITS) else { return };
        let (Some(sum), Some(path)) = (Sha256::of_digits(sum), rest.get(2..)) else { return };
        self.0.entry(script_dialog::relative_path(path).into()).and_modify(|known| *known = None).or_insert(Some(sum));
    }

    pub(crate) fn of(&self, path: &Path) -> Option<Sha256> {
        *self.0.get(path.as_os_str())?
    }
}

/// Parses pairs of a symlink and the symlink's target.
pub(crate) fn links(records: &[Vec<u8>]) -> HashMap<OsString, PathBuf> {
    let pairs = records.chunks_exact(2).filter_map(|pair| match pair {
        [path, to] => Some((script_dialog::relative_path(path).into(), script_dialog::os_str(to).into())),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_each_stat_program_is_parsed() {
        let gnu = status(b"x81a4 33 34 12 1700000000 65024 1 ./a b\n'c").unwrap();
        assert_eq!(gnu.0, "a b\n'c");
        assert!(gnu.1.is_file() && gnu.1.mode() == 0o644 && gnu.1.owner == (33, 34) && gnu.1.size == 12);
        assert!(status(b"o40755 0 0 64 1700000000 7 2 ./d").unwrap().1.is_directory());
        assert!(status(b"xa1ff 0 0 1 1700000000 7 1 ./l").unwrap().1.is_link());
        assert_eq!(status(b"stat: no such file"), None);
        assert_eq!(status(b"x81a4 0 0 12"), None);
    }

    #[test]
    fn a_name_may_contain_line_breaks() {
        let records =
            ["x81a4 0 0 1 2 3 1 ./a", "", "b", "x81a4 0 0 1 2 3 1 ./c"].map(|record| record.as_bytes().to_vec());
        let mut metadata = MetadataList::default();
        for record in &records {
            metadata.take(record);
        }
        let names: Vec<_> = metadata.0.into_iter().map(|(path, _)| path).collect();
        assert_eq!(names, ["a\n\nb", "c"]);
    }

    #[test]
    fn a_path_with_two_records_has_no_checksum() {
        let line = |digit: &str, path: &str| format!("{}  ./{path}", digit.repeat(64)).into_bytes();
        let mut known = ChecksumMap::default();
        let records = [line("a", "x"), line("B", "y"), line("c", "x"), b"sha256sum: y: no".to_vec()];
        for record in &records {
            known.take(record);
        }
        assert_eq!(known.of(Path::new("y")).map(|sum| sum.to_string()), Some("b".repeat(64)));
        assert_eq!(known.of(Path::new("x")), None);
    }

    proptest::proptest! {
        #[test]
        fn every_answer_is_parsed_without_a_panic(records in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..100), 0..8)) {
            let (mut metadata, mut sums) = (MetadataList::default(), ChecksumMap::default());
            for record in &records {
                metadata.take(record);
                sums.take(record);
            }
            let _ = links(&records);
        }
    }
}
