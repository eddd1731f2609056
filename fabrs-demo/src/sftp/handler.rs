//! Handler for requests of SFTP version 3. Requests are answered in order, as in OpenSSH.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use russh_sftp::de::from_bytes;
use russh_sftp::extensions::{FSYNC, FsyncExtension, HARDLINK, HardlinkExtension};
use russh_sftp::protocol::{
    Attrs, Data, File as Named, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::StatusReply;
use tokio::sync::oneshot;

use super::attributes::{MODE_BITS, apply, apply_to_open_file, from_metadata};
use super::handles::{HandleTable, OpenHandle};

/// The extension for an atomic rename over an existing file.
const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// The maximum number of names in one reply.
const MAX_NAMES_PER_REPLY: usize = 100;
/// The maximum length of one read, in bytes, as in OpenSSH.
const MAX_READ_LEN: u32 = 255 << 10;

/// Handles the requests of one client.
#[derive(Debug)]
pub(super) struct SftpHandler {
    handles: HandleTable,
    /// Dropped with the handler, to signal the end of the stream.
    _done: oneshot::Sender<()>,
}

impl SftpHandler {
    pub(super) fn new(done: oneshot::Sender<()>) -> Self {
        Self { handles: HandleTable::default(), _done: done }
    }

    fn file(&self, handle: &str) -> Result<&File, StatusReply> {
        self.handles.file(handle).ok_or_else(|| StatusCode::Failure.with_message("unknown handle of a file"))
    }

    fn register(&mut self, id: u32, open: OpenHandle) -> Result<Handle, StatusReply> {
        let handle = self.handles.add(open);
        let handle = handle.ok_or_else(|| StatusCode::Failure.with_message("too many open handles"))?;
        Ok(Handle { id, handle })
    }
}

/// Converts an I/O error to an SFTP status.
#[expect(clippy::needless_pass_by_value, reason = "passed to `map_err`")]
fn to_status(error: io::Error) -> StatusReply {
    let code = match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NoSuchFile,
        io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        io::ErrorKind::Unsupported => StatusCode::OpUnsupported,
        _ => StatusCode::Failure,
    };
    code.with_message(error.to_string())
}

fn status_reply(id: u32, result: io::Result<()>) -> Result<Status, StatusReply> {
    result.map_err(to_status)?;
    Ok(Status { id, status_code: StatusCode::Ok, error_message: "Success".to_owned(), language_tag: String::new() })
}

fn name_reply(id: u32, path: &Path) -> Name {
    Name { id, files: vec![Named::dummy(path.to_string_lossy())] }
}

/// Renames a file. As in SFTP version 3, an existing target is an error.
fn rename(from: &str, to: &str) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Returns the canonical path. The last component may be missing.
fn real_path(path: &str) -> io::Result<PathBuf> {
    let path = if path.is_empty() { "." } else { path };
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = std::path::absolute(path)?;
            match (path.parent().map(fs::canonicalize), path.file_name()) {
                (Some(Ok(parent)), Some(name)) => Ok(parent.join(name)),
                _ => Err(error),
            }
        }
        other => other,
    }
}

impl russh_sftp::server::Handler for SftpHandler {
    type Error = StatusReply;

    fn unimplemented(&self) -> StatusReply {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, StatusReply> {
        let extensions = [POSIX_RENAME, HARDLINK, FSYNC].map(|name| (name.to_owned(), "1".to_owned()));
        Ok(Version { extensions: extensions.into(), ..Version::new() })
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        flags: OpenFlags,
        attributes: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        let mut options = OpenOptions::from(flags);
        if let Some(mode) = attributes.permissions {
            options.mode(mode & MODE_BITS);
        }
        let file = options.open(filename).map_err(to_status)?;
        self.register(id, OpenHandle::File(file))
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        if self.handles.close(&handle) { status_reply(id, Ok(())) } else { Err(StatusCode::Failure.into()) }
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, StatusReply> {
        let mut data = vec![0; len.min(MAX_READ_LEN) as usize];
        let count = self.file(&handle)?.read_at(&mut data, offset).map_err(to_status)?;
        if count == 0 && len > 0 {
            return Err(StatusCode::Eof.into());
        }
        data.truncate(count);
        Ok(Data { id, data })
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, StatusReply> {
        status_reply(id, self.file(&handle)?.write_all_at(&data, offset))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: from_metadata(&fs::symlink_metadata(path).map_err(to_status)?) })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: from_metadata(&fs::metadata(path).map_err(to_status)?) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: from_metadata(&self.file(&handle)?.metadata().map_err(to_status)?) })
    }

    async fn setstat(&mut self, id: u32, path: String, wanted: FileAttributes) -> Result<Status, StatusReply> {
        status_reply(id, apply(Path::new(&path), &wanted))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, wanted: FileAttributes) -> Result<Status, StatusReply> {
        status_reply(id, apply_to_open_file(self.file(&handle)?, &wanted))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        let directory = fs::read_dir(path).map_err(to_status)?;
        self.register(id, OpenHandle::Directory(directory))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let Some(directory) = self.handles.directory(&handle) else { return Err(StatusCode::Failure.into()) };
        let named = |entry: fs::DirEntry| {
            // An entry removed during the listing is skipped.
            let attributes = from_metadata(&entry.metadata().ok()?);
            Some(Named::new(entry.file_name().to_string_lossy(), attributes))
        };
        let files: Vec<Named> = directory.flatten().filter_map(named).take(MAX_NAMES_PER_REPLY).collect();
        if files.is_empty() { Err(StatusCode::Eof.into()) } else { Ok(Name { id, files }) }
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, StatusReply> {
        status_reply(id, fs::remove_file(filename))
    }

    async fn mkdir(&mut self, id: u32, path: String, attributes: FileAttributes) -> Result<Status, StatusReply> {
        let mode = attributes.permissions.map_or(0o777, |mode| mode & MODE_BITS);
        status_reply(id, fs::DirBuilder::new().mode(mode).create(path))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        status_reply(id, fs::remove_dir(path))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        Ok(name_reply(id, &real_path(&path).map_err(to_status)?))
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, StatusReply> {
        status_reply(id, rename(&from, &to))
    }

    async fn readlink(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        Ok(name_reply(id, &fs::read_link(path).map_err(to_status)?))
    }

    /// COMPAT(openssh): OpenSSH swaps the two paths of the draft, and all clients follow OpenSSH.
    async fn symlink(&mut self, id: u32, target: String, link: String) -> Result<Status, StatusReply> {
        status_reply(id, symlink(target, link))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, StatusReply> {
        let mut data = Bytes::from(data);
        let bad = |_| StatusReply::from(StatusCode::BadMessage);
        let result = match request.as_str() {
            POSIX_RENAME => {
                // The request has the same layout as the hard link extension: two paths.
                let paths: HardlinkExtension = from_bytes(&mut data).map_err(bad)?;
                fs::rename(paths.oldpath, paths.newpath)
            }
            HARDLINK => {
                let paths: HardlinkExtension = from_bytes(&mut data).map_err(bad)?;
                fs::hard_link(paths.oldpath, paths.newpath)
            }
            FSYNC => {
                let request: FsyncExtension = from_bytes(&mut data).map_err(bad)?;
                self.file(&request.handle)?.sync_all()
            }
            _ => return Err(StatusCode::OpUnsupported.into()),
        };
        status_reply(id, result).map(Packet::Status)
    }
}
