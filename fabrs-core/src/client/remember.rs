//! Keeping out of sight what a person has typed in secret.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use crate::error::Result;
use crate::secret::{Redactor, Secret};
use crate::transport::Ask;

/// Asks as another does, and keeps the secret answers out of what the run shows.
#[derive(Debug)]
pub(super) struct Remember {
    ask: Arc<dyn Ask>,
    redactor: Redactor,
}

impl Remember {
    pub(super) fn new(ask: Arc<dyn Ask>, redactor: Redactor) -> Self {
        Self { ask, redactor }
    }
}

impl Ask for Remember {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        self.ask.line(question)
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async move { self.ask.secret(question).await.inspect(|secret| self.redactor.add(secret)) }.boxed()
    }

    fn available(&self) -> bool {
        self.ask.available()
    }
}
