//! Helper `sudo`: a replacement for `sudo` with its common options. Never prompts for a password.
//!
//! The machine's `sudo` cannot work inside a host, because the owner of its file has no user ID in
//! the host. The helper executes the command in its own process, so a signal to the process group
//! ends the command.

use std::ffi::OsString;
use std::io::{Write, stderr, stdout};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::{Arg, ArgAction, ArgMatches};
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::passwd::{PasswdEntry, find_group_id};
use crate::root::paths::BIN;

/// The search path for commands, as in `secure_path` of Debian.
const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The variables of the caller passed to the command.
const KEPT_VARIABLES: [&str; 9] =
    ["TERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LC_TIME", "COLORTERM", "DISPLAY"];

/// Executes a command as another user. Returns only on failure.
pub(super) fn sudo(arguments: Vec<OsString>) -> ExitCode {
    let matches = match options().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return print_error(error.to_string().trim_end()),
    };
    match exec_command(&matches) {
        Ok(code) => code,
        Err(text) => print_error(&format!("sudo: {text}")),
    }
}

fn print_error(text: &str) -> ExitCode {
    let _ = writeln!(stderr(), "{text}");
    ExitCode::FAILURE
}

fn options() -> clap::Command {
    let switch = |letter: char, long: &'static str| Arg::new(long).short(letter).long(long).action(ArgAction::SetTrue);
    let value = |letter: char, long: &'static str| Arg::new(long).short(letter).long(long).action(ArgAction::Set);
    clap::Command::new("sudo")
        .no_binary_name(true)
        .args_override_self(true)
        .args([
            // Options for prompts have no effect, because the helper never prompts.
            switch('n', "non-interactive"),
            switch('S', "stdin"),
            switch('A', "askpass"),
            switch('B', "bell"),
            switch('k', "reset-timestamp"),
            switch('K', "remove-timestamp"),
            value('p', "prompt"),
        ])
        .args([
            value('u', "user").default_value("root"),
            value('g', "group"),
            switch('H', "set-home"),
            switch('i', "login"),
            switch('s', "shell"),
            switch('v', "validate"),
            switch('l', "list"),
            value('D', "chdir"),
            switch('E', "preserve-environment"),
            Arg::new("preserve-env")
                .long("preserve-env")
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value(""),
        ])
        .arg(Arg::new("words").num_args(0..).trailing_var_arg(true).value_parser(clap::value_parser!(OsString)))
}

fn exec_command(matches: &ArgMatches) -> Result<ExitCode, String> {
    let option = |id: &str| matches.get_one::<String>(id).map(String::as_str);
    let name = option("user").unwrap_or("root");
    let target = PasswdEntry::find(name).ok_or_else(|| format!("unknown user {name}"))?;
    let gid = match option("group") {
        Some(group) => find_group_id(group).ok_or_else(|| format!("unknown group {group}"))?,
        None => target.gid,
    };
    let caller = PasswdEntry::current();
    let caller = caller.as_ref().map_or("", |caller| caller.name.as_str());
    let flag = |id: &str| matches.get_flag(id);
    let words: Vec<OsString> = matches.get_many("words").into_iter().flatten().cloned().collect();
    let shown = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let (variables, words) = split_assignments(words);
    if flag("list") {
        let _ = writeln!(stdout(), "User {caller} may run the following commands:\n    (ALL : ALL) NOPASSWD: ALL");
        return Ok(ExitCode::SUCCESS);
    }
    let needs_no_command = ["validate", "reset-timestamp", "remove-timestamp"].into_iter().any(flag);
    let is_shell = flag("login") || flag("shell");
    if words.is_empty() && !is_shell {
        return if needs_no_command { Ok(ExitCode::SUCCESS) } else { Err("a command is needed".to_owned()) };
    }

    let environment = environment(matches, &target, caller, &shown);
    become_user(&target, gid).map_err(|_| format!("{caller} is not in the sudoers file"))?;
    let mut command = if is_shell { shell_command(&target, &words, flag("login"))? } else { program_command(&words)? };
    command.env_clear().envs(environment).envs(variables);
    let dir = if flag("login") { Some(target.home.as_str()) } else { option("chdir") };
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    let failure = command.exec();
    Err(format!("unable to execute {}: {failure}", command.get_program().to_string_lossy()))
}

