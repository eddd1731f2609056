//! [`HostError`]: the reasons why a text is not the address of a host.

/// Says why a text is not the address of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The text, or the name in it, is empty.
    #[error("a host's name is empty in `{0}`")]
    Empty(String),
    /// What stands after the last `:` is not a port between 1 and 65535.
    #[error("`{port}` is not a port (1 to 65535) in `{text}`")]
    Port {
        /// The whole text.
        text: String,
        /// What should have been a port.
        port: String,
    },
    /// A `[` has no `]`, or something else than `:port` follows it.
    #[error("the brackets in `{0}` do not enclose an address: write `[::1]:22`")]
    Brackets(String),
    /// The name holds a character that no host has, or starts with `-`.
    #[error("`{0}` is not a host's name")]
    Name(String),
    /// A range of hosts stands where one host is needed.
    #[error("`{0}` is a range, and one host is needed")]
    Several(String),
    /// What stands in brackets is no range.
    #[error("the range `{range}` in `{text}`: {why}")]
    Range {
        /// The whole text.
        text: String,
        /// The range, with its brackets.
        range: String,
        /// What is wrong with it.
        why: String,
    },
    /// The ranges in the text stand for more hosts than one text may.
    #[error("`{0}` stands for more than 10000 hosts")]
    TooMany(String),
    /// The user is empty.
    #[error("the user before `@` is empty in `{0}`")]
    User(String),
}
