//! What came of a dialog with sudo: its listener fills it, and the future of the command reads it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::recorder::Recorder;
use super::prompt::PasswordPrompt;
use super::refusal::SudoRefusal;
use crate::config::SudoProgram;
use crate::transport::{Completion, OutputReceiver};

/// How much of what sudo says is kept.
pub(super) const MAX_TEXT_LEN: usize = 16 << 10;

/// What of sudo's is to be recognised, by texts made by chance for this one attempt where it takes them.
#[derive(Debug, Clone)]
pub(super) struct DialogMarkers {
    /// Whose words they are.
    pub(super) program: SudoProgram,
    /// Its prompt.
    pub(super) prompt: PasswordPrompt,
    /// What the shell that it starts writes first; nothing where it starts the command itself.
    pub(super) ready: Option<String>,
}

/// What came of a dialog.
#[derive(Default)]
pub(super) struct SudoDialog {
    program: SudoProgram,
    pub(super) text: Vec<u8>,
    pub(super) prompt_count: usize,
    /// What it means that something is asked and waits for an answer that is not the password.
    pub(super) pending_question: Option<SudoRefusal>,
    pub(super) refused_attempt: Option<RefusedAttempt>,
    /// What is done as soon as sudo is known to have taken the password; dropped with the dialog where it has not.
    pub(super) on_accepted: Option<Box<dyn FnOnce() + Send>>,
}

/// A dialog that its listener fills and the command's future reads.
pub(super) type SharedDialog = Arc<Mutex<SudoDialog>>;

/// A command that sudo did not run: its recorder, for another attempt. Dropped, it is told as ended.
#[derive(Debug)]
pub(super) struct RefusedAttempt {
    pub(super) recorder: Option<Recorder>,
    pub(super) end: Completion,
}

impl RefusedAttempt {
    pub(super) fn into_recorder(mut self) -> Option<Recorder> {
        self.recorder.take()
    }
}

impl Drop for RefusedAttempt {
    fn drop(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.ended(&self.end);
        }
    }
}

impl SudoDialog {
    pub(super) fn new(program: SudoProgram) -> Self {
        Self { program, ..Self::default() }
    }

    /// Returns what it means that something is asked and not answered.
    pub(super) fn pending_question(dialog: &SharedDialog) -> Option<SudoRefusal> {
        lock(dialog).pending_question.clone()
    }

    /// Tells whether the password was written, and not asked for again so far.
    pub(super) fn is_answered(dialog: &SharedDialog) -> bool {
        lock(dialog).prompt_count == 1
    }

    /// Does this as soon as sudo is known to have taken the password.
    pub(super) fn on_accepted(dialog: &SharedDialog, then: impl FnOnce() + Send + 'static) {
        lock(dialog).on_accepted = Some(Box::new(then));
    }

    /// Notes that sudo has let the command begin, and so has taken the password, if it has asked for one.
    pub(super) fn mark_accepted(dialog: &SharedDialog) {
        let (then, asked) = {
            let mut dialog = lock(dialog);
            (dialog.on_accepted.take(), dialog.prompt_count)
        };
        if let Some(then) = then.filter(|_| asked > 0) {
            then();
        }
    }

    pub(super) fn add_text(&mut self, bytes: &[u8]) {
        let room = MAX_TEXT_LEN.saturating_sub(self.text.len()).min(bytes.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }

    /// Returns why sudo did not run the command, and what is left of the attempt; nothing where it did.
    pub(super) fn refusal(dialog: &SharedDialog) -> Option<(SudoRefusal, RefusedAttempt)> {
        let mut dialog = lock(dialog);
        let refused_attempt = dialog.refused_attempt.take()?;
        dialog.on_accepted = None;
        let refusal = match dialog.prompt_count {
            // It asks again only if it did not like the answer.
            2.. => SudoRefusal::PasswordWrong,
            _ => SudoRefusal::parse(dialog.program, &dialog.text),
        };
        Some((refusal, refused_attempt))
    }
}

/// Shows how far it is, and nothing of what was text.
impl fmt::Debug for SudoDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SudoDialog").field("asked", &self.asked).finish_non_exhaustive()
    }
}

pub(super) fn lock(dialog: &SharedDialog) -> MutexGuard<'_, SudoDialog> {
    dialog.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn only_a_requested_password_counts_as_accepted() {
        for asked in [0, 1] {
            let dialog = Arc::new(Mutex::new(SudoDialog::new(SudoProgram::Sudo)));
            let is_accepted = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&is_accepted);
            SudoDialog::on_accepted(&dialog, move || flag.store(true, Ordering::Relaxed));
            lock(&dialog).prompt_count = asked;
            SudoDialog::mark_accepted(&dialog);
            assert_eq!(is_accepted.load(Ordering::Relaxed), asked == 1);
        }
    }
}
