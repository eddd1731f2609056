//! [`TemporaryFile`]: a file beside the target until the rename into place, by SFTP. Hosts with a
//! shell run `script/sh/rename_into_place.sh` instead.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::time::timeout;

use super::path::join;
use super::request_error::RequestError;
use super::session::SftpSession;
use crate::error::Result;
use crate::transfer::temp_name;
use crate::transport::StopLevel;

/// The mode of an unfinished file. Other users cannot read the file.
const PRIVATE_MODE: u32 = 0o600;
/// The time limit for removing a temporary file in the background.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(5);

/// A temporary file on the host. If dropped, a task of the run removes the file over the session.
pub(crate) struct TemporaryFile {
    session: Arc<SftpSession>,
    path: String,
    handle: Option<String>,
    exists: bool,
}

impl TemporaryFile {
    /// Creates a temporary file in a directory.
    pub(crate) async fn create(session: &Arc<SftpSession>, folder: &str) -> Result<Self, RequestError> {
        let path = join(folder, &temp_name::random()?);
        // If this future is dropped before the answer, the file may exist. The drop then removes
        // the file.
        let mut made = Self { session: Arc::clone(session), path, handle: None, exists: true };
        let flags = OpenFlags::CREATE | OpenFlags::EXCLUDE | OpenFlags::WRITE;
        let attributes = FileAttributes { permissions: Some(PRIVATE_MODE), ..FileAttributes::empty() };
        match session.request(session.raw().open(made.path.as_str(), flags, attributes)).await {
            Ok(opened) => made.handle = Some(opened.handle),
            Err(error) => {
                made.exists = false;
                return Err(error);
            }
        }
        Ok(made)
    }

    /// Creates a symlink with a temporary name in a directory.
    pub(crate) async fn link(session: &Arc<SftpSession>, folder: &str, to: &str) -> Result<Self, RequestError> {
        let path = join(folder, &temp_name::random()?);
        let mut made = Self { session: Arc::clone(session), path, handle: None, exists: true };
        // OpenSSH's server reads the two paths in the reverse order of the draft, as others do.
        if let Err(error) = session.request(session.raw().symlink(to, made.path.as_str())).await {
            made.exists = false;
            return Err(error);
        }
        Ok(made)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn handle(&self) -> &str {
        self.handle.as_deref().unwrap_or_default()
    }

    /// Closes the file. Some servers report a full disk only here.
    pub(crate) async fn close(&mut self) -> Result<(), RequestError> {
        match self.handle.take() {
            Some(handle) => self.session.request(self.session.raw().close(handle)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Renames the file to the target. An existing target is replaced atomically.
    pub(crate) async fn rename_to(mut self, target: &str) -> Result<(), RequestError> {
        let renamed = if self.session.supports_replace {
            self.session.replace(&self.path, target).await
        } else {
            self.session.request(self.session.raw().rename(self.path.as_str(), target)).await.map(drop)
        };
        match renamed {
            Ok(()) => {
                self.exists = false;
                Ok(())
            }
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    /// Closes and removes the file.
    pub(crate) async fn discard(mut self) {
        // Errors are ignored: an ended session cannot remove the file.
        let _is_closed = self.close().await;
        let _is_gone = self.session.request(self.session.raw().remove(self.path.as_str())).await;
        self.exists = false;
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.exists, tokio::runtime::Handle::try_current()) else { return };
        let (session, path) = (Arc::clone(&self.session), std::mem::take(&mut self.path));
        let stop = session.run().stop().clone();
        let tasks = session.run().tasks().clone();
        let removal = async move {
            tokio::select! {
                _ = stop.wait_above(StopLevel::Stop) => {}
                _ = timeout(REMOVAL_TIMEOUT, session.request(session.raw().remove(path))) => {}
            }
        };
        tasks.spawn_on(removal, &runtime);
    }
}

impl fmt::Debug for TemporaryFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporaryFile").field("path", &self.path).finish_non_exhaustive()
    }
}
