//! A prompter with scripted answers. It records the prompts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use fabrs::transport::Prompter;
use fabrs::{Error, ErrorKind, Result, Secret};
use futures::future::{BoxFuture, FutureExt};

/// Answers prompts in order. A prompt after the last answer is an error.
#[derive(Debug, Clone)]
pub(crate) struct ScriptedPrompter {
    left: Arc<Mutex<VecDeque<String>>>,
    prompts: Arc<Mutex<Vec<String>>>,
}

impl ScriptedPrompter {
    pub(crate) fn new<'a>(answers: impl IntoIterator<Item = &'a str>) -> Self {
        let left = answers.into_iter().map(str::to_owned).collect();
        Self { left: Arc::new(Mutex::new(left)), prompts: Arc::default() }
    }

    /// Returns the prompts so far.
    pub(crate) fn prompts(&self) -> Vec<String> {
        self.prompts.lock().expect("no test panics while holding the lock").clone()
    }

    fn answer(&self, question: &str) -> Result<String> {
        self.prompts.lock().expect("no test panics while holding the lock").push(question.to_owned());
        let answer = self.left.lock().expect("no test panics while holding the lock").pop_front();
        answer.ok_or_else(|| Error::new(ErrorKind::Prompt, format!("the script has no answer to `{question}`")))
    }
}

impl Prompter for ScriptedPrompter {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<String>> {
        async move { self.answer(question) }.boxed()
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Result<Secret>> {
        async move { self.answer(question).map(Secret::new) }.boxed()
    }

    fn is_available(&self) -> bool {
        true
    }
}
