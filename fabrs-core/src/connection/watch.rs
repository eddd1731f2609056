//! Answering what a command asks on its output.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use memchr::memmem;

use super::input_values::StdinBytes;
use crate::error::{Error, ErrorKind};
use crate::event::Stream;
use crate::secret::Secret;
use crate::transport::Answer;

/// How much of what was unmatched is kept for a text that comes in chunks.
const MAX_UNMATCHED_LEN: usize = 64 << 10;

/// Watches the output of a command and may answer: for `.watch(..)`.
///
/// It is called from the task that empties the command's channel and must not wait.
pub trait Watcher: Send + fmt::Debug {
    /// Takes a chunk of output, cut anywhere; what is put into `answer` is written to the command.
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer);

    /// Returns why the command has to count as failed, whatever its status.
    fn failure(&self) -> Option<Error> {
        None
    }

    /// Is told that nothing more will come.
    fn ended(&mut self) {}

    /// Returns what it may answer that must not be shown.
    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

/// Answers each occurrence of a text, on whichever stream it comes, also when it comes in chunks.
///
/// ```
/// use fabrs_core::Secret;
/// use fabrs_core::connection::Responder;
///
/// let yes = Responder::new("Really? ", "yes\n");
/// let password = Responder::new("Password: ", Secret::new("hunter2")).refused_by("Sorry");
/// ```
#[derive(Clone)]
pub struct Responder {
    text: Vec<u8>,
    answer: Bytes,
    secret: Option<Secret>,
    sentinel: Option<Vec<u8>>,
    /// Whether it answers no more than once.
    is_once: bool,
    has_answered: bool,
    is_refused: bool,
    unmatched: [Vec<u8>; 2],
}

impl Responder {
    /// Makes one that writes `answer` whenever `text` comes: as it is, so a line needs its end; a [`Secret`] is written as a
    /// line. The answer is in no event and no error; a terminal that echoes what is typed shows it, as it would a person's,
    /// unless it is a [`Secret`].
    pub fn new(text: impl Into<String>, answer: impl Into<StdinBytes>) -> Self {
        let (answer, secret) = answer.into().into_parts();
        let line_end: &[u8] = if secret.is_some() { b"\n" } else { b"" };
        Self {
            text: text.into().into_bytes(),
            answer: [&answer[..], line_end].concat().into(),
            secret,
            sentinel: None,
            is_once: false,
            has_answered: false,
            is_refused: false,
            unmatched: Default::default(),
        }
    }

    /// Says by which text the command refuses an answer: that is an error of kind [`Prompt`](ErrorKind::Prompt), nothing
    /// is answered any more, and the command's input ends.
    #[must_use]
    pub fn refused_by(mut self, sentinel: impl Into<String>) -> Self {
        self.sentinel = Some(sentinel.into().into_bytes());
        self
    }

    /// Answers the first occurrence alone, on each command that it is given to.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// Returns the end of the first text that is in what was unmatched of a stream.
    fn find(&self, at: usize) -> Option<(usize, bool)> {
        let unmatched = self.unmatched.get(at)?;
        let end =
            |text: &[u8]| memmem::find(unmatched, text).filter(|_| !text.is_empty()).map(|start| start + text.len());
        let asked = end(&self.text).filter(|_| !(self.is_once && self.has_answered)).map(|end| (end, false));
        let refused = self.sentinel.as_deref().filter(|_| self.has_answered).and_then(end).map(|end| (end, true));
        asked.into_iter().chain(refused).min()
    }
}

impl Watcher for Responder {
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        let at = usize::from(stream == Stream::Stderr);
        if let Some(unmatched) = self.unmatched.get_mut(at) {
            unmatched.extend_from_slice(bytes);
        }
        while let Some((end, refused)) = self.find(at).filter(|_| !self.is_refused) {
            if let Some(unmatched) = self.unmatched.get_mut(at) {
                unmatched.drain(..end);
            }
            if refused {
                self.is_refused = true;
                answer.end();
            } else {
                self.has_answered = true;
                answer.write(self.answer.clone());
            }
        }
        if let Some(unmatched) = self.unmatched.get_mut(at) {
            unmatched.drain(..unmatched.len().saturating_sub(MAX_UNMATCHED_LEN));
        }
    }

    fn secrets(&self) -> Vec<Secret> {
        self.secret.iter().cloned().collect()
    }

    fn failure(&self) -> Option<Error> {
        let text = || format!("the answer to `{}` was not accepted", String::from_utf8_lossy(&self.text).trim_end());
        self.is_refused.then(|| Error::new(ErrorKind::Prompt, text()))
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("text", &String::from_utf8_lossy(&self.text)).finish_non_exhaustive()
    }
}

/// The watchers of one command, which its recorder asks and its future looks at afterwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<Vec<Box<dyn Watcher>>>>);

impl Watchers {
    pub(super) fn add(&self, watch: Box<dyn Watcher>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(watch);
    }

    pub(super) fn receive(&self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        for watch in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            watch.receive(stream, bytes, answer);
        }
    }

    pub(super) fn ended(&self) {
        for watch in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            watch.ended();
        }
    }

    pub(super) fn failure(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find_map(|watch| watch.failure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how often something was answered, and whether the input ended.
    fn answers(responder: &mut Responder, chunks: &[&str]) -> (usize, bool) {
        let mut answer = Answer::default();
        for chunk in chunks {
            responder.receive(Stream::Stdout, chunk.as_bytes(), &mut answer);
        }
        answer.parts()
    }

    #[test]
    fn every_prompt_is_answered_also_across_chunk_boundaries() {
        let responder = || Responder::new("sure? ", "y\n");
        assert_eq!(answers(&mut responder(), &["are you sure? ", "really sure? "]), (2, false));
        assert_eq!(answers(&mut responder(), &["su", "re", "? sure?", " sure?"]), (2, false));
        assert_eq!(answers(&mut responder(), &["nothing of the kind"]), (0, false));
    }

    #[test]
    fn a_once_responder_answers_only_the_first_prompt() {
        let mut responder = Responder::new("sure? ", "y\n").once().refused_by("Sorry");
        assert_eq!(answers(&mut responder, &["sure? ", "really sure? "]), (1, false));
        assert_eq!(answers(&mut responder, &["Sorry"]), (0, true), "and it is still refused");
    }

    #[test]
    fn a_refused_answer_is_an_error_and_is_not_repeated() {
        let mut responder = Responder::new("Password: ", "secret\n").refused_by("Sorry");
        assert_eq!(answers(&mut responder, &["Sorry for the delay. Password: "]), (1, false));
        assert!(responder.failure().is_none(), "before the answer it says nothing");
        assert_eq!(answers(&mut responder, &["Sor", "ry. Password: "]), (0, true));
        assert_eq!(responder.failure().map(|error| error.kind()), Some(ErrorKind::Prompt));
        assert!(!format!("{responder:?}").contains("secret"));
    }
}
