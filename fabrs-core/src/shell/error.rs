//! [`ShellLineError`]: an invalid shell line.

/// The reason why a text can't be a shell line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ShellLineError {
    /// The text contains a NUL byte.
    #[error("the line contains a NUL byte, which no shell accepts")]
    Nul,
    /// A value is not UTF-8.
    #[error("a value in the line is not UTF-8")]
    NotUtf8,
    /// A literal contains a placeholder but is not inside `cmd!`.
    #[error("`{{{0}}}` is a placeholder without `cmd!`: write `cmd!(…)` around the line")]
    ForgottenCmd(String),
}
