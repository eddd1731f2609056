//! Reading of small regular files. A FIFO never blocks the reader, and an endless file never fills
//! the memory.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The maximum size of a configuration file, in bytes.
const MAX_SIZE: u64 = 4 << 20;

/// Reads a text file of at most 4 MiB.
///
/// # Errors
///
/// As [`check_regular`], and [`io::ErrorKind::InvalidData`] if the content is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    // Opening a device or a FIFO can have effects, so the file type is checked first.
    check_regular(path)?;
    // A FIFO could replace the file after the check. With `NONBLOCK`, `open` does not wait for a
    // writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    check(&file.metadata()?)?;
    let mut bytes = Vec::new();
    // The file may grow during the read.
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    check_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

/// Checks that a path leads to a regular file of at most 4 MiB, without opening the file.
///
/// # Errors
///
/// - [`io::ErrorKind::InvalidInput`] for a directory, a FIFO, a socket or a device.
/// - [`io::ErrorKind::FileTooLarge`] for a larger file.
/// - The errors of `stat`.
pub fn check_regular(path: &Path) -> io::Result<()> {
    check(&fs::metadata(path)?)
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if !metadata.is_file() {
        let text = format!("{}, not a regular file", kind(metadata.file_type()));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    check_size(metadata.len())
}

fn check_size(size: u64) -> io::Result<()> {
    if size > MAX_SIZE {
        let text = format!("larger than {} MiB", MAX_SIZE >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(())
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[track_caller]
    fn refused(path: &Path, kind: io::ErrorKind, text: &str) {
        for error in [read_text(path).map(drop), check_regular(path)].map(Result::unwrap_err) {
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        }
    }

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, text) in [
            (fifo.as_path(), "a FIFO, not a regular file"),
            (&socket, "a socket, not a regular file"),
            (folder.path(), "a directory, not a regular file"),
            (Path::new("/dev/zero"), "a device, not a regular file"),
        ] {
            refused(path, io::ErrorKind::InvalidInput, text);
        }
    }

    #[test]
    fn a_file_of_more_than_four_mebibytes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_SIZE).unwrap();
        assert_eq!(read_text(&path).unwrap().len(), 4 << 20);
        file.set_len(MAX_SIZE + 1).unwrap();
        refused(&path, io::ErrorKind::FileTooLarge, "larger than 4 MiB");
    }
}
