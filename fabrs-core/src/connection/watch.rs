//! [`Watcher`] and [`Responder`]: answers to prompts in the output of a command.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use memchr::memmem;

use super::input_values::StdinBytes;
use crate::error::{Error, ErrorKind};
use crate::event::Stream;
use crate::mutex::lock;
use crate::secret::Secret;
use crate::transport::Answer;

/// The maximum number of bytes kept per stream for a text split between chunks.
const MAX_UNMATCHED_LEN: usize = 64 << 10;

/// Reads the output of a command and may answer on stdin. See
/// [`Command::watch`](super::Command::watch).
///
/// The task of the command's channel calls the methods, so they must not block.
#[doc(alias = "StreamWatcher")]
pub trait Watcher: Send + fmt::Debug {
    /// Receives a chunk of output, possibly cut within a character. Bytes added to `answer` are
    /// written to the stdin of the command.
    fn receive(&mut self, stream: Stream, bytes: &[u8], answer: &mut Answer);

    /// Returns the error that fails the command, for any exit status. The default is no error.
    fn failure(&self) -> Option<Error> {
        None
    }

    /// Called at the end of the output.
    fn ended(&mut self) {}

    /// Returns the secrets among the answers, for redaction.
    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }
}

/// A watcher with one answer to one prompt. Each occurrence of the prompt on stdout or stderr is
/// answered, also if split between chunks.
///
/// ```
/// # use fabrs_core::Client;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let here = Client::builder().build().local()?;
/// use fabrs_core::connection::Responder;
///
/// let line = "printf 'Really? '; read answer; echo $answer";
/// let command = here.run(line).watch(Responder::new("Really? ", "yes\n"));
/// assert_eq!(command.line().await?, "Really? yes");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Responder {
    text: Vec<u8>,
    answer: Bytes,
    secret: Option<Secret>,
    sentinel: Option<Vec<u8>>,
    /// True if only the first occurrence is answered.
    is_once: bool,
    has_answered: bool,
    is_refused: bool,
    unmatched: [Vec<u8>; 2],
}

impl Responder {
    /// Creates a responder for the prompt `text`. The responder writes `answer` after each
    /// occurrence.
    ///
    /// Bytes are written unchanged, so a line needs a line end. A [`Secret`] is written as a line.
    /// The answer is not part of any event or error. A terminal with echo shows the answer in the
    /// output, unless the answer is a [`Secret`].
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

    /// Sets the text by which the command rejects an answer.
    ///
    /// After this text, the responder stops answering and ends the stdin of the command. The
    /// command then fails with an error of kind [`Prompt`](ErrorKind::Prompt).
    ///
    /// ```
    /// # use fabrs_core::{Client, ErrorKind, Secret};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// use fabrs_core::connection::Responder;
    ///
    /// let line = "printf 'Password: '; read word; echo Sorry; cat";
    /// let password = Responder::new("Password: ", Secret::new("hunter2")).refused_by("Sorry");
    /// let error = here.run(line).watch(password).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Prompt);
    /// # Ok(()) }
    /// ```
    #[must_use]
    #[doc(alias = "sentinel")]
    #[doc(alias = "FailingResponder")]
    pub fn refused_by(mut self, sentinel: impl Into<String>) -> Self {
        self.sentinel = Some(sentinel.into().into_bytes());
        self
    }

    /// Answers only the first occurrence in each command.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let here = Client::builder().build().local()?;
    /// use fabrs_core::connection::Responder;
    ///
    /// let line = "printf 'Name? '; read name; printf 'Name? '; echo $name";
    /// let command = here.run(line).watch(Responder::new("Name? ", "ann\n").once());
    /// assert_eq!(command.line().await?, "Name? Name? ann");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }

    /// Returns the end of the first match in the unmatched bytes of a stream, and `true` for a
    /// rejection.
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

/// The watchers of one command. The recorder passes output to them, and the future of the command
/// reads their failures.
#[derive(Debug, Clone, Default)]
pub(super) struct Watchers(Arc<Mutex<Vec<Box<dyn Watcher>>>>);

impl Watchers {
    pub(super) fn add(&self, watch: Box<dyn Watcher>) {
        lock(&self.0).push(watch);
    }

    pub(super) fn receive(&self, stream: Stream, bytes: &[u8], answer: &mut Answer) {
        for watch in lock(&self.0).iter_mut() {
            watch.receive(stream, bytes, answer);
        }
    }

    pub(super) fn ended(&self) {
        for watch in lock(&self.0).iter_mut() {
            watch.ended();
        }
    }

    pub(super) fn failure(&self) -> Option<Error> {
        lock(&self.0).iter().find_map(|watch| watch.failure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of answers, and `true` for an ended stdin.
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
        assert_eq!(answers(&mut responder, &["Sorry"]), (0, true), "a refusal is still detected");
    }

    #[test]
    fn a_refused_answer_is_an_error_and_is_not_repeated() {
        let mut responder = Responder::new("Password: ", "secret\n").refused_by("Sorry");
        assert_eq!(answers(&mut responder, &["Sorry for the delay. Password: "]), (1, false));
        assert!(responder.failure().is_none(), "text before the answer is no refusal");
        assert_eq!(answers(&mut responder, &["Sor", "ry. Password: "]), (0, true));
        assert_eq!(responder.failure().map(|error| error.kind()), Some(ErrorKind::Prompt));
        assert!(!format!("{responder:?}").contains("secret"));
    }
}
