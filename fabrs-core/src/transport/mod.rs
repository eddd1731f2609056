//! Transports: commands on a host over SSH, on this machine, in a dry run or in a scripted test.
//!
//! A [`Dialer`] creates a [`Transport`] for a host. A [`Transport`] executes one command for each
//! [`Request`] and returns a [`RunningCommand`] at once. A task of the transport then connects,
//! opens a channel and drives the command to its end. Dropping the [`RunningCommand`] stops the
//! command, so a dropped future leaves no process behind.
//!
//! The modules `connection` and `client` use this module. This module does not use tasks or groups.
//! SSH is in [`ssh`](crate::ssh), and `termination` explains how commands are stopped.

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
mod stdin_queue;
mod terminal_line;
mod terminal_modes;
mod termination;
mod traits;

pub(crate) use approval_guard::RunApproval;
pub(crate) use command_channel::{ChannelMessage, CommandChannel, ProgramRejected, SecretWithheld, queue_full_error};
pub(crate) use drive::{drive, wait_and_reopen};
pub use dry_run::DryRun;
pub use fake::{Fake, FakeAnswer};
pub(crate) use fence::{Fence, FenceGuard, Fences, Heartbeat, boot_time};
pub(crate) use guarded::GuardedDialer;
pub use local::LocalTransport;
pub(crate) use prompter::wait_for_open_prompts;
pub use prompter::{NoPrompter, Prompter, TerminalPrompter};
pub use pty::{Pty, TerminalSize};
pub(crate) use random::{random_bytes, random_token};
pub use request::{Answer, Effect, Invocation, OutputReceiver, PlanTexts, Program, Request, StdinSource};
pub use running::{CommandOutcome, Completion, RunningCommand};
pub use signals::SignalQueue;
pub(crate) use stdin_queue::{QueueFull, STDIN_PREAMBLE, StdinQueue};
pub use terminal_modes::restore_terminal;
pub(crate) use terminal_modes::{TerminalModes, UnreadInput};
pub(crate) use termination::process_group::RemoteProcessGroup;
pub(crate) use termination::signal_strategy::{SignalStrategy, shell_code};
pub use termination::{StopGuard, StopLevel, StopSignal};
pub use traits::{Dialer, EffectMode, Transport};
