//! Checks of `fabrs.toml` and the command line before `tasks.rs` is compiled.
//!
//! The compiled tool repeats these checks with knowledge of the tasks.

use std::path::Path;

use fabrs_core::config::{Config, Environment, did_you_mean, read_text};
use fabrs_core::{Registry, Result};
use fabrs_project::Project;

use crate::arguments::unknown_task_error;

/// Checks `fabrs.toml`, and the first argument for a misspelled environment.
///
/// # Errors
///
/// - The errors of [`Config::find`].
/// - [`ErrorKind::Usage`](fabrs_core::ErrorKind::Usage) for a misspelled environment.
pub(crate) fn check(project: &Project, words: &[String]) -> Result<()> {
    let config = config(&project.root, Some(&project.tasks_file))?;
    let names: Vec<&str> = config.environments().iter().map(Environment::name).collect();
    match words.first() {
        Some(word) if is_misspelled_environment(word, &names, &project.tasks_file) => {
            Err(unknown_task_error(word, &Registry::new(), &names))
        }
        _ => Ok(()),
    }
}

/// Returns the configuration of a folder before its tasks are known. The built-in environment
/// `vagrant` is left out if `tasks` may define a task of the same name.
///
/// # Errors
///
/// The errors of [`Config::find`].
pub(crate) fn config(folder: &Path, tasks: Option<&Path>) -> Result<Config> {
    let config = Config::find(folder)?;
    let lacks_task = |tasks| read_text(tasks).is_ok_and(|source| lacks_task(Environment::VAGRANT_NAME, &source));
    Ok(if tasks.is_none_or(lacks_task) { config.with_vagrant_environment(folder) } else { config })
}

/// Returns `true` if a word resembles the name of an environment and can't be the name of a task.
fn is_misspelled_environment(word: &str, environments: &[&str], tasks: &Path) -> bool {
    !environments.contains(&word)
        && did_you_mean(&word.replace('_', "-"), environments.iter().copied()).is_some()
        && read_text(tasks).is_ok_and(|source| lacks_task(word, &source))
}

/// Returns `true` if no task can have this name: all tasks are in one file, and the file does not
/// contain the word. Tasks in modules and in other crates are unknown before compilation.
fn lacks_task(word: &str, source: &str) -> bool {
    let has_modules = ["mod ", "include", "```", "macro_rules"].iter().any(|other| source.contains(other));
    let spellings = [word.to_owned(), word.replace('-', "_"), word.replace('_', "-")];
    !has_modules && !spellings.iter().any(|spelling| source.contains(spelling.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_known_to_be_missing_only_in_a_single_source_file() {
        let source = "use fabrs::prelude::*;\n#[task(alias = \"up-now\")] async fn db_backup() -> Result { Ok(()) }";
        assert!(lacks_task("stagin", source));
        assert!(!lacks_task("db-backup", source) && !lacks_task("up_now", source));
        for other in ["mod db;", "//! ```cargo", "include!(\"x.rs\");"] {
            assert!(!lacks_task("stagin", &format!("{source}\n{other}")), "{other}");
        }
    }
}
