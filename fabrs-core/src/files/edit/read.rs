//! [`ReadRequest`]: reads a file of a host into memory.

use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

use super::text;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::file_backend::backend::Backend;
use crate::file_backend::backend_selector::BackendSelector;
use crate::files::deferred::{Deferred, impl_future};
use crate::transfer::backend_error::BackendError;
use crate::transfer::context::TransferContext;
use crate::transfer::incoming_file::IncomingFile;
use crate::transport::Effect;

/// The maximum size in bytes of a file that is read into memory.
const MAX_READ_SIZE: u64 = 64 << 20;

/// The read of a file into memory: an awaitable builder, also run in a dry run.
///
/// # Cancel safety
///
/// Dropping the future ends the read. A read changes nothing.
#[must_use = "nothing is read until the request is awaited"]
#[derive(Debug)]
pub struct ReadRequest<T>(Deferred<ReadSpec<T>, T>);

struct ReadSpec<T> {
    context: TransferContext,
    path: String,
    convert: Box<dyn Fn(Vec<u8>) -> Result<T> + Send + Sync>,
}

impl<T> fmt::Debug for ReadSpec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {}", self.path)
    }
}

impl<T: Send + 'static> ReadRequest<T> {
    /// Reads as root, or as the [`sudo_user`](Connection::sudo_user) of the connection.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let shadow = web.read("/etc/shadow").sudo();
    /// assert_eq!(format!("{shadow:?}"), "ReadRequest(read /etc/shadow)");
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    pub fn sudo(self) -> Self {
        Self(self.0.configure(|spec| spec.context.elevated = true))
    }
}

impl_future!(ReadRequest<T> => T, read, T);

async fn read<T>(spec: Arc<ReadSpec<T>>) -> Result<T> {
    let operation = format!("read {}", spec.path);
    let selector = BackendSelector { context: &spec.context, effect: Effect::Reads, operation: &operation };
    let read = selector.run(|backend| content(&spec.context, &spec.path, backend, &operation)).await?;
    (spec.convert)(read.content).map_err(|error| spec.context.error(error))
}

/// The content of a file, with its visibility.
pub(super) struct FileContent {
    pub(super) content: Vec<u8>,
    /// True if all users of the host may read the file.
    pub(super) is_public: bool,
}

/// Reads a file into memory.
pub(super) async fn content(
    context: &TransferContext,
    path: &str,
    backend: Backend,
    operation: &str,
) -> Result<FileContent, BackendError> {
    let incoming_file = IncomingFile::in_memory(MAX_READ_SIZE);
    backend.get(Path::new(path), None, &incoming_file, operation).await?;
    let is_public = !incoming_file.is_private();
    let content = incoming_file.into_bytes().map_err(|error| context.could_not(operation).caused_by(error))?;
    Ok(FileContent { content, is_public })
}

impl Connection {
    /// Reads a text file of the host, of at most 64 MiB.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("motd", "hello\n").await?;
    /// assert_eq!(host.read("motd").await?, "hello\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) if the file can't be read, with the reason, or is not
    ///   UTF-8. [`read_bytes`](Self::read_bytes) reads any content.
    /// - The errors of a [command](Self::run).
    #[doc(alias = "cat")]
    #[doc(alias = "slurp")]
    #[track_caller]
    pub fn read(&self, path: impl Into<String>) -> ReadRequest<String> {
        let path = path.into();
        let shown = path.clone();
        self.reading(path, Location::caller(), move |bytes| {
            String::from_utf8(bytes)
                .map_err(|source| Error::new(ErrorKind::File, format!("`{shown}` is not UTF-8")).caused_by(source))
        })
    }

    /// Reads a file of the host as bytes, of at most 64 MiB.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("blob", [0xff, 0x00]).await?;
    /// assert_eq!(host.read_bytes("blob").await?, [0xff, 0x00]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), without the check for UTF-8.
    #[track_caller]
    pub fn read_bytes(&self, path: impl Into<String>) -> ReadRequest<Vec<u8>> {
        self.reading(path.into(), Location::caller(), Ok)
    }

    /// Returns true if a file contains a text. All characters of the text are literal.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("hosts", "127.0.0.1 localhost\n").await?;
    /// assert!(host.contains("hosts", "localhost").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read_bytes`](Self::read_bytes).
    #[doc(alias = "grep")]
    #[track_caller]
    pub fn contains(&self, path: impl Into<String>, text: impl Into<String>) -> ReadRequest<bool> {
        let wanted = text.into();
        self.reading(path.into(), Location::caller(), move |bytes| Ok(text::contains(&bytes, &wanted)))
    }

    fn reading<T>(
        &self,
        path: String,
        location: &'static Location<'static>,
        convert: impl Fn(Vec<u8>) -> Result<T> + Send + Sync + 'static,
    ) -> ReadRequest<T> {
        let context = TransferContext::for_read(self.clone(), location);
        ReadRequest(Deferred::Described(Box::new(ReadSpec { context, path, convert: Box::new(convert) })))
    }
}
