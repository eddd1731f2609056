//! [`SudoListener`]: answers sudo's password prompt, and removes sudo's messages from the output of
//! the command.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::command_input::{CommandInput, RemainingInput};
use crate::config::SudoProgram;
use crate::connection::recorder::Recorder;
use crate::connection::sudo::dialog::{DialogMarkers, MAX_TEXT_LEN, RefusedAttempt, SharedDialog, SudoDialog};
use crate::connection::sudo::password_prompt::PasswordPrompt;
use crate::connection::sudo::refusal::SudoRefusal;
use crate::controls::escape_all_controls;
use crate::event::Stream;
use crate::mutex::lock;
use crate::output::ExitStatus;
use crate::secret::Secret;
use crate::transport::{Answer, CommandOutcome, Completion, OutputReceiver};

/// The message of sudo between a wrong password and its next prompt, unless sudo prints insults.
const TRY_AGAIN: &[u8] = b"Sorry, try again.\n";

/// The maximum size of the text before the start of the command, in bytes. Lectures and insults are
/// shorter.
const MAX_BYTES_BEFORE_START: usize = 1 << 20;

/// The phase of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The command cannot have started: all output belongs to sudo.
    Starting,
    /// The output may belong to sudo, as long as the text matches sudo's messages.
    Undecided,
    /// The command runs, and all output belongs to the command.
    Running,
}

/// Receives the output of a command under sudo, answers the prompt, and passes on the output of the
/// command.
pub(in crate::connection::sudo) struct SudoListener {
    recorder: Option<Recorder>,
    dialog: SharedDialog,
    /// The stream with sudo's messages.
    stream: Stream,
    markers: DialogMarkers,
    password: Option<Secret>,
    input: CommandInput,
    phase: Phase,
    pending: Vec<u8>,
    /// The number of bytes before the start of the command.
    bytes_before_start: usize,
    /// True if the command has written to the other stream.
    has_other_output: bool,
}

impl SudoListener {
    /// Creates the listener and the dialog of an attempt, with or without a password. sudo writes
    /// to stderr, and on a pty to stdout.
    pub(in crate::connection::sudo) fn new(
        recorder: Recorder,
        markers: DialogMarkers,
        password: Option<Secret>,
    ) -> (Self, SharedDialog) {
        let dialog = Arc::new(Mutex::new(SudoDialog::new(markers.program)));
        let phase = match (&markers.ready, &password) {
            (None, None) => Phase::Undecided,
            _ => Phase::Starting,
        };
        let listener = Self {
            recorder: Some(recorder),
            dialog: Arc::clone(&dialog),
            stream: Stream::Stderr,
            markers,
            password,
            input: CommandInput::default(),
            phase,
            pending: Vec::new(),
            bytes_before_start: 0,
            has_other_output: false,
        };
        (listener, dialog)
    }

    /// Expects sudo's messages on stdout, for a pty.
    pub(in crate::connection::sudo) fn on_pty(mut self) -> Self {
        self.stream = Stream::Stdout;
        self
    }

    /// Sets the stdin of the command, sent after its start.
    pub(in crate::connection::sudo) fn with_input(mut self, input: CommandInput) -> Self {
        self.input = input;
        self
    }

    fn pass_on(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if let (Some(recorder), false) = (&mut self.recorder, bytes.is_empty()) {
            recorder.receive(stream, bytes, answer);
        }
    }

