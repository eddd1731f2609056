//! [`ExitCode`]: the exit codes of `fab`.

use crate::error::kind::ErrorKind;

/// The exit codes of `fab`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum ExitCode {
    /// Success, also without changes.
    Ok = 0,
    /// A command or a task failed, or output could not be written.
    Failed = 1,
    /// The arguments or the configuration are invalid. Nothing was run.
    Usage = 2,
    /// The selection contains no host.
    NoHost = 3,
    /// A host could not be reached, or its connection was lost.
    Unreachable = 4,
    /// The host key was rejected, or the login failed.
    Login = 5,
    /// The plan of a dry run ends early, because it needs the result of a command.
    PlanIncomplete = 6,
    /// A defect of fabrs.
    Internal = 70,
}

impl ExitCode {
    /// All exit codes with the descriptions of `--help`.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Ok, "success, also if there was nothing to change"),
        (Self::Failed, "a command or task failed, or output was lost"),
        (Self::Usage, "usage error; nothing was run"),
        (Self::NoHost, "no host selected"),
        (Self::Unreachable, "a host was unreachable, or its connection was lost"),
        (Self::Login, "host key or login rejected"),
        (Self::PlanIncomplete, "the plan of a dry run is incomplete"),
        (Self::Internal, "internal error"),
    ];

    /// Returns the exit code of a run that ended with several codes.
    ///
    /// The first code of this list wins: [`Internal`](Self::Internal), [`Failed`](Self::Failed),
    /// [`Login`](Self::Login), [`Unreachable`](Self::Unreachable), [`Usage`](Self::Usage),
    /// [`NoHost`](Self::NoHost), [`PlanIncomplete`](Self::PlanIncomplete). Returns [`Ok`](Self::Ok)
    /// without codes.
    ///
    /// ```
    /// use fabrs_core::ExitCode;
    ///
    /// let codes = [ExitCode::Unreachable, ExitCode::Failed, ExitCode::Ok];
    /// assert_eq!(ExitCode::worst(codes), ExitCode::Failed);
    /// assert_eq!(ExitCode::worst([ExitCode::PlanIncomplete, ExitCode::NoHost]), ExitCode::NoHost);
    /// assert_eq!(ExitCode::worst([]), ExitCode::Ok);
    /// ```
    pub fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        codes.into_iter().min_by_key(|code| code.severity()).unwrap_or(Self::Ok)
    }

    /// Returns the rank of the code. The lowest rank wins.
    fn severity(self) -> u8 {
        match self {
            Self::Internal => 0,
            Self::Failed => 1,
            Self::Login => 2,
            Self::Unreachable => 3,
            Self::Usage => 4,
            Self::NoHost => 5,
            Self::PlanIncomplete => 6,
            Self::Ok => 7,
        }
    }

    /// Returns the code as a number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl ErrorKind {
    /// Returns the exit code of `fab` for an error of this kind.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Usage | Self::Config | Self::Compile => ExitCode::Usage,
            Self::NoHost => ExitCode::NoHost,
            Self::Connect | Self::Channel => ExitCode::Unreachable,
            Self::HostKey | Self::Auth => ExitCode::Login,
            Self::Exit
            | Self::Sudo
            | Self::File
            | Self::Timeout
            | Self::Prompt
            | Self::Task
            | Self::Cancelled
            | Self::Truncated
            | Self::Empty
            | Self::Format
            | Self::Local => ExitCode::Failed,
            Self::NotRun => ExitCode::PlanIncomplete,
            Self::Internal => ExitCode::Internal,
        }
    }
}
