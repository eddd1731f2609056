//! Termination of commands: stop signals, the sequence from TERM to KILL, and signal delivery to
//! remote processes.
//!
//! # Sequence
//!
//! A command stops when its future is dropped, its time limit expires, or the run stops
//! ([`StopSignal`]). The steps are in `escalation`:
//!
//! 1. TERM to the process group of the command.
//! 2. KILL after 1 second.
//! 3. After another 700 ms, fabrs closes the channel and reports that the command may still be
//!    running.
//!
//! A run stopped for the second time starts at step 2.
//!
//! # Delivery
//!
//! Local commands run in their own process group, so a signal is one system call. For a remote
//! command, `signal_strategy` selects one of these:
//!
//! - **`signal` request** (RFC 4254 §6.9). sshd forwards the request from OpenSSH 7.9 on, except
//!   for root logins: the forwarding process exists only with privilege separation.
//! - **Guard process** (`guard_process.sh`). A second process in the group of the command. It reads
//!   names of signals from the stdin of the channel and sends them to the group. When the
//!   connection breaks, the guard process reads the end of file and ends the group. Used if the
//!   server does not forward signals and the command reads no stdin.
//! - **Side channel** (`process_group`, `ssh/side_channel`). A command with its own stdin first
//!   prints the number of its process group on stderr, after a random marker. A helper command on a
//!   second channel sends the signals.
//! - **Keystroke**. A command on a pseudo-terminal receives Ctrl-C and Ctrl-\.
//! - **End of stdin**. A subsystem has no shell, and ends with its input.

pub(super) mod escalation;
pub(super) mod process_group;
pub(super) mod signal_strategy;
pub(super) mod stop_signal;

pub use stop_signal::{StopGuard, StopLevel, StopSignal};
