//! The options of `fab` itself, declared once for the parser and the help page.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fabrs_core::config::{
    Confirmation, DiffMode, Gateway, Layered, Mode, OnFailure, OnUnreachable, Order, PasswordSource, PromptPolicy,
    Settings, SshConfigSource,
};

/// The parsed options of `fab` itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct GlobalOptions {
    pub(crate) hosts: Vec<String>,
    pub(crate) excluded: Vec<String>,
    pub(crate) json: bool,
    pub(crate) list: bool,
    pub(crate) help: bool,
    pub(crate) version: bool,
    pub(crate) echo: bool,
    pub(crate) diff: Option<DiffMode>,
    user: Option<String>,
    port: Option<u16>,
    gateway: Option<Gateway>,
    forward_agent: Option<bool>,
    identities: Vec<PathBuf>,
    ssh_config: Option<PathBuf>,
    connect_timeout: Option<Duration>,
    command_timeout: Option<Duration>,
    parallel: Option<NonZeroUsize>,
    serial: bool,
    keep_going: bool,
    skip_bad_hosts: bool,
    warn_only: bool,
    wait: bool,
    no_input: bool,
    password_file: Option<PathBuf>,
    password_command: Option<String>,
    dry_run: bool,
    yes: Option<Confirmation>,
    override_freeze: Option<String>,
    override_stages: Option<String>,
}

/// Internal value of a `--yes` without a fingerprint. A NUL byte can't be part of an argument.
const ANY_FINGERPRINT: &str = "\0";

const CONNECTION_HEADING: &str = "Connection options";
const EXECUTION_HEADING: &str = "Execution options";
const OUTPUT_HEADING: &str = "Output options";

/// Returns the options of `fab` itself. A task may redefine an option or its letter.
pub(crate) fn global_arguments() -> Vec<Arg> {
    let group = |heading: &'static str, arguments: Vec<Arg>| {
        arguments.into_iter().map(move |argument| argument.help_heading(heading))
    };
    group(CONNECTION_HEADING, connection_arguments())
        .chain(group(EXECUTION_HEADING, execution_arguments()))
        .chain(group(OUTPUT_HEADING, output_arguments()))
        .collect()
}

fn value(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name(name).help(help).action(ArgAction::Set)
}

fn switch(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).help(help).action(ArgAction::SetTrue)
}

fn connection_arguments() -> Vec<Arg> {
    vec![
        value("hosts", "HOSTS", "Run on these hosts: `web1,web[2-4]`, `@FILE`, `@local`, `@demo`; may be repeated")
            .short('H')
            .action(ArgAction::Append),
        value("exclude-hosts", "HOSTS", "Exclude these hosts, written as for -H; may be repeated")
            .short('x')
            .action(ArgAction::Append),
        value("user", "USER", "Log in as this user").short('u'),
        value("port", "PORT", "Connect to this port").value_parser(value_parser!(u16).range(1..)),
        value("gateway", "HOST", "Connect through this gateway (jump host); `none` connects directly")
            .short('g')
            .value_parser(|text: &str| text.parse::<Gateway>()),
        switch("forward-agent", "Forward your SSH agent to the hosts").short('A'),
        switch("no-forward-agent", "Disable agent forwarding").short('a'),
        value("identity", "FILE", "Try this private key first; may be repeated")
            .short('i')
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf)),
        value("ssh-config", "FILE", "Read this ssh_config file instead of the user's and the system's")
            .short('S')
            .value_parser(value_parser!(PathBuf)),
        value(
            "connect-timeout",
            "SECONDS",
            "Fail if a host does not answer within this time [default: 10, 30 during login]",
        )
        .short('t')
        .value_parser(seconds),
    ]
}

fn execution_arguments() -> Vec<Arg> {
    vec![
        value("command-timeout", "SECONDS", "Stop a command after this time").short('T').value_parser(seconds),
        value("parallel", "N", "Run on at most N hosts at once [default: 64]")
            .short('P')
            .value_parser(|text: &str| text.parse::<NonZeroUsize>().map_err(|_| "expected a whole number above 0")),
        switch("serial", "Run on one host at a time"),
        switch("keep-going", "Continue with other hosts and tasks after a failure"),
        switch("skip-bad-hosts", "Skip unreachable hosts with a warning"),
        switch("warn-only", "Report a failed command as a warning").short('w'),
        switch("wait", "Wait for a lock held by another run instead of failing"),
        switch("dry-run", "Print commands and changes without executing them").short('n'),
        value(
            "yes",
            "FINGERPRINT",
            "Answer yes to all confirmations, or approve only the plan with FINGERPRINT, as printed by -n",
        )
        .short('y')
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value(ANY_FINGERPRINT)
        .value_parser(|text: &str| match text {
            ANY_FINGERPRINT => Ok(Confirmation::AssumeYes),
            _ if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Ok(Confirmation::Fingerprint(text.to_ascii_lowercase()))
            }
            _ => Err("expected `--yes`, or `--yes=` with the 16 hexadecimal digits printed by `-n`"),
        }),
        value("override-freeze", "REASON", "Deploy during a freeze window; the reason is recorded")
            .value_parser(override_reason),
        value("override-stages", "REASON", "Run a stage without the earlier stages; the reason is recorded")
            .value_parser(override_reason),
        switch("no-input", "Never prompt: use defaults, or fail if a prompt has no default"),
        value("password-file", "FILE", "Read the sudo password from the first line of this file")
            .value_parser(value_parser!(PathBuf)),
        value("password-command", "COMMAND", "Read the sudo password from the output of this local command"),
    ]
}

