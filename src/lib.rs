//! Deployment and remote administration over SSH in type-checked Rust: Fabric for Rust.
//!
//! A project keeps one file, `tasks.rs`. The command `fab` compiles the file once and runs its
//! tasks on hosts. The same API can be embedded in other programs. This crate is the facade: it
//! re-exports the working parts and holds no logic.
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
//! use fabrs::{Client, transport::{Fake, FakeAnswer}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs::Result<()> {
//! # let hosts = Fake::new().on("uname -r", FakeAnswer::stdout("6.1.0\n"));
//! // `Connection::open("deploy@web1").await?` connects like `ssh`.
//! // A client shares its connections and settings.
//! let client = Client::builder().dial(hosts).build();
//! let kernel = client.connect("deploy@web1")?.probe("uname -r").await?.line()?;
//! assert_eq!(kernel, "6.1.0");
//! # Ok(()) }
//! ```

#[cfg(feature = "template")]
pub use fabrs_core::Template;
pub use fabrs_core::config::SudoProgram;
pub use fabrs_core::connection::{Responder, SudoRefusal, Watcher};
pub use fabrs_core::files::{Changes, Source};
pub use fabrs_core::run::env_var;
pub use fabrs_core::{
    Call, Client, ClientBuilder, Command, Connection, Context, Error, ErrorKind, Executor, ExitCode, ExitStatus, Group,
    Hide, Host, HostError, IntoHost, IntoShellLine, Outcome, Outcomes, Output, Plan, Registry, Report, Result, Secret,
    ShellLine, Signal, Spawned, Task, TaskError, bail, client, config, connection, ensure, error, event, files, group,
    host, lock, output, plan, run, secret, shell, task, transport,
};
pub use fabrs_macros::{cmd, task};

#[cfg(feature = "cli")]
pub use fabrs_cli::main;

/// The items that every `tasks.rs` imports: `use fabrs::prelude::*`.
pub mod prelude {
    #[cfg(feature = "template")]
    pub use fabrs_core::Template;
    pub use fabrs_core::config::SudoProgram;
    pub use fabrs_core::connection::{
        Responder, SudoRefusal, cd, confirm, current, env, local, prefix, probe, prompt, run, secs, sudo, v_run,
    };
    pub use fabrs_core::files::{Changes, Source, get, put, sync};
    pub use fabrs_core::group::{on, role};
    pub use fabrs_core::run::{effect, env_var, once};
    pub use fabrs_core::{
        Call, Client, Command, Connection, Context, ErrorKind, ExitStatus, Group, Hide, Host, Outcome, Outcomes,
        Output, Secret, ShellLine, Signal, TaskError, bail, ensure,
    };
    pub use fabrs_macros::{cmd, task};

    /// The result of a task, with or without a value. `?` converts any error.
    pub type Result<T = (), E = TaskError> = std::result::Result<T, E>;
}

/// Support code for the output of the macros. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use fabrs_core::__private::{BoxFuture, inventory};
    pub use fabrs_core::config::Selection;
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
