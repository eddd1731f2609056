//! [`PromptGate`]: orders prompts and output, and redacts typed secrets.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use super::run_state::add_secret;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{PausedSink, Sink};
use crate::secret::{Redactor, Secret};
use crate::transport::{Prompter, StopLevel, StopSignal};

/// Wraps the prompter of a run: orders prompts and output, cancels a prompt when the run stops, and
/// adds typed secrets to the redacted values.
#[derive(Debug)]
pub(crate) struct PromptGate {
    prompter: Arc<dyn Prompter>,
    redactor: Redactor,
    sink: Arc<dyn Sink>,
    stop: StopSignal,
}

impl PromptGate {
    pub(crate) fn new(prompter: Arc<dyn Prompter>, redactor: Redactor, sink: Arc<dyn Sink>, stop: StopSignal) -> Self {
        Self { prompter, redactor, sink, stop }
    }

    /// Waits for an answer until the run stops. An answer after the stop is discarded.
    async fn answer<T>(&self, question: &str, answer: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let answer = async {
            // Earlier output appears before the question, and later output after the answer.
            let _held = PausedSink::of(&self.sink).await;
            answer.await
        };
        tokio::select! {
            biased;
            _ = self.stop.wait_above(StopLevel::None) => {
                Err(Error::new(ErrorKind::Cancelled, format!("the run was stopped before the prompt was answered: {}", question.trim_end())))
            }
            answer = answer => answer,
        }
    }
}

impl Prompter for PromptGate {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        self.answer(question, self.prompter.line(question)).boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        let add = |secret: &Secret| add_secret(&self.redactor, self.sink.as_ref(), secret);
        let answer = async move { self.prompter.secret(question).await.inspect(add) };
        self.answer(question, answer).boxed()
    }

    fn is_available(&self) -> bool {
        self.prompter.is_available()
    }
}
