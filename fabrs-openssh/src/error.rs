//! The [`Error`] type of all parsers and lookups in this crate.

use std::io;
use std::path::{Path, PathBuf};

use crate::location::Location;

/// An error of a parser or lookup, such as an unreadable file, or a line that `ssh` also rejects.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A malformed line: a bad value, a missing argument, unbalanced quotes.
    #[error("{at}: {problem}")]
    Syntax {
        /// The line.
        at: Location,
        /// The reason.
        problem: String,
    },
    /// A failed expansion: an unknown token, an unset variable, or the home of another user.
    #[error("{at}: cannot expand `{value}`: {problem}")]
    Expand {
        /// The line with the value.
        at: Location,
        /// The value as written in the file.
        value: String,
        /// The reason.
        problem: String,
    },
    /// A keyword unknown to `ssh` and not listed in `IgnoreUnknown`.
    #[error("{at}: unknown keyword `{keyword}`{}", suggestion.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    UnknownKeyword {
        /// The line.
        at: Location,
        /// The keyword, in lower case.
        keyword: String,
        /// A known keyword with a similar name.
        suggestion: Option<&'static str>,
    },
    /// A command of `Match exec` that could not be started.
    #[error("{at}: `Match exec` could not run `{command}`")]
    MatchExec {
        /// The line.
        at: Location,
        /// The command with its tokens expanded.
        command: String,
        /// The reason.
        source: io::Error,
    },
    /// An invalid jump host.
    #[error("invalid jump host `{text}`: expected `[user@]host[:port]`")]
    JumpHost {
        /// The text as written.
        text: String,
    },
    /// An `Include` nested too deeply. The usual cause is a file that includes itself.
    #[error("{at}: `Include` is nested more than {limit} levels deep: look for a file that includes itself")]
    IncludeDepth {
        /// The line of the deepest `Include`.
        at: Location,
        /// The maximum depth.
        limit: usize,
    },
    /// A configuration file writable by other users.
    #[error("{}: bad owner or permissions: the owner must be you or root, and only the owner may write to the file", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// A file that exists but cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A `known_hosts` file that cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A name or line that cannot be recorded in a `known_hosts` file, such as a pattern.
    #[error("`{text}` cannot be recorded as a known host: {problem}")]
    KnownHostsEntry {
        /// The name or line.
        text: String,
        /// The reason.
        problem: &'static str,
    },
    /// A damaged or unsupported key revocation list (KRL).
    #[error("{}: invalid key revocation list: {problem}", path.display())]
    RevocationList {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// Bytes that are not a public key in SSH wire format.
    #[error("not a public key: {problem}")]
    PublicKey {
        /// The reason.
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
