//! The talk with sudo before a command begins: its prompt is answered, and none of its words reach the output.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::super::recorder::Recorder;
use super::refusal::{PASSWORD_NEEDED, SudoRefusal, TERMINAL_NEEDED};
use crate::event::Stream;
use crate::output::ExitStatus;
use crate::secret::Secret;
use crate::transport::{Answer, End, How, Receive};

/// How much of what sudo says is kept.
const LONGEST: usize = 16 << 10;
/// What sudo says between a wrong password and its next prompt, unless it was taught insults.
const TRY_AGAIN: &[u8] = b"Sorry, try again.\n";

/// What of sudo's is to be recognised: texts made by chance for this one attempt.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    /// Its prompt.
    pub(super) prompt: String,
    /// What the shell that it starts writes first; nothing where it starts the command itself.
    pub(super) ready: Option<String>,
}

/// What came of a talk.
#[derive(Debug, Default)]
pub(super) struct Talk {
    said: Vec<u8>,
    asked: usize,
    unfinished: Option<Unfinished>,
}

/// A talk that its listener fills and the command's future reads.
pub(super) type SharedTalk = Arc<Mutex<Talk>>;

/// A command that sudo did not run: its recorder, for another attempt. Dropped, it is told as ended.
#[derive(Debug)]
pub(super) struct Unfinished {
    recorder: Option<Recorder>,
    end: End,
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

impl Talk {
    /// Returns why sudo did not run the command, and what is left of the attempt; nothing where it did.
    pub(super) fn refusal(talk: &SharedTalk) -> Option<(SudoRefusal, Unfinished)> {
        let mut talk = lock(talk);
        let unfinished = talk.unfinished.take()?;
        let refusal = match talk.asked {
            // It asks again only if it did not like the answer.
            2.. => SudoRefusal::PasswordWrong,
            _ => SudoRefusal::read(&talk.said),
        };
        Some((refusal, unfinished))
    }
}

/// Where a talk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing of the command can have come yet: what is heard is sudo's.
    Before,
    /// What is heard may be sudo's, as long as it is what sudo would say.
    Perhaps,
    /// The command runs, and what is heard is its own.
    Runs,
}

/// Listens to a command under sudo, answers its prompt, and passes on what is the command's.
#[derive(Debug)]
pub(super) struct Listener {
    recorder: Option<Recorder>,
    talk: SharedTalk,
    /// Where sudo speaks.
    stream: Stream,
    marks: Marks,
    password: Option<Secret>,
    /// What the command is to read; what its watchers answer, where there are such.
    input: Option<Bytes>,
    phase: Phase,
    held: Vec<u8>,
    /// Whether the command has written to the other stream.
    written: bool,
}

impl Listener {
    /// Makes the listener of an attempt with or without a password, and the talk that it fills. On a pty sudo speaks on
    /// stdout.
    pub(super) fn new(recorder: Recorder, marks: Marks, password: Option<Secret>) -> (Self, SharedTalk) {
        let talk = SharedTalk::default();
        let phase = match (&marks.ready, &password) {
            (None, None) => Phase::Perhaps,
            _ => Phase::Before,
        };
        let listener = Self {
            recorder: Some(recorder),
            talk: Arc::clone(&talk),
            stream: Stream::Stderr,
            marks,
            password,
            input: Some(Bytes::new()),
            phase,
            held: Vec::new(),
            written: false,
        };
        (listener, talk)
    }

    /// Listens where sudo speaks on a pty.
    pub(super) fn on_pty(mut self) -> Self {
        self.stream = Stream::Stdout;
        self
    }

    /// Gives the command this to read, once it runs; without, its input is left to its watchers.
    pub(super) fn with_input(mut self, input: Option<Bytes>) -> Self {
        self.input = input;
        self
    }

    fn pass_on(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if let (Some(recorder), false) = (&mut self.recorder, bytes.is_empty()) {
            recorder.receive(stream, bytes, answer);
        }
    }

    /// Goes through what was heard before the command runs.
    fn before(&mut self, answer: &mut Answer) {
        loop {
            let prompt = find(&self.held, self.marks.prompt.as_bytes());
            let ready = self.marks.ready.as_ref().and_then(|ready| find(&self.held, ready.as_bytes()));
            match (prompt, ready) {
                (_, Some(at)) if prompt.is_none_or(|prompt| at < prompt) => {
                    let length = self.marks.ready.as_ref().map_or(0, String::len);
                    self.take_said(at, length);
                    return self.begin(answer);
                }
                (Some(at), _) => {
                    self.take_said(at, self.marks.prompt.len());
                    if self.answer_prompt(answer) && self.marks.ready.is_none() {
                        self.phase = Phase::Perhaps;
                        return self.perhaps(answer);
                    }
                }
                (None, _) => break,
            }
        }
        // PAM may ask for more than the password: a code, or a new password for one that has expired.
        if self.password.is_some() && is_question(&self.held) {
            answer.end();
        }
        let excess = self.held.len().saturating_sub(LONGEST);
        self.held.drain(..excess);
    }

