//! Asking a person: behind all that was told, and keeping out of sight what is typed in secret.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use crate::error::Result;
use crate::event::Sink;
use crate::secret::{Redactor, Secret};
use crate::transport::Ask;

/// Asks as another does, when all that was told is written, and keeps the secret answers out of what the run shows.
#[derive(Debug)]
pub(super) struct Remember {
    ask: Arc<dyn Ask>,
    redactor: Redactor,
    sink: Arc<dyn Sink>,
}

impl Remember {
    pub(super) fn new(ask: Arc<dyn Ask>, redactor: Redactor, sink: Arc<dyn Sink>) -> Self {
        Self { ask, redactor, sink }
    }
}

impl Ask for Remember {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        // What was told before the question stands before it.
        self.sink.flush();
        self.ask.line(question)
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        self.sink.flush();
        async move { self.ask.secret(question).await.inspect(|secret| self.redactor.add(secret)) }.boxed()
    }

    fn available(&self) -> bool {
        self.ask.available()
    }
}
