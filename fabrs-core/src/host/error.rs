//! [`HostError`]: an invalid host address.

/// The reason why a text is not a host address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The text, or the host name in it, is empty.
    #[error("the host name is empty in `{0}`")]
    Empty(String),
    /// The text after the last `:` is not a port between 1 and 65535.
    #[error("`{port}` is not a port (1 to 65535) in `{text}`")]
    Port {
        /// The whole text.
        text: String,
        /// The invalid port.
        port: String,
    },
    /// A `[` has no `]`, or the text after `]` is not `:port`.
    #[error("the brackets in `{0}` do not enclose an address: write `[::1]:22`")]
    Brackets(String),
    /// The name contains a character that is not allowed in host names, or starts with `-`.
    #[error("`{0}` is not a valid host name")]
    Name(String),
    /// The text is a range of hosts, but one host is expected.
    #[error("`{0}` is a range of hosts, but one host is expected")]
    UnexpectedRange(String),
    /// The text in brackets is not a valid range.
    #[error("invalid range `{range}` in `{text}`: {why}")]
    Range {
        /// The whole text.
        text: String,
        /// The range, with its brackets.
        range: String,
        /// The reason.
        why: String,
    },
    /// The ranges of the text expand to more than 10,000 hosts.
    #[error("`{0}` expands to more than 10000 hosts")]
    TooMany(String),
    /// The user is empty.
    #[error("the user before `@` is empty in `{0}`")]
    User(String),
}
