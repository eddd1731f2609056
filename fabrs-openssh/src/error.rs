//! What can go wrong while files are read, resolved or appended to.

use std::io;
use std::path::{Path, PathBuf};

use crate::location::Location;

/// A file that could not be read or written, or a line in it that `ssh` would refuse as well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line that means nothing: a bad value, a missing argument, unbalanced quotes.
    #[error("{at}: {problem}")]
    Syntax {
        /// The line.
        at: Location,
        /// What is wrong with it.
        problem: String,
    },
    /// A value that cannot be expanded for this host: an unknown token, an unset variable, another user's home.
    #[error("{at}: `{value}` cannot be expanded: {problem}")]
    Expand {
        /// The line that the value stands in.
        at: Location,
        /// The value as it stands in the file.
        value: String,
        /// What could not be expanded.
        problem: String,
    },
    /// A keyword that `ssh` does not know, where `IgnoreUnknown` does not allow it.
    #[error("{at}: unknown keyword `{keyword}`{}", suggestion.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    UnknownKeyword {
        /// The line.
        at: Location,
        /// The keyword, in lower case.
        keyword: String,
        /// A known keyword with a similar name.
        suggestion: Option<&'static str>,
    },
    /// A command of `Match exec` that could not be run.
    #[error("{at}: `Match exec` could not run `{command}`")]
    MatchExec {
        /// The line.
        at: Location,
        /// The command with its tokens expanded.
        command: String,
        /// The reason.
        source: io::Error,
    },
    /// A text that names no jump host.
    #[error("bad jump host `{text}`: `[user@]host[:port]` is needed")]
    JumpHost {
        /// The text.
        text: String,
    },
    /// An `Include` that is nested too deeply, which nearly always means that a file includes itself.
    #[error("{at}: files are included more than {limit} deep: does one include itself?")]
    IncludeDepth {
        /// The line with the `Include` that went too far.
        at: Location,
        /// How deep files may be nested.
        limit: usize,
    },
    /// A configuration file that someone else may write to.
    #[error("{}: bad owner or permissions: only its owner may write to it", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// A file that exists and cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that cannot be appended to.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name or line that must not stand in a `known_hosts` file, because it would mean something else there.
    #[error("`{text}` cannot be recorded as a known host: {problem}")]
    KnownHostsEntry {
        /// The name or line.
        text: String,
        /// What would go wrong.
        problem: &'static str,
    },
    /// A key revocation list (KRL) that is damaged, or has a part that is not supported.
    #[error("{}: invalid key revocation list: {problem}", path.display())]
    RevocationList {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Bytes that are not a public key in SSH wire format.
    #[error("not a public key: {problem}")]
    PublicKey {
        /// What is wrong with the bytes.
        problem: &'static str,
    },
}

impl Error {
    pub(crate) fn syntax(at: &Location, problem: impl Into<String>) -> Self {
        Self::Syntax { at: at.clone(), problem: problem.into() }
    }

    pub(crate) fn expand(at: &Location, value: &str, problem: String) -> Self {
        Self::Expand { at: at.clone(), value: value.to_owned(), problem }
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}