    /// Processes output before the start of the command.
    fn process_starting(&mut self, answer: &mut Answer) {
        loop {
            let prompt = self.markers.prompt.find(&self.pending);
            let ready = self.markers.ready.as_ref().and_then(|ready| find(&self.pending, ready.as_bytes()));
            match (&prompt, ready) {
                (_, Some(at)) if prompt.as_ref().is_none_or(|prompt| at < prompt.start) => {
                    let length = self.markers.ready.as_ref().map_or(0, String::len);
                    self.take_sudo_text(at..at + length);
                    return self.start_command(answer);
                }
                (Some(prompt), _) => {
                    self.take_sudo_text(prompt.clone());
                    if self.answer_password_prompt(answer) && self.markers.ready.is_none() {
                        self.phase = Phase::Undecided;
                        return self.process_undecided(answer);
                    }
                }
                (None, _) => break,
            }
        }
        // PAM may prompt for more than the password: a code, or a new password after expiry.
        let question = self.password.as_ref().and_then(|_| find_question(self.markers.program, &self.pending));
        let refusal = |question| match SudoRefusal::parse(self.markers.program, &self.pending) {
            expired @ SudoRefusal::Expired(_) => expired,
            _ => SudoRefusal::Other(format!("an unknown prompt `{question}` was not answered")),
        };
        let question = question.map(refusal);
        // A hostile host could print endlessly.
        let text = || {
            format!("the host printed more than {} MiB before the start of the command", MAX_BYTES_BEFORE_START >> 20)
        };
        let too_long = (self.bytes_before_start > MAX_BYTES_BEFORE_START).then(|| SudoRefusal::Other(text()));
        lock(&self.dialog).pending_question = too_long.or(question);
        let excess = self.pending.len().saturating_sub(MAX_TEXT_LEN);
        self.pending.drain(..excess);
    }

    /// Answers the first prompt with the password, and never a second prompt. Returns `true` if an
    /// answer was sent.
    fn answer_password_prompt(&mut self, answer: &mut Answer) -> bool {
        let prompt_count = {
            let mut dialog = lock(&self.dialog);
            dialog.prompt_count += 1;
            dialog.prompt_count
        };
        match &self.password {
            Some(password) if prompt_count == 1 => {
                answer.write_secret([password.expose().as_bytes(), b"\n"].concat());
                // A command started by sudo itself reports no start, and has no stdin.
                if self.markers.ready.is_none() {
                    answer.end();
                }
                true
            }
            _ => {
                answer.end();
                false
            }
        }
    }

    /// Processes output possibly from sudo, if no shell of fabrs reports the start of the command.
    fn process_undecided(&mut self, answer: &mut Answer) {
        let could_be_sudo = match (&self.password, &self.markers.prompt) {
            (Some(_), PasswordPrompt::Marker(marker)) => {
                let second_prompt = [TRY_AGAIN, marker.as_bytes()].concat();
                second_prompt.starts_with(&self.pending) || self.pending.starts_with(&second_prompt)
            }
            _ => self.pending.len() < MAX_TEXT_LEN && is_only_sudo_text(self.markers.program, &self.pending),
        };
        if could_be_sudo {
            if self.markers.prompt.find(&self.pending).is_some() {
                lock(&self.dialog).prompt_count += 1;
            }
            return;
        }
        // With insults, sudo prints another message for a wrong password. The password therefore
        // counts as accepted only after a few seconds, or at the end of the command.
        self.phase = Phase::Running;
        let pending = std::mem::take(&mut self.pending);
        self.process_running(&pending, answer);
    }

    /// Processes output of the command on the stream of sudo's messages.
    fn process_running(&mut self, bytes: &[u8], answer: &mut Answer) {
        if self.markers.ready.is_none() {
            let mut dialog = lock(&self.dialog);
            dialog.add_text(bytes);
            // With insults, sudo prints another message before its next prompt.
            if self.password.is_some() && self.markers.prompt.find(bytes).is_some() {
                dialog.prompt_count += 1;
            }
        }
        self.pass_on(self.stream, bytes, answer);
    }

    fn take_sudo_text(&mut self, mark: Range<usize>) {
        let rest = self.pending.split_off(mark.end);
        self.pending.truncate(mark.start);
        lock(&self.dialog).add_text(&self.pending);
        self.pending = rest;
    }

    fn start_command(&mut self, answer: &mut Answer) {
        self.phase = Phase::Running;
        lock(&self.dialog).pending_question = None;
        SudoDialog::mark_accepted(&self.dialog);
        let CommandInput { prefix, rest } = std::mem::take(&mut self.input);
        if !prefix.is_empty() {
            answer.write(prefix);
        }
        match rest {
            RemainingInput::End => answer.end(),
            RemainingInput::Answers => {}
            RemainingInput::Pieces(pieces) => match lock(&pieces).take() {
                Some(pieces) => answer.stream(pieces),
                None => answer.end(),
            },
        }
        let pending = std::mem::take(&mut self.pending);
        self.pass_on(self.stream, &pending, answer);
    }

