//! [`ProcessGroup`]: a program of this machine with all that it has started.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// The process group that a program leads, which ends when this is dropped: also what outlives the program itself.
#[derive(Debug)]
pub(crate) struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// Takes over the group of a program that was started as the leader of its own.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // There is mostly nobody left.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}
