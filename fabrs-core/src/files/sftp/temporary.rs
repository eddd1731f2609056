//! A file beside its place, until it is put there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::time::timeout;

use super::fault::Fault;
use super::path::join;
use super::session::Session;
use crate::error::Result;
use crate::files::temp_name;
use crate::transport::StopLevel;

/// Until it is finished nobody else may read it.
const PRIVATE: u32 = 0o600;
/// How long the host may take to remove it, where nobody waits for that.
const REMOVAL: Duration = Duration::from_secs(5);

/// A temporary file on the host. Dropped, it is removed by a task of the client's, as long as its session lasts.
pub(super) struct Temporary {
    session: Arc<Session>,
    path: String,
    handle: Option<String>,
    is_there: bool,
}

impl Temporary {
    /// Makes one in a folder.
    pub(super) async fn create(session: &Arc<Session>, folder: &str) -> Result<Self, Fault> {
        let path = join(folder, &temp_name::random()?);
        // Whether it was made is not known while the answer is on its way.
        let mut made = Self { session: Arc::clone(session), path, handle: None, is_there: true };
        let flags = OpenFlags::CREATE | OpenFlags::EXCLUDE | OpenFlags::WRITE;
        let attributes = FileAttributes { permissions: Some(PRIVATE), ..FileAttributes::empty() };
        match session.ask(session.raw().open(made.path.as_str(), flags, attributes)).await {
            Ok(opened) => made.handle = Some(opened.handle),
            Err(fault) => {
                made.is_there = false;
                return Err(fault);
            }
        }
        Ok(made)
    }

    /// Makes a symlink in a folder.
    pub(super) async fn link(session: &Arc<Session>, folder: &str, to: &str) -> Result<Self, Fault> {
        let path = join(folder, &temp_name::random()?);
        let mut made = Self { session: Arc::clone(session), path, handle: None, is_there: true };
        // OpenSSH's server takes them the other way round than the draft says, and others have followed it.
        if let Err(fault) = session.ask(session.raw().symlink(to, made.path.as_str())).await {
            made.is_there = false;
            return Err(fault);
        }
        Ok(made)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn handle(&self) -> &str {
        self.handle.as_deref().unwrap_or_default()
    }

    /// Closes it, which may be when the host finds that it has no room.
    pub(super) async fn close(&mut self) -> Result<(), Fault> {
        match self.handle.take() {
            Some(handle) => self.session.ask(self.session.raw().close(handle)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Puts it into its place, where it replaces what is there in one step.
    pub(super) async fn land(mut self, context: &str) -> Result<(), Fault> {
        let renamed = if self.session.replaces {
            self.session.replace(&self.path, context).await
        } else {
            self.session.ask(self.session.raw().rename(self.path.as_str(), context)).await.map(drop)
        };
        match renamed {
            Ok(()) => {
                self.is_there = false;
                Ok(())
            }
            Err(fault) => {
                self.discard().await;
                Err(fault)
            }
        }
    }

    /// Removes it now.
    pub(super) async fn discard(mut self) {
        // Where the session has ended there is nobody to remove it.
        let _is_closed = self.close().await;
        let _is_gone = self.session.ask(self.session.raw().remove(self.path.as_str())).await;
        self.is_there = false;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let (true, Ok(runtime)) = (self.is_there, tokio::runtime::Handle::try_current()) else { return };
        let (session, path) = (Arc::clone(&self.session), std::mem::take(&mut self.path));
        let stop = session.run().stop().clone();
        let tasks = session.run().tasks().clone();
        let removal = async move {
            tokio::select! {
                _ = stop.wait_above(StopLevel::Stop) => {}
                _ = timeout(REMOVAL, session.ask(session.raw().remove(path))) => {}
            }
        };
        tasks.spawn_on(removal, &runtime);
    }
}

impl fmt::Debug for Temporary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Temporary").field("path", &self.path).finish_non_exhaustive()
    }
}