    /// Returns `true` if the command ended without having started, according to the output.
    fn was_refused(&self, end: &Completion) -> bool {
        let CommandOutcome::Exited(status) = &end.outcome else { return false };
        let dialog = lock(&self.dialog);
        match (self.phase, &self.markers.ready) {
            (Phase::Starting, _) => true,
            (Phase::Running, Some(_)) => false,
            // Only an exit like sudo's, without other output, can mean that sudo refused the
            // command.
            (Phase::Undecided | Phase::Running, _) => {
                let refusal =
                    SudoRefusal::parse(self.markers.program, &[dialog.text.as_slice(), &self.pending].concat());
                match (status, refusal) {
                    // To change an expired password, sudo writes to both streams.
                    (ExitStatus::Code(1), SudoRefusal::Expired(_)) => true,
                    // All output has the prefix and the exit code of sudo. "command not found" is
                    // an ordinary failure of the command, as in any shell.
                    (ExitStatus::Code(1), SudoRefusal::Other(_)) => {
                        let is_sudo_text = self.phase == Phase::Undecided
                            && self.pending.starts_with(message_prefix(self.markers.program).as_bytes())
                            && !self.pending.ends_with(b": command not found\n");
                        !self.has_other_output && (dialog.prompt_count > 1 || is_sudo_text)
                    }
                    (ExitStatus::Code(1), SudoRefusal::Missing) => false,
                    (ExitStatus::Code(1), _) | (ExitStatus::Code(127), SudoRefusal::Missing) => !self.has_other_output,
                    _ => false,
                }
            }
        }
    }
}

impl fmt::Debug for SudoListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SudoListener").field("phase", &self.phase).field("dialog", &self.dialog).finish_non_exhaustive()
    }
}

impl OutputReceiver for SudoListener {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if stream != self.stream {
            self.has_other_output = true;
            return self.pass_on(stream, bytes, answer);
        }
        match self.phase {
            Phase::Starting => {
                self.bytes_before_start = self.bytes_before_start.saturating_add(bytes.len());
                self.pending.extend_from_slice(bytes);
                self.process_starting(answer);
            }
            Phase::Undecided => {
                self.pending.extend_from_slice(bytes);
                self.process_undecided(answer);
            }
            Phase::Running => self.process_running(bytes, answer),
        }
    }

    fn ended(&mut self, end: &Completion) {
        if self.was_refused(end) {
            let mut dialog = lock(&self.dialog);
            dialog.add_text(&self.pending);
            let recorder = self.recorder.take();
            dialog.refused_attempt = Some(RefusedAttempt { recorder, end: end.clone() });
            return;
        }
        // A command killed by fabrs may have ended before sudo has checked the password.
        if matches!(end.outcome, CommandOutcome::Exited(_) | CommandOutcome::Truncated(..)) {
            SudoDialog::mark_accepted(&self.dialog);
        } else {
            lock(&self.dialog).on_accepted = None;
        }
        let pending = std::mem::take(&mut self.pending);
        if self.phase == Phase::Undecided {
            self.pass_on(self.stream, &pending, &mut Answer::default());
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.ended(end);
        }
    }
}

/// Returns the unanswered question at the end of a text, if any. Messages of sudo itself are not
/// questions, even if a chunk ends inside a message.
pub(super) fn find_question(program: SudoProgram, text: &[u8]) -> Option<String> {
    let last = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_question =
        matches!(last.trim_ascii_end().last(), Some(b':' | b'?')) && !last.starts_with(program.name().as_bytes());
    is_question.then(|| escape_all_controls(String::from_utf8_lossy(last).trim()))
}

/// Returns `true` if all lines of a text have the prefix of a program. The last line may be
/// incomplete.
fn is_only_sudo_text(program: SudoProgram, text: &[u8]) -> bool {
    let name = message_prefix(program);
    let name = name.as_bytes();
    text.split_inclusive(|byte| *byte == b'\n').all(|line| line.starts_with(name) || name.starts_with(line))
}

/// Returns the prefix of the program's messages.
fn message_prefix(program: SudoProgram) -> String {
    format!("{}: ", program.name())
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, mark)
}
