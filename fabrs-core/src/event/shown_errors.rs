//! The errors of tasks: which are new, and which have been shown of another host.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, GroupedErrors};
use crate::host::Host;

/// The errors of a run so far.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Each block with the tasks and hosts that met it.
    blocks: HashMap<String, HashSet<(String, Option<Host>)>>,
    /// The current task.
    task: String,
    /// The errors of the current task, of hosts that met them by themselves.
    grouped: GroupedErrors,
    /// The order in which the hosts have started with the current task: that of the plan.
    order: HashMap<Host, usize>,
}

/// An error to show.
#[derive(Debug)]
pub(super) struct Failure {
    /// The errors of an earlier task, to be shown before it.
    pub(super) before: GroupedErrors,
    pub(super) form: Form,
}

/// The form in which an error is shown.
#[derive(Debug)]
pub(super) enum Form {
    /// As a block.
    Block,
    /// As one line: this host has met an equal error in the same task.
    SameAs(Host),
    /// Not at all: it is the error of another host, which has been shown.
    Known,
}

impl Failures {
    /// Adds the error of a host in a task.
    pub(super) fn add(&self, task: &str, host: Option<&Host>, error: &Error) -> Failure {
        let mut state = self.state();
        let mut before = GroupedErrors::default();
        if !state.is_new(task, host, error) {
            return Failure { before, form: Form::Known };
        }
        let Some(host) = host.filter(|host| error.host() == Some(host)) else {
            return Failure { before, form: Form::Block };
        };
        // A host that fails twice in one task was given to the task twice.
        if state.task != task || state.grouped.has(host, error) {
            before = state.begin(task);
        }
        let form = state.grouped.add(host, error).map_or(Form::Block, Form::SameAs);
        Failure { before, form }
    }

    /// Takes the errors that were added since the last call.
    pub(super) fn take(&self) -> GroupedErrors {
        self.state().take()
    }

    /// Notes that a task has started on a host. Takes the errors of the task before, if it is another one.
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Tells whether an error is to be shown.
    ///
    /// An error that concerns several hosts arrives here once for each of them, and is shown once. The same block from
    /// a task and host that met it before is something that happened again, and is shown again.
    fn is_new(&mut self, task: &str, host: Option<&Host>, error: &Error) -> bool {
        let block = error.block().to_string();
        let is_first = !self.blocks.contains_key(&block);
        let met_by = self.blocks.entry(block).or_default();
        let key = (task.to_owned(), host.cloned());
        let is_again = met_by.contains(&key);
        if is_again {
            met_by.clear();
        }
        met_by.insert(key);
        is_first || is_again
    }
}
