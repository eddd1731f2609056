//! What is put on a host, as its user says it.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::read_once::ReadOnce;
#[cfg(feature = "template")]
use super::template::Template;
use crate::secret::Secret;

/// What is put on a host: a file, a folder or a pattern (`conf/*.conf`) of this machine, bytes, what a reader gives, or what
/// becomes of a template.
///
/// A text is a path; bytes are content.
#[derive(Clone)]
#[non_exhaustive]
pub enum Source {
    /// A file, a folder with all in it, or a pattern with `*`, `?`, `[...]`, `{a,b}` and `**`. A leading `~/` is the home
    /// of who runs this program.
    Path(PathBuf),
    /// This content.
    Bytes(Bytes),
    /// This content, which nobody else may read: a new file of it has the mode `0o600`.
    Secret(Secret),
    /// What a reader gives: [`Source::reader`].
    #[doc(hidden)]
    Reader(ReadOnce),
    /// What becomes of a template for the host that it is put on.
    #[cfg(feature = "template")]
    Template(Template),
    /// Several of these: each under its own name in the target, which is a folder.
    Several(Vec<Self>),
}

impl fmt::Debug for Source {
    /// Shows how much content it is and not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Bytes(bytes) => write!(f, "{}", in_bytes(bytes.len())),
            Self::Secret(_) => f.write_str("a secret"),
            Self::Reader(reader) => write!(f, "{reader}"),
            #[cfg(feature = "template")]
            Self::Template(template) => write!(f, "{template}"),
            Self::Several(sources) => {
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
    /// Takes several: `["app.py", "wsgi.py"]`.
    fn from(sources: [T; N]) -> Self {
        Self::Several(sources.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<PathBuf>> for Source {
    fn from(paths: Vec<PathBuf>) -> Self {
        Self::Several(paths.into_iter().map(Self::Path).collect())
    }
}

impl<const N: usize> From<&'static [u8; N]> for Source {
    /// Takes a literal: `b"PORT=80\n"`.
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

impl Source {
    /// Takes what a reader gives: a pipe, an archive that is unpacked on the way, what is made as it is read.
    ///
    /// It is read once, when it is put, into an unlinked temporary file, since a host is asked first whether it has it
    /// already; several hosts get it from there.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self::Reader(ReadOnce::new(reader))
    }

    /// Returns all secrets in it.
    pub(super) fn secrets(&self) -> Box<dyn Iterator<Item = &Secret> + '_> {
        match self {
            Self::Several(sources) => Box::new(sources.iter().flat_map(Self::secrets)),
            Self::Secret(secret) => Box::new(std::iter::once(secret)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// Says how much a content in memory is.
pub(super) fn in_bytes(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}
