//! Where a command runs: on a host over SSH, on this machine, or nowhere at all.
//!
//! A [`Transport`] is one host's way to run commands; a [`Dial`] makes the transport for a host. Each is told what to
//! run by a [`Request`] and answers with a [`Running`] at once: connecting, running and, when it is dropped, ending the
//! command belong to the transport, so a dropped future can leave nothing behind. Nothing here knows tasks or groups.

mod approval_guard;
mod command_channel;
mod drive;
mod dry_run;
mod fake;
mod fence;
mod guarded;
mod local;
mod prompter;
mod pty;
mod random;
mod request;
mod running;
mod signals;
pub mod ssh;
mod stdin_queue;
mod terminal_line;
mod terminal_modes;
mod termination;
mod traits;

pub(crate) use approval_guard::Approved;
pub(crate) use command_channel::{Refused, SecretWithheld};
pub use dry_run::DryRun;
pub use fake::{Fake, FakeAnswer};
pub(crate) use fence::{Fence, FenceGuard, Fences, Heartbeat, boot_time};
pub(crate) use guarded::Guarded;
pub use local::Local;
pub(crate) use prompter::wait_for_answers;
pub use prompter::{Ask, NoInput, Terminal};
pub use pty::{Pty, Size};
pub(crate) use random::word_by_chance;
pub use request::{Answer, Effect, Invocation, Program, Receive, Request, Stdin};
pub use running::{End, How, Running};
pub use signals::Signals;
pub(crate) use stdin_queue::OPENING;
pub use terminal_modes::restore_terminal;
pub(crate) use terminal_modes::{TerminalModes, Unread};
pub use termination::{Hold, Level, RunStop};
pub use traits::{Dial, Permission, Transport};
