//! The stages at which something can go wrong.

/// At which stage something went wrong.
///
/// One variant a stage of the flow, not a library call. The three that must never be mixed: the command ended
/// ([`Exit`](Self::Exit)), the channel ended without telling how ([`Channel`](Self::Channel): it may have happened), and
/// it never began ([`Connect`](Self::Connect), [`HostKey`](Self::HostKey), [`Auth`](Self::Auth)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was typed, or called, makes no sense: an unknown task or role, a bad argument, a line that is no line.
    Usage,
    /// A file of settings can't be read or says something unknown.
    Config,
    /// The selection is empty: there is no host to run on.
    NoHost,
    /// `tasks.rs` does not compile.
    Compile,
    /// The host could not be reached: its name, its port, or no answer in time.
    Connect,
    /// The host's key is unknown, changed or revoked.
    HostKey,
    /// The host refused the login.
    Auth,
    /// The connection or channel ended and the command's end is not known: it may or may not have happened.
    Channel,
    /// The command ended with a status other than 0, or by a signal.
    Exit,
    /// The command ran longer than it was given, and was ended.
    Timeout,
    /// An answer was needed and nobody could be asked.
    Prompt,
    /// What a task did by itself failed.
    Task,
    /// The run was stopped.
    Cancelled,
    /// A dry run was asked what a command that was not run would have answered.
    NotRun,
    /// More was printed than is kept, or than has come.
    Truncated,
    /// Nothing was printed where a line was wanted.
    Empty,
    /// What was printed is not in the form that was wanted.
    Format,
    /// A file or program of this machine can't be used.
    Local,
    /// Something that can't happen did: a defect of fabrs.
    Internal,
}
