//! Pages printed on stdout: `--help`, `--version`, and `--list` as text and as JSON.

use std::fmt::Write as _;

use fabrs_core::config::{Config, Environment, Selection};
use fabrs_core::task::{Param, ParamKind, Task};
use fabrs_core::{ExitCode, Registry};
use serde_json::{Value, json};

use crate::arguments::{global_command, task_command};

/// Returns the general help page of `fab`.
pub(crate) fn general_page() -> String {
    let mut text = String::from(
        "Runs tasks from a tasks.rs file, or a shell line, on hosts over SSH.\n\n\
         Usage: fab [OPTIONS] [ENVIRONMENT] TASK [ARGUMENTS] [TASK [ARGUMENTS]]...\n       \
         fab [OPTIONS] [ENVIRONMENT] [-H HOSTS] -- SHELL LINE\n\n",
    );
    text.push_str(&options_table(global_command()));
    text.push_str("\nExit codes:\n");
    for (code, meaning) in ExitCode::ALL {
        let _ = writeln!(text, "  {:>3}    {meaning}", code.code());
    }
    text.push_str(
        "  128+n  ended by signal n\n\n\
         On a single host, `fab -H HOST -- SHELL LINE` exits with the exit status of the shell line.\n",
    );
    text
}

/// Returns the line printed by `--version`.
pub(crate) fn version_line() -> String {
    format!("fab {}\n", env!("CARGO_PKG_VERSION"))
}

/// Returns the help page of a task: documentation, usage, options, hosts and source location.
pub(crate) fn task_page(task: &'static Task) -> String {
    let mut text = String::new();
    if !task.docs.is_empty() {
        text.push_str(task.docs);
        text.push_str("\n\n");
    }
    let _ = writeln!(text, "Usage: fab [OPTIONS] {}", usage_line(task));
    let own = options_table(task_command(task));
    if !own.is_empty() {
        text.push('\n');
        text.push_str(&own);
    }
    let hosts = match task.selection {
        Selection::Inherit => "the hosts of the environment, or of `-H`".to_owned(),
        Selection::Local => "this machine".to_owned(),
        Selection::Hosts(hosts) => format!("{}, or the hosts of `-H`", hosts.join(", ")),
        Selection::Role(role) => format!("the hosts of the role `{role}`, or of `-H`"),
        Selection::HostsAndRole(hosts, role) => {
            format!("{}, then the hosts of the role `{role}`, or the hosts of `-H`", hosts.join(", "))
        }
        selection => format!("{selection:?}"),
    };
    let _ = write!(text, "\nRuns on: {hosts}");
    if let Some(rolling) = task.rolling {
        let _ = write!(text, ", {rolling} at a time");
    }
    if task.sudo {
        text.push_str("; sudo is checked before the run");
    }
    let _ = writeln!(text, "\nDefined in: {}:{}", task.file, task.line);
    text
}

/// Returns the usage of a task: `deploy SERVICE [--tag TAG]`.
fn usage_line(task: &Task) -> String {
    let mut text = task.shown_name();
    for param in task.params {
        let (name, value) = (param.shown_name(), param.name.to_uppercase());
        let _ = match param.kind {
            ParamKind::Required => write!(text, " {value}"),
            ParamKind::Flag if param.is_on_by_default() => write!(text, " [--no-{name}]"),
            ParamKind::Flag => write!(text, " [--{name}]"),
            ParamKind::Optional => write!(text, " [--{name} {value}]"),
            ParamKind::List => write!(text, " [--{name} {value}]..."),
        };
    }
    text
}

/// Returns the table of options, formatted by clap.
fn options_table(command: clap::Command) -> String {
    let text = command.help_template("{all-args}").render_help().to_string();
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// Returns the list of tasks, followed by the environments and their hosts.
pub(crate) fn task_list(registry: &Registry, config: &Config) -> String {
    let mut text = String::new();
    let names: Vec<(String, String)> = registry.tasks().iter().map(|task| task_row(task)).collect();
    let width = names.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    if names.is_empty() {
        text.push_str("No tasks: mark functions in tasks.rs with `#[task]`.\n");
    } else {
        text.push_str("Tasks:\n");
    }
    for (name, summary) in names {
        let _ = writeln!(text, "{}", format!("  {name:width$}  {summary}").trim_end());
    }
    let environments = config.environments();
    if !environments.is_empty() {
        text.push_str("\nEnvironments:\n");
        let width = environments.iter().map(|environment| environment.name().chars().count()).max().unwrap_or(0);
        for environment in environments {
            let mut hosts: Vec<String> = environment.all_hosts().iter().map(ToString::to_string).collect();
            if environment.vagrant().is_some_and(<[_]>::is_empty) {
                hosts.push("all Vagrant machines".to_owned());
            }
            let row = format!("  {:width$}  {}", environment.name(), hosts.join(", "));
            let _ = writeln!(text, "{}", row.trim_end());
        }
    }
    text
}

/// Returns the tasks and environments as a line of JSON.
pub(crate) fn json_task_list(registry: &Registry, config: &Config) -> String {
    let parameters = |task: &Task| -> Vec<Value> {
        let parameter = |param: &Param| {
            json!({
                "name": param.shown_name(),
                "short": param.short,
                "doc": param.docs,
                "kind": match param.kind {
                    ParamKind::Required => "required",
                    ParamKind::Optional => "optional",
                    ParamKind::Flag => "flag",
                    ParamKind::List => "list",
                },
                "type": param.type_name,
                "default": param.default,
            })
        };
        task.params.iter().map(parameter).collect()
    };
    let task = |task: &Task| {
        json!({
            "name": task.shown_name(),
            "aliases": task.aliases,
            "doc": task.docs,
            "default": task.default,
            "parameters": parameters(task),
        })
    };
    let tasks: Vec<Value> = registry.tasks().iter().map(|known| task(known)).collect();
    let environments: Vec<&str> = config.environments().iter().map(Environment::name).collect();
    format!("{}\n", json!({ "tasks": tasks, "environments": environments }))
}

fn task_row(task: &Task) -> (String, String) {
    let mut name = task.shown_name();
    if !task.aliases.is_empty() {
        let _ = write!(name, " ({})", task.aliases.join(", "));
    }
    let summary = task.summary().to_owned();
    let summary = if task.default { format!("{summary} (default)").trim_start().to_owned() } else { summary };
    (name, summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_hosts_without_a_query_of_vagrant() {
        let text = "[env.vagrant]\nvagrant = true\nhosts = ['a']\n[env.named]\nvagrant = ['web', 'db']\n\
                    [env.live]\nhosts = ['web[1-2]']\n";
        let config = Config::parse(text, "fabrs.toml".as_ref()).unwrap();
        assert_eq!(
            task_list(&Registry::new(), &config),
            "No tasks: mark functions in tasks.rs with `#[task]`.\n\nEnvironments:\n  \
             vagrant  a, all Vagrant machines\n  named    web, db\n  live     web1, web2\n"
        );
    }
}
