//! The arguments of one task: what clap is told of them, and what it read.

use clap::{Arg, ArgAction, Command};
use fabrs_core::Result;
use fabrs_core::task::{Param, ParamKind, RawArgs, Task};

use super::globals::{self, Globals, bare, usage};

/// Returns the command that reads a task's arguments, and the options of `fab` that it leaves free.
pub(crate) fn task_command(task: &'static Task) -> Command {
    let own: Vec<Arg> = task.params.iter().flat_map(arguments).collect();
    let free = globals::arguments().into_iter().filter_map(|global| {
        let long = own.iter().any(|arg| arg.get_long() == global.get_long());
        let short = own.iter().any(|arg| arg.get_short().is_some() && arg.get_short() == global.get_short());
        (!long).then(|| if short { global.short(None) } else { global }.hide(true))
    });
    let free: Vec<Arg> = free.collect();
    bare(task.shown_name()).args(own).args(free)
}

/// Returns a parameter's options: one, two for a switch that is on by default.
fn arguments(param: &'static Param) -> Vec<Arg> {
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
            let off = Arg::new(off_id(param)).long(format!("no-{name}")).help(help).action(ArgAction::SetTrue);
            let on = option.action(ArgAction::SetTrue).hide(true).overrides_with(off_id(param));
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

fn off_id(param: &Param) -> String {
    format!("no-{}", param.name)
}

/// Reads what was typed for a task: `options` by clap, `positionals` in the order of the parameters that need a value.
pub(super) fn read(
    task: &'static Task,
    options: &[String],
    positionals: &[(&'static Param, String)],
    globals: &mut Globals,
) -> Result<RawArgs> {
    let hint = format!("`fab --help {}` shows what it takes", task.shown_name());
    let matches = task_command(task).try_get_matches_from(options).map_err(|error| usage(&error, &hint))?;
    globals.absorb(&matches);
    let mut args = RawArgs::new(task);
    for (param, value) in positionals {
        args.push(param, value.as_str());
    }
    for param in task.params {
        match param.kind {
            ParamKind::Flag if matches.get_flag(param.name) => args.push(param, "true"),
            ParamKind::Flag if param.is_on_by_default() && matches.get_flag(&off_id(param)) => {
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
