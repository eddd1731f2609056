//! What came of a talk with sudo: its listener fills it, and the future of the command reads it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::recorder::Recorder;
use super::prompt::Prompt;
use super::refusal::SudoRefusal;
use crate::config::SudoProgram;
use crate::transport::{Completion, OutputReceiver};

/// How much of what sudo says is kept.
pub(super) const LONGEST: usize = 16 << 10;

/// What of sudo's is to be recognised, by texts made by chance for this one attempt where it takes them.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// Whose words they are.
    pub(super) program: SudoProgram,
    /// Its prompt.
    pub(super) prompt: Prompt,
    /// What the shell that it starts writes first; nothing where it starts the command itself.
    pub(super) ready: Option<String>,
}

/// What came of a talk.
#[derive(Default)]
pub(super) struct SudoDialog {
    program: SudoProgram,
    pub(super) said: Vec<u8>,
    pub(super) asked: usize,
    /// What it means that something is asked and waits for an answer that is not the password.
    pub(super) question: Option<SudoRefusal>,
    pub(super) unfinished: Option<Unfinished>,
    /// What is done as soon as sudo is known to have taken the password; dropped with the talk where it has not.
    pub(super) when_taken: Option<Box<dyn FnOnce() + Send>>,
}

/// A talk that its listener fills and the command's future reads.
pub(super) type SharedDialog = Arc<Mutex<SudoDialog>>;

/// A command that sudo did not run: its recorder, for another attempt. Dropped, it is told as ended.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) recorder: Option<Recorder>,
    pub(super) end: Completion,
}

impl Unfinished {
    pub(super) fn into_recorder(mut self) -> Option<Recorder> {
        self.recorder.take()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.ended(&self.end);
        }
    }
}

impl SudoDialog {
    pub(super) fn with(program: SudoProgram) -> Self {
        Self { program, ..Self::default() }
    }

    /// Returns what it means that something is asked and not answered.
    pub(super) fn question(talk: &SharedDialog) -> Option<SudoRefusal> {
        lock(talk).question.clone()
    }

    /// Tells whether the password was written, and not asked for again so far.
    pub(super) fn is_answered(talk: &SharedDialog) -> bool {
        lock(talk).asked == 1
    }

    /// Does this as soon as sudo is known to have taken the password.
    pub(super) fn when_taken(talk: &SharedDialog, then: impl FnOnce() + Send + 'static) {
        lock(talk).when_taken = Some(Box::new(then));
    }

    /// Notes that sudo has let the command begin, and so has taken the password, if it has asked for one.
    pub(super) fn taken(talk: &SharedDialog) {
        let (then, asked) = {
            let mut talk = lock(talk);
            (talk.when_taken.take(), talk.asked)
        };
        if let Some(then) = then.filter(|_| asked > 0) {
            then();
        }
    }

    pub(super) fn say(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.said.len()).min(bytes.len());
        self.said.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }

    /// Returns why sudo did not run the command, and what is left of the attempt; nothing where it did.
    pub(super) fn refusal(talk: &SharedDialog) -> Option<(SudoRefusal, Unfinished)> {
        let mut talk = lock(talk);
        let unfinished = talk.unfinished.take()?;
        talk.when_taken = None;
        let refusal = match talk.asked {
            // It asks again only if it did not like the answer.
            2.. => SudoRefusal::PasswordWrong,
            _ => SudoRefusal::read(talk.program, &talk.said),
        };
        Some((refusal, unfinished))
    }
}

/// Shows how far it is, and nothing of what was said.
impl fmt::Debug for SudoDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SudoDialog").field("asked", &self.asked).finish_non_exhaustive()
    }
}

pub(super) fn lock(talk: &SharedDialog) -> MutexGuard<'_, SudoDialog> {
    talk.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_password_is_proven_only_where_it_was_asked_for() {
        for asked in [0, 1] {
            let talk = Arc::new(Mutex::new(SudoDialog::with(SudoProgram::Sudo)));
            let is_proven = Arc::new(AtomicBool::new(false));
            let proven = Arc::clone(&is_proven);
            SudoDialog::when_taken(&talk, move || proven.store(true, Ordering::Relaxed));
            lock(&talk).asked = asked;
            SudoDialog::taken(&talk);
            assert_eq!(is_proven.load(Ordering::Relaxed), asked == 1);
        }
    }
}
