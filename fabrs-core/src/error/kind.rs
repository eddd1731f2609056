//! [`ErrorKind`]: the stage of a failure.

/// The stage of a failure.
///
/// A kind is a stage of a run, not a function of a library. Three results of a command have
/// different kinds:
///
/// - The command ended with a status or a signal: [`Exit`](Self::Exit).
/// - The channel ended without a status: [`Channel`](Self::Channel). The command may have run.
/// - The command did not start: [`Connect`](Self::Connect), [`HostKey`](Self::HostKey) or
///   [`Auth`](Self::Auth).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Invalid arguments or an invalid call: an unknown task or role, a bad argument, an invalid
    /// shell line.
    Usage,
    /// A configuration file can't be read or has an unknown entry.
    Config,
    /// The selection contains no host.
    NoHost,
    /// `tasks.rs` does not compile.
    Compile,
    /// The host could not be reached: an unknown name, a closed port, or a timeout.
    Connect,
    /// The host key is unknown, changed or revoked.
    HostKey,
    /// The host rejected the login.
    Auth,
    /// The connection or the channel ended before the exit status arrived. The command may have
    /// run.
    Channel,
    /// The command ended with a status other than 0, or by a signal.
    Exit,
    /// sudo rejected the command. The command did not run.
    Sudo,
    /// The command exceeded its timeout and was stopped.
    Timeout,
    /// A prompt was needed, but there was no terminal, or prompts are not allowed. This kind also
    /// covers a rejected answer and a missing approval of the run.
    Prompt,
    /// A file could not be uploaded or downloaded. The old file is unchanged.
    File,
    /// The task itself returned an error.
    Task,
    /// The run was stopped.
    Cancelled,
    /// The task read the result of a command that a dry run did not run.
    NotRun,
    /// The output is incomplete: it exceeds the capture limit, or its end was lost.
    Truncated,
    /// The output has no line, but a line was expected.
    Empty,
    /// The output has an unexpected format.
    Format,
    /// A file or a program of this machine can't be used.
    Local,
    /// A defect of fabrs.
    Internal,
}