    /// Answers a prompt, true where there was an answer: the password once, and never a second time.
    fn answer_prompt(&mut self, answer: &mut Answer) -> bool {
        let asked = {
            let mut talk = lock(&self.talk);
            talk.asked += 1;
            talk.asked
        };
        match &self.password {
            Some(password) if asked == 1 => {
                answer.write([password.expose().as_bytes(), b"\n"].concat());
                // A command that sudo starts itself gives no sign of its beginning, and has nothing to read.
                if self.marks.ready.is_none() {
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

    /// Goes through what sudo may have said where no shell of ours tells when the command begins.
    fn perhaps(&mut self, answer: &mut Answer) {
        let could_be = |said: &[u8]| said.starts_with(&self.held) || self.held.starts_with(said);
        let refused = match self.password {
            None => PASSWORD_NEEDED.iter().chain([&TERMINAL_NEEDED]).any(|said| could_be(said.as_bytes())),
            Some(_) => could_be(&[TRY_AGAIN, self.marks.prompt.as_bytes()].concat()),
        };
        if refused {
            if find(&self.held, self.marks.prompt.as_bytes()).is_some() {
                lock(&self.talk).asked += 1;
            }
            return;
        }
        self.phase = Phase::Runs;
        let held = std::mem::take(&mut self.held);
        self.runs(&held, answer);
    }

    /// Takes what the command writes where sudo spoke before.
    fn runs(&mut self, bytes: &[u8], answer: &mut Answer) {
        if self.marks.ready.is_none() {
            let mut talk = lock(&self.talk);
            let room = LONGEST.saturating_sub(talk.said.len()).min(bytes.len());
            talk.said.extend_from_slice(bytes.get(..room).unwrap_or_default());
            // Taught insults, it says something else before it asks again.
            if self.password.is_some() && find(bytes, self.marks.prompt.as_bytes()).is_some() {
                talk.asked += 1;
            }
        }
        self.pass_on(self.stream, bytes, answer);
    }

    fn take_said(&mut self, at: usize, mark: usize) {
        let rest = self.held.split_off(at + mark);
        self.held.truncate(at);
        lock(&self.talk).said.append(&mut self.held);
        self.held = rest;
    }

    fn begin(&mut self, answer: &mut Answer) {
        self.phase = Phase::Runs;
        if let Some(input) = self.input.take() {
            if !input.is_empty() {
                answer.write(input);
            }
            answer.end();
        }
        let held = std::mem::take(&mut self.held);
        self.pass_on(self.stream, &held, answer);
    }

    /// Tells whether the command ended without having run, as far as can be known.
    fn was_refused(&self, end: &End) -> bool {
        let How::Exited(status) = &end.how else { return false };
        let talk = lock(&self.talk);
        match (self.phase, &self.marks.ready) {
            (Phase::Before, _) => true,
            (Phase::Runs, Some(_)) => false,
            // Only a command that wrote nothing else, and ended as sudo does, can be one that sudo ended.
            (Phase::Perhaps, _) => *status == ExitStatus::Code(1) && !self.held.is_empty() && !self.written,
            (Phase::Runs, None) => match (status, SudoRefusal::read(&talk.said)) {
                // To change a password it writes to both streams.
                (ExitStatus::Code(1), SudoRefusal::Expired(_)) => true,
                (ExitStatus::Code(1), refusal) => {
                    !self.written && (talk.asked > 1 || matches!(refusal, SudoRefusal::NotAllowed(_)))
                }
                (ExitStatus::Code(127), SudoRefusal::Missing) => !self.written,
                _ => false,
            },
        }
    }
}

impl Receive for Listener {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        if stream != self.stream {
            self.written = true;
            return self.pass_on(stream, bytes, answer);
        }
        match self.phase {
            Phase::Before => {
                self.held.extend_from_slice(bytes);
                self.before(answer);
            }
            Phase::Perhaps => {
                self.held.extend_from_slice(bytes);
                self.perhaps(answer);
            }
            Phase::Runs => self.runs(bytes, answer),
        }
    }

    fn ended(&mut self, end: &End) {
        if self.was_refused(end) {
            let mut talk = lock(&self.talk);
            talk.said.append(&mut self.held);
            let recorder = self.recorder.take();
            talk.unfinished = Some(Unfinished { recorder, end: end.clone() });
            return;
        }
        let held = std::mem::take(&mut self.held);
        if self.phase == Phase::Perhaps {
            self.pass_on(self.stream, &held, &mut Answer::default());
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.ended(end);
        }
    }
}

/// Tells whether a text ends in a question that waits for its answer.
fn is_question(text: &[u8]) -> bool {
    matches!(text.trim_ascii_end().last(), Some(b':' | b'?')) && text.last() != Some(&b'\n')
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, mark)
}

fn lock(talk: &SharedTalk) -> MutexGuard<'_, Talk> {
    talk.lock().unwrap_or_else(PoisonError::into_inner)
}
