//! The operations of the matrix.

/// One operation: a column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Line,
    CdEnv,
    CdEnvSh,
    Sudo,
    Put,
    Get,
    Sync,
    Edit,
    Timeout,
    CtrlC,
    FabLine,
    FabTimeout,
    FabCtrlC,
}

impl Operation {
    pub(crate) const ALL: [Self; 13] = [
        Self::Line,
        Self::CdEnv,
        Self::CdEnvSh,
        Self::Sudo,
        Self::Put,
        Self::Get,
        Self::Sync,
        Self::Edit,
        Self::Timeout,
        Self::CtrlC,
        Self::FabLine,
        Self::FabTimeout,
        Self::FabCtrlC,
    ];

    /// Returns the name of the operation in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::CdEnv => "cd+env",
            Self::CdEnvSh => "cd+env sh",
            Self::Sudo => "sudo",
            Self::Put => "put",
            Self::Get => "get",
            Self::Sync => "sync",
            Self::Edit => "edit",
            Self::Timeout => "timeout",
            Self::CtrlC => "Ctrl-C",
            Self::FabLine => "fab line",
            Self::FabTimeout => "fab -T",
            Self::FabCtrlC => "fab ^C",
        }
    }
}