/// Splits the leading assignments `NAME=value` from the command.
fn split_assignments(words: Vec<OsString>) -> (Vec<(OsString, OsString)>, Vec<OsString>) {
    let pair = |word: &OsString| {
        let (name, value) = word.to_str()?.split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| (name.into(), value.into()))
    };
    let set: Vec<_> = words.iter().map_while(pair).collect();
    let rest = words.into_iter().skip(set.len()).collect();
    (set, rest)
}

fn environment(matches: &ArgMatches, target: &PasswdEntry, caller: &str, shown: &str) -> Vec<(OsString, OsString)> {
    let listed = matches.get_one::<String>("preserve-env").map(String::as_str);
    let all = matches.get_flag("preserve-environment") || listed == Some("");
    let listed: Vec<&str> = listed.unwrap_or_default().split(',').collect();
    let is_kept = |name: &OsString| {
        let name = name.to_string_lossy();
        all || KEPT_VARIABLES.contains(&&*name) || listed.contains(&&*name)
    };
    let mut kept: Vec<(OsString, OsString)> = std::env::vars_os().filter(|(name, _)| is_kept(name)).collect();
    let keeps_home = all && !matches.get_flag("set-home") && !matches.get_flag("login");
    let home = if keeps_home { None } else { Some(("HOME", target.home.clone())) };
    let own = [
        ("PATH", format!("{BIN}:{SECURE_PATH}")),
        ("SHELL", target.shell.clone()),
        ("USER", target.name.clone()),
        ("LOGNAME", target.name.clone()),
        ("SUDO_USER", caller.to_owned()),
        ("SUDO_UID", rustix::process::getuid().as_raw().to_string()),
        ("SUDO_GID", rustix::process::getgid().as_raw().to_string()),
        ("SUDO_COMMAND", shown.to_owned()),
    ];
    kept.extend(own.into_iter().chain(home).map(|(name, value)| (name.into(), value.into())));
    kept
}

fn become_user(target: &PasswdEntry, gid: u32) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(target.uid), Gid::from_raw(gid));
    if rustix::process::geteuid() != uid || rustix::process::getegid() != gid {
        let groups: Vec<Gid> = target.groups().into_iter().map(Gid::from_raw).collect();
        rustix::thread::set_thread_groups(&groups)?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    // Only root keeps the capabilities for changing the user.
    if !uid.is_root() {
        rustix::thread::clear_ambient_capability_set()?;
        let empty = CapabilitySet::empty();
        rustix::thread::set_capabilities(
            None,
            CapabilitySets { effective: empty, permitted: empty, inheritable: empty },
        )?;
    }
    Ok(())
}

fn program_command(words: &[OsString]) -> Result<Command, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("a command is needed".to_owned()) };
    let shown = program.to_string_lossy();
    let is_path = shown.contains('/');
    let found = SECURE_PATH.split(':').map(|dir| Path::new(dir).join(program)).find(|path| path.is_file());
    let own = Path::new(BIN).join(program);
    let path = match found {
        _ if is_path => program.into(),
        // Prefer the replacement of this crate. The machine's `sudo` fails inside a host, or is
        // missing.
        _ if own.is_file() => own,
        Some(path) => path,
        None => return Err(format!("{shown}: command not found")),
    };
    let mut command = Command::new(path);
    command.arg0(program).args(arguments);
    Ok(command)
}

/// Returns the target user's shell, with `words` quoted into one command line.
fn shell_command(target: &PasswdEntry, words: &[OsString], login: bool) -> Result<Command, String> {
    let name = target.shell.rsplit('/').next().unwrap_or_default();
    let mut command = Command::new(&target.shell);
    command.arg0(if login { format!("-{name}") } else { name.to_owned() });
    if !words.is_empty() {
        let words: Option<Vec<&str>> = words.iter().map(|word| word.to_str()).collect();
        let words = words.ok_or("an argument is not UTF-8")?;
        command.arg("-c").arg(shlex::try_join(words).map_err(|error| error.to_string())?);
    }
    Ok(command)
}
