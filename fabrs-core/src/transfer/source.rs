//! [`Source`]: the source of an upload.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::read_once::ReadOnce;
#[cfg(feature = "template")]
use super::template::Template;
use crate::secret::Secret;

/// The source of an upload: a local path or glob pattern, bytes, a secret, a reader, a template, or
/// a list of sources.
///
/// A string is a path. Bytes are content.
///
/// ```
/// use fabrs_core::files::Source;
///
/// assert_eq!(format!("{:?}", Source::from("conf/*.conf")), "conf/*.conf");
/// assert_eq!(format!("{:?}", Source::from(b"PORT=80\n")), "8 bytes");
/// assert_eq!(format!("{:?}", Source::from(["app.py", "conf"])), "app.py, conf");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Source {
    /// A local file, a directory with its content, or a pattern with `*`, `?`, `[...]`, `{a,b}` and
    /// `**`. A leading `~/` is the home of the local user.
    Path(PathBuf),
    /// Content in memory.
    Bytes(Bytes),
    /// Content that only the owner may read. A new file has the mode `0o600`.
    Secret(Secret),
    /// The content of a reader. See [`Source::reader`].
    #[doc(hidden)]
    Reader(ReadOnce),
    /// A template, rendered for each host.
    #[cfg(feature = "template")]
    Template(Template),
    /// Several sources. The target is a directory, and each source keeps its own name in the
    /// directory.
    List(Vec<Self>),
}

impl fmt::Debug for Source {
    /// Shows the size of content in memory, and not the content itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Bytes(bytes) => write!(f, "{}", in_bytes(bytes.len())),
            Self::Secret(_) => f.write_str("a secret"),
            Self::Reader(reader) => write!(f, "{reader}"),
            #[cfg(feature = "template")]
            Self::Template(template) => write!(f, "{template}"),
            Self::List(sources) => {
                for (n, source) in sources.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    write!(f, "{comma}{source:?}")?;
                }
                Ok(())
            }
        }
    }
}

macro_rules! from {
    ($variant:ident($($type:ty),*)) => {$(
        impl From<$type> for Source {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from!(Path(&str, String, &String, &Path, PathBuf, &PathBuf));
from!(Bytes(Bytes, Vec<u8>, &'static [u8]));
from!(Secret(Secret, &Secret));

#[cfg(feature = "template")]
impl From<Template> for Source {
    fn from(template: Template) -> Self {
        Self::Template(template)
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Source {
    /// Creates a source from a list: `["app.py", "wsgi.py"]`.
    fn from(sources: [T; N]) -> Self {
        Self::List(sources.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<PathBuf>> for Source {
    fn from(paths: Vec<PathBuf>) -> Self {
        Self::List(paths.into_iter().map(Self::Path).collect())
    }
}

impl<const N: usize> From<&'static [u8; N]> for Source {
    /// Creates a source from a byte string literal: `b"PORT=80\n"`.
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

impl Source {
    /// Creates a source from a reader, such as a pipe or a decompressor.
    ///
    /// The upload reads the reader once, into an unlinked temporary file, because the host compares
    /// checksums before the content is sent. Several hosts receive the content from the temporary
    /// file.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// use fabrs_core::files::Source;
    ///
    /// let reader = std::io::Cursor::new("generated\n");
    /// host.put(Source::reader(reader), "report").await?;
    /// assert_eq!(host.read("report").await?, "generated\n");
    /// # Ok(()) }
    /// ```
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::Reader(ReadOnce::new(reader))
    }

    /// Returns all secrets of the source, including those of a list.
    pub(crate) fn secrets(&self) -> Box<dyn Iterator<Item = &Secret> + '_> {
        match self {
            Self::List(sources) => Box::new(sources.iter().flat_map(Self::secrets)),
            Self::Secret(secret) => Box::new(std::iter::once(secret)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// Returns a size in bytes for messages.
pub(crate) fn in_bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}
