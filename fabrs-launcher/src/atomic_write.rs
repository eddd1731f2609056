//! Atomic writes to files of the cache.
//!
//! Only the holder of the project's lock writes to the cache. So the temporary file always has the
//! same name, and the next write overwrites a file left by a killed process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use fabrs_core::Error;

use crate::cache_error::write_error;

/// Writes a file atomically. A file with the same content keeps its modification time.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    replace(path, |file| file.write_all(content))
}

/// Copies a file atomically, with its permissions.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    replace(to, |file| {
        io::copy(&mut File::open(from)?, file)?;
        file.set_permissions(fs::metadata(from)?.permissions())
    })
}

/// Fills a temporary file beside `path`, then renames the temporary file to `path`.
fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
    let mut temp_file = path.as_os_str().to_owned();
    temp_file.push(".new");
    let temp_file = PathBuf::from(temp_file);

    let filled = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temp_file)
        .and_then(|mut file| fill(&mut file))
        .and_then(|()| fs::rename(&temp_file, path));
    filled.map_err(|error| {
        // The caller reports the failed write. A leftover file is overwritten by the next write.
        let _ = fs::remove_file(&temp_file);
        write_error(path, error)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_removes_the_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        write(&file, b"old").unwrap();
        let full = replace(&file, |file| {
            file.write_all(b"ne")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(full.unwrap_err().to_string().contains("could not write"));
        assert_eq!(fs::read(&file).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn the_temporary_file_of_a_killed_process_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(folder.path().join("a.new"), "a longer leftover").unwrap();
        write(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn an_unchanged_file_keeps_its_modification_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        write(&file, b"same").unwrap();
        File::options().write(true).open(&file).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        write(&file, b"same").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), std::time::UNIX_EPOCH);
    }

    #[test]
    fn a_copy_keeps_the_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "#!/bin/sh").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o755)).unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);
    }
}
