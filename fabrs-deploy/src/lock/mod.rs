//! The lock of a site: one run at a time changes it, and a run that dies lets go.
//!
//! On each host a shell holds the kernel's lock (`flock`) on a file of the site, over a session of its own, for as long as
//! the run tells it every few seconds that it lives. Whatever ends the run, the session, or the way between them, ends that shell, and the kernel
//! frees the lock. Before that it ends what the run has left at work in a release that is not live, so that the next run meets
//! nobody (on Linux; not what runs under sudo). What a person locks by hand is a file beside it, which stays until a person unlocks.

mod held;
mod kept;
mod script;
mod taken;

pub use kept::Kept;

pub(crate) use held::{AtWork, Lock};
pub(crate) use kept::{keep, let_go};
pub(crate) use script::KEPT;
pub(crate) use taken::{Patience, take};
