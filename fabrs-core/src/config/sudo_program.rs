//! [`SudoProgram`]: what a host has to run commands as another user.

/// What a host has to run commands as another user: `sudo` unless something else is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SudoProgram {
    /// `sudo`, also as sudo-rs.
    #[default]
    Sudo,
    /// `doas`, which knows no groups, keeps the environment by its own rules alone, and asks for a password only at a
    /// terminal: of a command without a pty where its rule says `nopass`.
    Doas,
}

impl SudoProgram {
    /// All there are.
    pub(super) const ALL: [Self; 2] = [Self::Sudo, Self::Doas];

    /// Returns its name, by which it is called on a host and in `fabrs.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sudo => "sudo",
            Self::Doas => "doas",
        }
    }
}
