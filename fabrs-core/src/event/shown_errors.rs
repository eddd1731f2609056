//! [`ShownErrors`]: avoids repeated error blocks.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use crate::error::{Error, GroupedErrors};
use crate::host::Host;
use crate::mutex::lock;

/// The errors of a run so far.
#[derive(Debug, Default)]
pub(super) struct ShownErrors(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The tasks and hosts that reported each block.
    blocks: HashMap<String, HashSet<(String, Option<Host>)>>,
    /// The current task.
    task: String,
    /// The errors of the current task that name the reporting host itself.
    grouped: GroupedErrors,
    /// The order in which the hosts started the current task. This is the order of the plan.
    order: HashMap<Host, usize>,
}

/// An error to show.
#[derive(Debug)]
pub(super) struct ErrorToShow {
    /// The errors of an earlier task, shown before this error.
    pub(super) before: GroupedErrors,
    pub(super) form: ErrorForm,
}

/// The display of an error.
#[derive(Debug)]
pub(super) enum ErrorForm {
    /// A block.
    Block,
    /// A line that refers to this host, with an equal error in the same task.
    SameAs(Host),
    /// No output: another host or task has already reported the error.
    Known,
}

impl ShownErrors {
    /// Adds the error of a host in a task.
    pub(super) fn add(&self, task: &str, host: Option<&Host>, error: &Error) -> ErrorToShow {
        let mut state = self.state();
        let mut before = GroupedErrors::default();
        if !state.is_new(task, host, error) {
            return ErrorToShow { before, form: ErrorForm::Known };
        }
        let Some(host) = host.filter(|host| error.host() == Some(host)) else {
            return ErrorToShow { before, form: ErrorForm::Block };
        };
        // A second equal error on a host means that the plan contains the task twice.
        if state.task != task || state.grouped.has(host, error) {
            before = state.begin(task);
        }
        let form = state.grouped.add(host, error).map_or(ErrorForm::Block, ErrorForm::SameAs);
        ErrorToShow { before, form }
    }

    /// Returns the errors added since the last call.
    pub(super) fn take(&self) -> GroupedErrors {
        self.state().take()
    }

    /// Records the start of a task on a host. Returns the errors of the previous task at its end.
    pub(super) fn start(&self, task: &str, host: Option<&Host>) -> GroupedErrors {
        let mut state = self.state();
        let before = if state.task == task { GroupedErrors::default() } else { state.begin(task) };
        if let Some(host) = host {
            let next = state.order.len();
            state.order.entry(host.clone()).or_insert(next);
        }
        before
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn begin(&mut self, task: &str) -> GroupedErrors {
        let before = self.take();
        task.clone_into(&mut self.task);
        self.order.clear();
        before
    }

    fn take(&mut self) -> GroupedErrors {
        let mut grouped = std::mem::take(&mut self.grouped);
        grouped.sort_by_key(|host| self.order.get(host).copied().unwrap_or(usize::MAX));
        grouped
    }

    /// Returns whether the error must be shown.
    ///
    /// An error of several hosts arrives once for each host and is shown once. If a task and host
    /// report the same block again, the error is new.
    fn is_new(&mut self, task: &str, host: Option<&Host>, error: &Error) -> bool {
        let block = error.block().to_string();
        let is_first = !self.blocks.contains_key(&block);
        let reporters = self.blocks.entry(block).or_default();
        let key = (task.to_owned(), host.cloned());
        let is_again = reporters.contains(&key);
        if is_again {
            reporters.clear();
        }
        reporters.insert(key);
        is_first || is_again
    }
}
