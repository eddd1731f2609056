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
    /// Returns an empty registry, for a program that lists its tasks itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all tasks linked into this program.
    pub fn linked() -> Self {
        inventory::iter::<Registration>().fold(Self::new(), |registry, found| registry.task(found.0))
    }

    /// Adds a task.
    pub fn task(mut self, task: &'static Task) -> Self {
        let place = self.tasks.partition_point(|other| (other.name, other.line) <= (task.name, task.line));
        self.tasks.insert(place, task);
        self
    }

    /// Returns all tasks, sorted by name.
    pub fn tasks(&self) -> &[&'static Task] {
        &self.tasks
    }

    /// Returns the default task, which runs if the command line names none.
    pub fn default_task(&self) -> Option<&'static Task> {
        self.tasks.iter().find(|task| task.default).copied()
    }

    /// Returns the task with this name. Dashes and underscores are equal.
    pub fn find(&self, name: &str) -> Option<&'static Task> {
        self.tasks.iter().find(|task| task.is_named(name)).copied()
    }

    /// Checks the tasks together: no two with one name, at most one default, and none with the
    /// name of an environment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with the file and line of each task.
    pub fn check<'a>(&self, environments: impl IntoIterator<Item = &'a str>) -> Result<()> {
        for (n, task) in self.tasks.iter().enumerate() {
            for other in self.tasks.iter().skip(n + 1) {
                if task.is_named(other.name) || other.aliases.iter().any(|alias| task.is_named(alias)) {
                    return Err(conflict("two tasks have the name", task, other));
                }
                if task.default && other.default {
                    return Err(conflict("two tasks are the default, one of them", task, other));
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

fn conflict(what: &str, one: &Task, other: &Task) -> Error {
    let text = format!("{what} `{}`: {}:{} and {}:{}", one.shown_name(), one.file, one.line, other.file, other.line);
    Error::new(ErrorKind::Usage, text).hint("rename one of them")
}
