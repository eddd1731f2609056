//! Asking a person: behind all that was told, until the run is stopped, and keeping out of sight what is typed in secret.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use super::add_secret;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Held, Sink};
use crate::secret::{Redactor, Secret};
use crate::transport::{Ask, Level, RunStop};

/// Asks as another does, when all that was told is written, and keeps the secret answers out of what the run shows.
#[derive(Debug)]
pub(super) struct Remember {
    ask: Arc<dyn Ask>,
    redactor: Redactor,
    sink: Arc<dyn Sink>,
    stop: RunStop,
}

impl Remember {
    pub(super) fn new(ask: Arc<dyn Ask>, redactor: Redactor, sink: Arc<dyn Sink>, stop: RunStop) -> Self {
        Self { ask, redactor, sink, stop }
    }

    /// Waits for an answer until the run is stopped: one that comes later is none, whatever it says.
    async fn answer<T>(&self, question: &str, answer: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let answer = async {
            // Earlier output is shown before the question, and later output after the answer.
            let _held = Held::of(&self.sink).await;
            answer.await
        };
        tokio::select! {
            biased;
            _ = self.stop.above(Level::Run) => {
                Err(Error::new(ErrorKind::Cancelled, format!("not answered: {}", question.trim_end())))
            }
            answer = answer => answer,
        }
    }
}

impl Ask for Remember {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        self.answer(question, self.ask.line(question)).boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        let keep = |secret: &Secret| add_secret(&self.redactor, self.sink.as_ref(), secret);
        let answer = async move { self.ask.secret(question).await.inspect(keep) };
        self.answer(question, answer).boxed()
    }

    fn available(&self) -> bool {
        self.ask.available()
    }
}
