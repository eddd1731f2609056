//! Process groups of local programs.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process, waitid};
use tokio::process::Child;

/// A process group. Its processes may outlive this value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessGroup(Option<Pid>);

/// A process group that is killed on drop, including processes that outlive the program.
#[derive(Debug)]
pub(crate) struct ProcessGroupGuard(ProcessGroup);

impl ProcessGroupGuard {
    /// Returns a guard for the process group of a program. The program must lead the group.
    pub(crate) fn of(child: &Child) -> Self {
        Self(ProcessGroup::of(child))
    }

    /// Sends a signal to the group, as [`ProcessGroup::signal`].
    pub(crate) fn signal(&self, signal: Signal) {
        self.0.signal(signal);
    }
}

impl ProcessGroup {
    /// Returns the process group of a program. The program must lead the group.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    /// Sends a signal to the group, unless the group id now belongs to another program.
    ///
    /// The system can reuse the id once the leader is reaped and the last member has ended. If a
    /// leader exists and is not a child of this process, the id was reused.
    pub(crate) fn signal(self, signal: Signal) {
        let Some(group) = self.0 else { return };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let is_ours = waitid(WaitId::Pid(group), options).is_ok();
        if is_ours || test_kill_process(group) == Err(Errno::SRCH) {
            // The only possible failure is that the group has ended.
            let _gone = kill_process_group(group, signal);
        }
    }
}

impl Drop for ProcessGroupGuard {
    fn drop(&mut self) {
        self.0.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::process::Command;

    use super::*;

    /// Starts a shell line in a separate process group.
    fn start(line: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", line]).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.spawn().expect("there is a shell")
    }

    #[tokio::test]
    async fn a_member_that_outlives_its_leader_is_signalled() {
        let mut leader = start("sleep 1000 & echo begun");
        let group = ProcessGroup::of(&leader);
        let mut stdout = leader.stdout.take().expect("the stream is a pipe");
        leader.wait().await.expect("the leader is a child");
        group.signal(Signal::TERM);
        let mut text = String::new();
        // The read ends when the last process with the pipe has ended.
        stdout.read_to_string(&mut text).await.expect("the stream is a pipe");
        assert_eq!(text, "begun\n");
    }

    #[tokio::test]
    async fn a_reused_group_id_is_not_signalled() {
        let mut shell = start("exec 3<&0; setsid sh -c 'echo $$; read line; echo alive' <&3 & wait");
        let (mut stdin, mut stdout) = (shell.stdin.take().expect("a pipe"), shell.stdout.take().expect("a pipe"));
        let mut text = [0; 16];
        let length = stdout.read(&mut text).await.expect("the stream is a pipe");
        let id = std::str::from_utf8(&text[..length]).expect("digits").trim().parse().expect("a number");
        ProcessGroup(Pid::from_raw(id)).signal(Signal::KILL);
        stdin.write_all(b"\n").await.expect("the stream is a pipe");
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.expect("the stream is a pipe");
        assert_eq!(text, "alive\n");
    }
}
