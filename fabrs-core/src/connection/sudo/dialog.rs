//! [`SudoDialog`]: the state of a dialog with sudo, written by its listener and read by the future
//! of the command.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::password_prompt::PasswordPrompt;
use super::refusal::SudoRefusal;
use crate::config::SudoProgram;
use crate::connection::recorder::Recorder;
use crate::mutex::lock;
use crate::transport::{Completion, OutputReceiver};

/// The maximum number of bytes of sudo's messages to keep.
pub(super) const MAX_TEXT_LEN: usize = 16 << 10;

/// The texts that identify sudo's output. For sudo, they are random for each attempt.
#[derive(Debug, Clone)]
pub(super) struct DialogMarkers {
    /// The program of the dialog.
    pub(super) program: SudoProgram,
    /// The password prompt.
    pub(super) prompt: PasswordPrompt,
    /// The first output of the shell started by sudo. `None` if sudo starts the command itself.
    pub(super) ready: Option<String>,
}

/// The state of a dialog.
#[derive(Default)]
pub(super) struct SudoDialog {
    program: SudoProgram,
    pub(super) text: Vec<u8>,
    pub(super) prompt_count: usize,
    /// The refusal to report if a question other than the password prompt stays unanswered.
    pub(super) pending_question: Option<SudoRefusal>,
    pub(super) refused_attempt: Option<RefusedAttempt>,
    /// The callback for an accepted password. It is dropped with the dialog if the password was
    /// rejected.
    pub(super) on_accepted: Option<Box<dyn FnOnce() + Send>>,
}

/// A dialog shared by its listener and the future of the command.
pub(super) type SharedDialog = Arc<Mutex<SudoDialog>>;

/// A command refused by sudo, with the recorder for another attempt. Dropping this value reports
/// the end of the command.
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

    /// Returns the refusal to report if the pending question stays unanswered.
    pub(super) fn pending_question(dialog: &SharedDialog) -> Option<SudoRefusal> {
        lock(dialog).pending_question.clone()
    }

    /// Returns `true` if the password was written and no second prompt has appeared.
    pub(super) fn is_answered(dialog: &SharedDialog) -> bool {
        lock(dialog).prompt_count == 1
    }

    /// Sets the callback for an accepted password.
    pub(super) fn on_accepted(dialog: &SharedDialog, callback: impl FnOnce() + Send + 'static) {
        lock(dialog).on_accepted = Some(Box::new(callback));
    }

    /// Records that sudo has started the command. If sudo has prompted for a password, the password
    /// was accepted.
    pub(super) fn mark_accepted(dialog: &SharedDialog) {
        let (callback, prompt_count) = {
            let mut dialog = lock(dialog);
            (dialog.on_accepted.take(), dialog.prompt_count)
        };
        if let Some(callback) = callback.filter(|_| prompt_count > 0) {
            callback();
        }
    }

    pub(super) fn add_text(&mut self, bytes: &[u8]) {
        let capacity = MAX_TEXT_LEN.saturating_sub(self.text.len()).min(bytes.len());
        self.text.extend_from_slice(bytes.get(..capacity).unwrap_or_default());
    }

    /// Returns the refusal and the refused attempt. Returns `None` if sudo has run the command.
    pub(super) fn refusal(dialog: &SharedDialog) -> Option<(SudoRefusal, RefusedAttempt)> {
        let mut dialog = lock(dialog);
        let refused_attempt = dialog.refused_attempt.take()?;
        dialog.on_accepted = None;
        let refusal = match dialog.prompt_count {
            // A second prompt means that the first answer was rejected.
            2.. => SudoRefusal::PasswordWrong,
            _ => SudoRefusal::parse(dialog.program, &dialog.text),
        };
        Some((refusal, refused_attempt))
    }
}

/// Shows the progress without the text of the dialog.
impl fmt::Debug for SudoDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SudoDialog").field("prompt_count", &self.prompt_count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn only_a_requested_password_counts_as_accepted() {
        for prompt_count in [0, 1] {
            let dialog = Arc::new(Mutex::new(SudoDialog::new(SudoProgram::Sudo)));
            let is_accepted = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&is_accepted);
            SudoDialog::on_accepted(&dialog, move || flag.store(true, Ordering::Relaxed));
            lock(&dialog).prompt_count = prompt_count;
            SudoDialog::mark_accepted(&dialog);
            assert_eq!(is_accepted.load(Ordering::Relaxed), prompt_count == 1);
        }
    }
}
