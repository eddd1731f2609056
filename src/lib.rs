//! Deployment and remote administration over SSH in type-checked Rust: Fabric for Rust.
//!
//! A project has its tasks in the file `tasks.rs`. The command `fab` compiles the file once and
//! runs the tasks on hosts. Other programs can embed the same API. This crate is the facade: only
//! re-exports, no logic.
//!
//! # A task
//!
//! ```
//! use fabrs::prelude::*;
//!
//! /// Reloads the shop on each web server, one after the other.
//! #[task(role = "web", rolling = 1)]
//! async fn reload(
//!     /// The service to reload.
//!     service: String,
//! ) -> Result {
//!     run(cmd!("systemctl reload {service}")).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Embedding
//!
//! ```
//! use fabrs::embed::prelude::*;
//! use fabrs::transport::{Fake, FakeAnswer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs::Result<()> {
//! # let hosts = Fake::new().on("uname -r", FakeAnswer::stdout("6.1.0\n"));
//! // `Connection::open("deploy@web1").await?` connects like `ssh`.
//! // All connections of a client share its settings, and one session for each host.
//! let client = Client::builder().dial(hosts).build();
//! let kernel = client.connect("deploy@web1")?.probe("uname -r").await?.line()?;
//! assert_eq!(kernel, "6.1.0");
//! # Ok(()) }
//! ```
//!
//! # Names
//!
//! | import | contents |
//! |---|---|
//! | [`prelude`] | imports for a `tasks.rs` |
//! | [`embed::prelude`] | imports for other programs, without a `Result` |
//! | `fabrs::NAME` | every type and function of tasks, connections, groups, locks and runs |
//! | [`files`] | requests and edits, as returned by the methods of [`Connection`] |
//! | [`config`] | settings, `fabrs.toml` and the hosts of a run |
//! | [`event`] | events of a run, and sinks |
//! | [`transport`] | SSH, local and fake transports, prompters and the stop signal |
//!
//! # Features
//!
//! | feature | default | contents |
//! |---|---|---|
//! | `cli` | yes | `main`, the command line of a compiled `tasks.rs` |
//! | `template` | yes | `Template`, a source of [`put`] |
//! | `demo` | no | `-H @demo`, temporary, contained hosts; enables `cli`, Linux only |
//!
//! `fab` enables `demo` for every compiled tool. An embedding program needs no feature:
//! `fabrs = { version = "0.1", default-features = false }`. The deploy kit `fabrs-deploy`
//! has the features `notify-http`, `notify-mail` and `notify-statsd`.

#[doc(inline)]
pub use fabrs_core::client::{Client, ClientBuilder, IntoHost};
#[doc(inline)]
pub use fabrs_core::connection::{
    Command, Confirm, Connection, EnvValue, Hide, HideError, LineStream, Prompt, Responder, Spawned, StdinBytes,
    SudoRefusal, Watcher, cd, confirm, current, env, local, mins, prefix, probe, prompt, run, secs, sudo, v_run,
};
#[doc(inline)]
pub use fabrs_core::error::{Context, Error, ErrorBlock, ErrorKind, ExitCode, GroupedErrors, Result, TaskError};
#[cfg(feature = "template")]
#[doc(inline)]
pub use fabrs_core::files::Template;
#[doc(inline)]
pub use fabrs_core::files::{Changes, Source, get, put, sync};
#[doc(inline)]
pub use fabrs_core::group::{
    BatchSize, BatchSizeError, Batches, Group, HostFailures, IntoBatchSize, Outcome, Outcomes, Role, Strategy, Targets,
    on, role,
};
#[doc(inline)]
pub use fabrs_core::host::{Host, HostError, HostLabel};
#[doc(inline)]
pub use fabrs_core::lock::{Lock, LockHandle, LockHolder, LockRequest, ManualLock};
#[doc(inline)]
pub use fabrs_core::output::{ExitStatus, Output, Signal};
#[doc(inline)]
pub use fabrs_core::plan::{Plan, Stage, StageHosts, Step};
#[doc(inline)]
pub use fabrs_core::run::{EffectResult, Executor, Report, StageReport, effect, env_var, once};
#[doc(inline)]
pub use fabrs_core::secret::{RedactedStream, Redactor, Secret};
#[doc(inline)]
pub use fabrs_core::shell::{IntoShellLine, ShellLine, ShellLineError, ShellList, ShellValue};
#[doc(inline)]
pub use fabrs_core::task::{Call, FromArg, Param, ParamKind, RawArgs, Registry, Task, TaskReturn};
#[doc(inline)]
pub use fabrs_core::{bail, ensure};
#[doc(inline)]
pub use fabrs_macros::{cmd, task};

#[cfg(feature = "cli")]
#[doc(inline)]
pub use fabrs_cli::main;

/// Settings of a run, and the hosts and environments of `fabrs.toml`.
pub mod config {
    #[doc(inline)]
    pub use fabrs_core::config::{
        Config, Confirmation, DiffMode, Environment, FreezeWindow, FreezeWindowError, Gateway, Inventory, Layered,
        Mode, OnFailure, OnUnreachable, Operator, Order, PasswordSource, ProcessEnv, PromptPolicy, ResolveAlias,
        Selection, Settings, SshConfigSource, SudoProgram, Vars, parse_excluded_hosts, parse_host_args,
        parse_host_args_with,
    };
}

