//! [`Registry`]: the tasks of a program.

use super::task_types::Task;
use crate::error::{Error, ErrorKind, Result};

/// A task linked into the program by `#[task]`.
#[derive(Debug)]
pub struct Registration(pub &'static Task);

inventory::collect!(Registration);

/// The tasks of a program, sorted by name.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    tasks: Vec<&'static Task>,
}

impl Registry {
    /// Returns an empty registry, for a program with its own list of tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all tasks linked into this program.
    pub fn linked() -> Self {
        inventory::iter::<Registration>().fold(Self::new(), |registry, found| registry.task(found.0))
    }

    /// Adds a task.
    ///
    /// ```
    /// use fabrs_core::task::{Registry, Task};
    ///
    /// fn registry(deploy: &'static Task) -> Registry {
    ///     Registry::new().task(deploy)
    /// }
    /// ```
    pub fn task(mut self, task: &'static Task) -> Self {
        let index = self.tasks.partition_point(|other| (other.name, other.line) <= (task.name, task.line));
        self.tasks.insert(index, task);
        self
    }

    /// Returns all tasks, sorted by name.
    pub fn tasks(&self) -> &[&'static Task] {
        &self.tasks
    }

    /// Returns the default task. The default task runs if the command line contains no task.
    pub fn default_task(&self) -> Option<&'static Task> {
        self.tasks.iter().find(|task| task.default).copied()
    }

    /// Returns the task with this name. Dashes and underscores are equal.
    pub fn find(&self, name: &str) -> Option<&'static Task> {
        self.tasks.iter().find(|task| task.is_named(name)).copied()
    }

    /// Checks the tasks together: no two tasks have the same name, at most one task is the default,
    /// and no task has the name of an environment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with the file and line of each task.
    pub fn check<'a>(&self, environments: impl IntoIterator<Item = &'a str>) -> Result<()> {
        for (n, task) in self.tasks.iter().enumerate() {
            for other in self.tasks.iter().skip(n + 1) {
                if task.is_named(other.name) || other.aliases.iter().any(|alias| task.is_named(alias)) {
                    let text = format!("two tasks have the name `{}`: {}", task.shown_name(), positions(task, other));
                    return Err(Error::new(ErrorKind::Usage, text).hint("rename one of them"));
                }
                if task.default && other.default {
                    let names = format!("`{}` and `{}`", task.shown_name(), other.shown_name());
                    let text = format!("two tasks are the default, {names}: {}", positions(task, other));
                    return Err(Error::new(ErrorKind::Usage, text).hint("remove `default` from one of them"));
                }
            }
        }
        for environment in environments {
            if let Some(task) = self.find(environment) {
                let text = format!("`{environment}` is both an environment and a task ({}:{})", task.file, task.line);
                return Err(Error::new(ErrorKind::Usage, text).hint("rename one of them"));
            }
        }
        Ok(())
    }
}

fn positions(one: &Task, other: &Task) -> String {
    format!("{}:{} and {}:{}", one.file, one.line, other.file, other.line)
}
