//! Redaction of errors.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::cause_text::{CauseText, chain};
use crate::error::error::{Error, Source};
use crate::secret::Redactor;

impl Error {
    /// Returns the error with its secrets redacted. If there was a secret, the causes lose their
    /// types and become text.
    pub(crate) fn redacted(self, redactor: &Redactor) -> Self {
        let has_any = |text: &str| matches!(redactor.text(text), Cow::Owned(_));
        let output = self.output().is_some_and(|output| has_any(output.command()));
        if !output && !has_any(&self.block().to_string()) {
            return self;
        }
        let clean = |text: &str| redactor.text(text).into_owned();
        let hint = self.block().hint().map(clean);
        let source = std::error::Error::source(&self).map(|source| clean(&chain(source)));
        self.with(|inner| {
            inner.message = clean(&inner.message).into();
            inner.hint = hint.map(Cow::Owned);
            inner.source = source.map(|text| Arc::new(CauseText(text)) as Source);
            inner.output = inner.output.take().map(|output| output.redacted(redactor));
        })
    }
}