/// Events of a run, and sinks for these events.
///
/// [`JsonSink`](event::JsonSink) lists all events and their fields. For a display of your own,
/// implement [`Sink`](event::Sink), and pass the sink to [`ClientBuilder::sink`].
pub mod event {
    #[doc(inline)]
    pub use fabrs_core::event::{
        BroadcastSink, CaptureSink, Event, FileDiff, Granularity, JsonSink, NoSink, OutcomeKind, OutputQueue,
        PassthroughSink, PlainSink, PlannedCommand, Prefix, Sink, Stream, Style, escape_controls, json_line,
        running_phase_line,
    };
}

/// Requests to transfer, edit and read files of a host.
///
/// Methods of [`Connection`] create these builders: `put`, `get`, `sync`, `edit`. Tasks rarely
/// import them.
pub mod files {
    #[doc(inline)]
    pub use fabrs_core::files::{
        AppendLines, CommentLines, CreateRequest, EditRequest, EnsureLine, FileKind, GetRequest, IntoLines, PutRequest,
        ReadRequest, RemoveRequest, ReplaceMatches, RsyncRequest, Stat, StatRequest, SyncRequest, TextEdit,
        UncommentLines,
    };
}

/// Transports for commands: SSH, this machine, a dry run, and a fake for tests.
///
/// [`Fake`](transport::Fake) answers commands from a script, so tests of tasks need no host. Pass
/// a `Fake`, or a [`Dialer`](transport::Dialer) of your own, to [`ClientBuilder::dial`].
pub mod transport {
    #[doc(inline)]
    pub use fabrs_core::ssh::{SshDialer, SshSettings};
    #[doc(inline)]
    pub use fabrs_core::transport::{
        Answer, CommandOutcome, Completion, Dialer, DryRun, Effect, EffectMode, Fake, FakeAnswer, Invocation,
        LocalTransport, NoPrompter, OutputReceiver, PlanTexts, Program, Prompter, Pty, Request, RunningCommand,
        SignalQueue, StdinSource, StopGuard, StopLevel, StopSignal, TerminalPrompter, TerminalSize, Transport,
    };
}

/// Imports for a `tasks.rs`: `use fabrs::prelude::*`.
///
/// The prelude defines [`Result`](prelude::Result) with a default error, as `anyhow` does. For
/// other programs, see [`embed::prelude`].
pub mod prelude {
    #[cfg(feature = "template")]
    pub use crate::Template;
    pub use crate::config::SudoProgram;
    pub use crate::{
        Call, Changes, Client, Command, Connection, Context, ErrorKind, ExitStatus, Group, Hide, Host, Outcome,
        Outcomes, Output, Responder, Secret, ShellLine, Signal, Source, SudoRefusal, TaskError, bail, cd, cmd, confirm,
        current, effect, ensure, env, env_var, get, local, mins, on, once, prefix, probe, prompt, put, role, run, secs,
        sudo, sync, task, v_run,
    };

    /// The result of a task: `()` or a value, and [`TaskError`] as the default error. `?` converts
    /// every error.
    pub type Result<T = (), E = TaskError> = std::result::Result<T, E>;
}

/// Imports for programs that embed fabrs.
pub mod embed {
    /// Imports for a program that embeds fabrs: `use fabrs::embed::prelude::*`.
    ///
    /// The prelude replaces no name of std's prelude, and has neither a `Result` nor free
    /// functions: call the methods of [`Connection`](crate::Connection) and
    /// [`Group`](crate::Group).
    ///
    /// ```
    /// use fabrs::embed::prelude::*;
    /// use fabrs::transport::{Fake, FakeAnswer};
    ///
    /// async fn kernel(host: &Connection) -> Result<String, fabrs::Error> {
    ///     host.probe("uname -r").await?.line()
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), fabrs::Error> {
    /// let fake = Fake::new().on("uname -r", FakeAnswer::stdout("6.1.0\n"));
    /// let client = Client::builder().dial(fake).settings(Settings::default()).build();
    /// assert_eq!(kernel(&client.connect("web1")?).await?, "6.1.0");
    /// # Ok(()) }
    /// ```
    pub mod prelude {
        #[cfg(feature = "template")]
        pub use crate::Template;
        pub use crate::config::{Inventory, Settings};
        pub use crate::{
            Changes, Client, ClientBuilder, Connection, ErrorKind, ExitStatus, Group, Hide, Host, IntoHost,
            IntoShellLine, Outcome, Outcomes, Output, Responder, Secret, ShellLine, Source, cmd,
        };
    }
}

/// Support code for the output of the macros. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use fabrs_core::__private::{BoxFuture, inventory};
    pub use fabrs_core::config::Selection;
    pub use fabrs_core::group::BatchSize;
    pub use fabrs_core::shell::{Piece, ShellList, ShellValue};
    pub use fabrs_core::task::{Call, FromArg, Param, ParamKind, RawArgs, Registration, Task, TaskReturn, blocking};
    pub use fabrs_core::{Connection, Error, ShellLine, TaskError};

    /// Builds the shell line of a `cmd!`.
    pub fn line(pieces: &[Piece<'_>]) -> ShellLine {
        ShellLine::from_pieces(pieces)
    }
}

/// The README's examples, compiled to keep them valid.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
