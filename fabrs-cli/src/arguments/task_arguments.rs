//! Arguments of a task: the parser built from the task's parameters, and the parsed values.

use clap::{Arg, ArgAction, Command};
use fabrs_core::Result;
use fabrs_core::task::{Param, ParamKind, RawArgs, Task};

use super::options::{GlobalOptions, bare_command, global_arguments};
use super::usage_error::usage_error;

/// Returns the parser of a task's options. The parser also accepts the options of `fab`, except
/// options redefined by the task.
pub(crate) fn task_command(task: &'static Task) -> Command {
    let own: Vec<Arg> = task.params.iter().flat_map(parameter_arguments).collect();
    let global = global_arguments().into_iter().filter_map(|argument| {
        let long = own.iter().any(|arg| arg.get_long() == argument.get_long());
        let short = own.iter().any(|arg| arg.get_short().is_some() && arg.get_short() == argument.get_short());
        (!long).then(|| if short { argument.short(None) } else { argument }.hide(true))
    });
    let global: Vec<Arg> = global.collect();
    bare_command(task.shown_name()).args(own).args(global)
}

/// Returns the options of a parameter. A flag with the default `true` has two: `--NAME` and
/// `--no-NAME`.
fn parameter_arguments(param: &'static Param) -> Vec<Arg> {
    let name = param.shown_name();
    let help = param.docs.lines().collect::<Vec<_>>().join(" ");
    let option = Arg::new(param.name).long(name.clone()).help(help.clone());
    let option = match param.short {
        Some(letter) => option.short(letter),
        None => option,
    };
    let value_name = param.name.to_uppercase();
    match param.kind {
        ParamKind::Flag if param.is_on_by_default() => {
            let off = Arg::new(negated_id(param)).long(format!("no-{name}")).help(help).action(ArgAction::SetTrue);
            let on = option.action(ArgAction::SetTrue).hide(true).overrides_with(negated_id(param));
            vec![on, off]
        }
        ParamKind::Flag => vec![option.action(ArgAction::SetTrue)],
        ParamKind::Required => vec![option.value_name(value_name).allow_hyphen_values(true)],
        ParamKind::Optional => {
            let help = match param.default {
                Some(default) => format!("{help} [default: {default}]").trim_start().to_owned(),
                None => help,
            };
            vec![option.value_name(value_name).help(help).allow_hyphen_values(true)]
        }
        ParamKind::List => {
            vec![option.value_name(value_name).action(ArgAction::Append).allow_hyphen_values(true)]
        }
    }
}

fn negated_id(param: &Param) -> String {
    format!("no-{}", param.name)
}

/// Parses the arguments of a task.
///
/// `positionals` are the values of required parameters, in the order of the parameters. Options of
/// `fab` among `options` are added to `global_options`.
pub(super) fn parse_task_arguments(
    task: &'static Task,
    options: &[String],
    positionals: &[(&'static Param, String)],
    global_options: &mut GlobalOptions,
) -> Result<RawArgs> {
    let hint = format!("see `fab --help {}` for its arguments", task.shown_name());
    let matches = task_command(task).try_get_matches_from(options).map_err(|error| usage_error(&error, &hint))?;
    global_options.merge(&matches);
    let mut args = RawArgs::new(task);
    for (param, value) in positionals {
        args.push(param, value.as_str());
    }
    for param in task.params {
        match param.kind {
            ParamKind::Flag if matches.get_flag(param.name) => args.push(param, "true"),
            ParamKind::Flag if param.is_on_by_default() && matches.get_flag(&negated_id(param)) => {
                args.push(param, "false");
            }
            ParamKind::Flag => {}
            ParamKind::Required | ParamKind::Optional | ParamKind::List => {
                for value in matches.get_many::<String>(param.name).into_iter().flatten() {
                    args.push(param, value.as_str());
                }
            }
        }
    }
    Ok(args)
}
