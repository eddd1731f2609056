//! [`SudoProgram`]: the program that runs commands as another user.

/// The program that runs commands as another user on a host. Defaults to `sudo`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SudoProgram {
    /// `sudo`, including sudo-rs.
    #[default]
    Sudo,
    /// `doas`. Cannot set a group. Only the rules of `doas` (`keepenv`) keep environment variables.
    /// `doas` prompts only at a terminal, so a command without a pty needs a rule with `nopass`.
    Doas,
}

impl SudoProgram {
    /// All programs.
    pub(super) const ALL: [Self; 2] = [Self::Sudo, Self::Doas];

    /// Returns the name of the program on a host and in `fabrs.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sudo => "sudo",
            Self::Doas => "doas",
        }
    }
}
