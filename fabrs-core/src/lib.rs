//! The engine of fabrs: hosts, connections, commands, groups, tasks, plans and runs.
//!
//! Most programs use the facade `fabrs`, which re-exports this crate. The modules are layered. Each
//! module imports only from its own row and the rows above:
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`host`], [`secret`], [`shell`], `controls`, `open_files`, `mutex`, `blocking` |
//! | 1 | [`output`], [`error`] |
//! | 2 | [`event`], [`config`] |
//! | 3 | [`transport`] |
//! | 4 | [`ssh`] |
//! | 5 | `state` |
//! | 6 | [`connection`] |
//! | 7 | `transfer` |
//! | 8 | `file_backend` |
//! | 9 | [`files`] |
//! | 10 | [`client`] |
//! | 11 | [`group`] |
//! | 12 | [`lock`] |
//! | 13 | [`task`] |
//! | 14 | [`plan`] |
//! | 15 | [`run`] |

mod blocking;
pub mod client;
pub mod config;
pub mod connection;
mod controls;
pub mod error;
pub mod event;
mod file_backend;
pub mod files;
pub mod group;
pub mod host;
pub mod lock;
mod mutex;
mod open_files;
pub mod output;
pub mod plan;
pub mod run;
pub mod secret;
pub mod shell;
pub mod ssh;
mod state;
pub mod task;
mod transfer;
pub mod transport;

pub use client::{Client, ClientBuilder, IntoHost};
pub use connection::{Command, Connection, Hide, Spawned};
pub use error::{Context, Error, ErrorKind, ExitCode, Result, TaskError};
#[cfg(feature = "template")]
pub use files::Template;
pub use group::{Group, Outcome, Outcomes};
pub use host::{Host, HostError};
pub use output::{ExitStatus, Output, Signal};
pub use plan::Plan;
pub use run::{Executor, Report};
pub use secret::Secret;
pub use shell::{IntoShellLine, ShellLine};
pub use task::{Call, Registry, Task};

/// Items used by the expansion of the macros. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use futures::future::BoxFuture;
    pub use inventory;
}