fn output_arguments() -> Vec<Arg> {
    vec![
        switch("list", "List the tasks and environments").short('l'),
        switch("echo", "Print each command before it runs").short('e'),
        value("diff", "FILES", "Print diffs of files readable by every user, or of all files with `--diff=all`")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("")
            .value_parser(|text: &str| match text {
                "" => Ok(DiffMode::Readable),
                "all" => Ok(DiffMode::All),
                _ => Err("expected `--diff` or `--diff=all`"),
            }),
        switch("json", "Print events as JSON lines; with --list, print the tasks as JSON"),
        switch("help", "Print this help, or the help of a task").short('h'),
        switch("version", "Print the version").short('V'),
    ]
}

/// Returns a command that parses only the options of `fab`.
pub(crate) fn global_command() -> Command {
    bare_command("fab").args(global_arguments())
}

/// Returns a command without the default options of clap.
pub(super) fn bare_command(name: impl Into<clap::builder::Str>) -> Command {
    Command::new(name).no_binary_name(true).disable_help_flag(true).disable_version_flag(true).args_override_self(true)
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or("expected a number of seconds above 0")
}

/// Parses a reason: one line of text, since logs and records have one line for each entry.
fn override_reason(text: &str) -> Result<String, &'static str> {
    let reason = text.trim();
    if reason.is_empty() || reason.contains(char::is_control) {
        return Err("expected a reason of one line");
    }
    Ok(reason.to_owned())
}

impl GlobalOptions {
    /// Adds the options in `matches` to this value. Options unknown to the command of `matches` are
    /// unchanged.
    pub(super) fn merge(&mut self, matches: &ArgMatches) {
        let flag = |id: &str| matches.try_get_one::<bool>(id).ok().flatten().is_some_and(|set| *set);
        self.hosts.extend(all_values::<String>(matches, "hosts"));
        self.excluded.extend(all_values::<String>(matches, "exclude-hosts"));
        self.identities.extend(all_values::<PathBuf>(matches, "identity"));
        set_if_given(&mut self.user, matches, "user");
        set_if_given(&mut self.port, matches, "port");
        set_if_given(&mut self.gateway, matches, "gateway");
        set_if_given(&mut self.ssh_config, matches, "ssh-config");
        set_if_given(&mut self.connect_timeout, matches, "connect-timeout");
        set_if_given(&mut self.command_timeout, matches, "command-timeout");
        set_if_given(&mut self.parallel, matches, "parallel");
        set_if_given(&mut self.password_file, matches, "password-file");
        set_if_given(&mut self.password_command, matches, "password-command");
        // The last of two opposite options counts, as in ssh.
        let position = |id: &str| if flag(id) { matches.index_of(id) } else { None };
        let (on, off) = (position("forward-agent"), position("no-forward-agent"));
        if on.is_some() || off.is_some() {
            self.forward_agent = Some(on > off);
        }
        self.json |= flag("json");
        self.list |= flag("list");
        self.help |= flag("help");
        self.version |= flag("version");
        self.echo |= flag("echo");
        set_if_given(&mut self.diff, matches, "diff");
        self.serial |= flag("serial");
        self.keep_going |= flag("keep-going");
        self.skip_bad_hosts |= flag("skip-bad-hosts");
        self.warn_only |= flag("warn-only");
        self.wait |= flag("wait");
        self.no_input |= flag("no-input");
        self.dry_run |= flag("dry-run");
        set_if_given(&mut self.yes, matches, "yes");
        set_if_given(&mut self.override_freeze, matches, "override-freeze");
        set_if_given(&mut self.override_stages, matches, "override-stages");
    }

    /// Returns the settings made by these options. The caller then applies the environment
    /// variables of this process, and `fabrs.toml`.
    pub(crate) fn settings(&self) -> Settings {
        Settings::default()
            .user(Layered::from_argument(self.user.clone()))
            .port(Layered::from_argument(self.port))
            .gateway(Layered::from_argument(self.gateway.clone()))
            .forward_agent(Layered::from_argument(self.forward_agent))
            .identities(self.identities.clone())
            .ssh_config(self.ssh_config.clone().map_or(SshConfigSource::Default, SshConfigSource::File))
            .connect_timeout(Layered::from_argument(self.connect_timeout))
            .command_timeout(self.command_timeout)
            .limit(self.parallel)
            .order(if self.serial { Order::Serial } else { Order::Parallel })
            .on_failure(if self.keep_going { OnFailure::Continue } else { OnFailure::Stop })
            .on_unreachable(if self.skip_bad_hosts { OnUnreachable::Skip } else { OnUnreachable::Fail })
            .warn_only(self.warn_only)
            .wait_for_locks(self.wait)
            .prompts(if self.no_input { PromptPolicy::Refuse } else { PromptPolicy::Allow })
            .sudo_password(match (&self.password_file, &self.password_command) {
                (Some(file), _) => PasswordSource::File(file.clone()),
                (None, Some(line)) => PasswordSource::Command(line.clone()),
                (None, None) => PasswordSource::Prompt,
            })
            .diff(self.diff.unwrap_or_default())
            .mode(if self.dry_run { Mode::DryRun } else { Mode::Run })
            .confirmation(self.yes.clone().unwrap_or_default())
            .override_freeze(self.override_freeze.clone())
            .override_stages(self.override_stages.clone())
    }
}

fn all_values<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Vec<T> {
    matches.try_get_many::<T>(id).ok().flatten().into_iter().flatten().cloned().collect()
}

fn set_if_given<T: Clone + Send + Sync + 'static>(into: &mut Option<T>, matches: &ArgMatches, id: &str) {
    if let Some(value) = matches.try_get_one::<T>(id).ok().flatten() {
        *into = Some(value.clone());
    }
}
