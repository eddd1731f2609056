//! A task as data: its name, its parameters, where it runs.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::config::{Selection, Settings};
use crate::connection::Connection;
use crate::error::{Error, TaskError};
use crate::group::Strategy;

/// A task: plain data that `#[task]` writes down beside the function.
///
/// Everything a list or a help page needs is here without running anything.
pub struct Task {
    /// The function's name, as written.
    pub name: &'static str,
    /// The module it stands in.
    pub module: &'static str,
    /// The file it stands in.
    pub file: &'static str,
    /// The line it stands on.
    pub line: u32,
    /// Its doc comment, dedented; the first line is its summary.
    pub docs: &'static str,
    /// Its parameters, in order.
    pub params: &'static [Param],
    /// Where it runs unless hosts are typed.
    pub selection: Selection<'static>,
    /// On how many hosts at a time, where it says so.
    pub rolling: Option<usize>,
    /// Whether it uses sudo, which is then tried on each of its hosts before the run begins.
    pub sudo: bool,
    /// Whether it shows what is pending and has that approved before it changes anything ([`Client::approve`]).
    ///
    /// [`Client::approve`]: crate::Client::approve
    pub defer_approval: bool,
    /// The name of the lock that it needs on all its hosts.
    pub lock: Option<&'static str>,
    /// Whether it runs when no task is named.
    pub default: bool,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// Makes a call of it out of arguments as they were typed.
    pub bind: fn(&RawArgs) -> Result<Call<()>, Error>,
}

impl Task {
    /// Returns the name as it is typed and shown: `build_docs` is `build-docs`.
    pub fn shown_name(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Returns how it is spread over its hosts under these settings.
    pub fn strategy(&self, settings: &Settings) -> Strategy {
        let strategy = Strategy::of(settings);
        let rolling = self.rolling.and_then(NonZeroUsize::new);
        Strategy { limit: rolling.map_or(strategy.limit, |rolling| settings.parallel_limit_for(rolling)), ..strategy }
    }

    /// Returns the first line of its documentation.
    pub fn summary(&self) -> &'static str {
        self.docs.lines().next().unwrap_or_default()
    }

    /// Tells whether `typed` is its name or one of its aliases, with dashes or underscores.
    pub fn is_named(&self, typed: &str) -> bool {
        let typed = typed.replace('-', "_");
        self.name == typed || self.aliases.iter().any(|alias| alias.replace('-', "_") == typed)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("file", &self.file)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// One parameter of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Its name, as written.
    pub name: &'static str,
    /// The letter of its short form.
    pub short: Option<char>,
    /// Its doc comment, dedented.
    pub docs: &'static str,
    /// How it is given.
    pub kind: ParamKind,
    /// Its type as written, for messages.
    pub type_name: &'static str,
    /// Its default as written, where it has one.
    pub default: Option<&'static str>,
}

impl Param {
    /// Returns the name as it is typed and shown: `dry_run` is `dry-run`.
    pub fn shown_name(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Tells whether it is a switch that is on by default, so that `--no-NAME` turns it off.
    pub fn is_on_by_default(&self) -> bool {
        self.kind == ParamKind::Flag && self.default == Some("true")
    }
}

/// How a parameter is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// A switch: `--name`, and `--no-name` where it is on by default.
    Flag,
    /// Needed: by position, or `--name VALUE`.
    Required,
    /// May be left out: `--name VALUE`.
    Optional,
    /// Any number of times: `--name A --name B`.
    List,
}

/// The arguments of one call as they were typed: texts by parameter.
#[derive(Debug, Clone)]
pub struct RawArgs {
    pub(super) task: &'static Task,
    pub(super) values: HashMap<&'static str, Vec<String>>,
}

pub(super) type Body<T> = Arc<dyn Fn(Connection) -> BoxFuture<'static, Result<T, TaskError>> + Send + Sync>;

/// A task with its arguments bound: a value that can be planned, shown, and run on any number of hosts.
///
/// `deploy::call(tag)` makes a typed one. Awaited in a task, it runs on the host of that task if the called task declares
/// that host by its role or its hosts, and is an error of kind [`Usage`](crate::ErrorKind::Usage) otherwise. A task that declares no
/// hosts runs on any host. A `local` task runs on this machine. [`all`](Self::all) runs it on all hosts that it declares,
/// [`on`](Self::on) on a connection of your choice.
#[must_use = "a call does nothing until it is awaited or planned"]
pub struct Call<T = ()> {
    pub(super) task: &'static Task,
    pub(super) shown: Vec<(&'static str, String)>,
    pub(super) body: Body<T>,
}
