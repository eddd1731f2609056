//! [`CommandContext`]: directory, environment and prefixes of a command line, composed in a fixed
//! order.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::rendering::{Activation, ContextError, Language, Rendering};
use super::shell_text::{CONDA_ACTIVATION, NO_PYTHON, NO_VENV, in_shell, is_variable_name, read_variable};
use crate::config::Inventory;
use crate::connection::input_values::EnvValue;
use crate::connection::sudo::line::SudoOptions;
use crate::host::Host;
use crate::secret::{REDACTED, Secret};
use crate::shell::{ShellLine, grouped, quote, quote_path, sh_command};
use crate::transport::Program;

/// The context of a connection's commands. The fields are in the order of composition, outermost
/// first.
#[derive(Clone, Default)]
pub(in crate::connection) struct CommandContext {
    /// The user, group and program for commands under sudo.
    sudo: SudoOptions,
    /// The configured shell: a program with options. `None` for the login shell.
    shell: Option<String>,
    cwd: Option<String>,
    umask: Option<u32>,
    env: Vec<(String, EnvValue)>,
    /// The directories to search for programs first.
    paths: Vec<String>,
    prefixes: Vec<ShellLine>,
    /// The virtualenv for commands with [`Activation::Venv`].
    venv: Option<String>,
}

/// Shows the names of variables without their values.
impl fmt::Debug for CommandContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CommandContext")
            .field("sudo", &self.sudo)
            .field("shell", &self.shell)
            .field("cwd", &self.cwd)
            .field("umask", &self.umask)
            .field("env", &names)
            .field("paths", &self.paths)
            .field("prefixes", &self.prefixes)
            .field("venv", &self.venv)
            .finish()
    }
}

impl CommandContext {
    /// Returns the context configured in `fabrs.toml` for commands on a host.
    pub(in crate::connection) fn configured(inventory: &Inventory, host: &Host) -> Self {
        Self {
            sudo: SudoOptions {
                program: inventory.sudo_program_for(host).unwrap_or_default(),
                ..SudoOptions::default()
            },
            shell: inventory.shell_for(host).map(str::to_owned),
            venv: inventory.virtualenv_for(host).map(str::to_owned),
            ..Self::default()
        }
    }

    /// Changes the directory. An empty directory stays empty and is an error on use, since `cd`
    /// without a directory would change to the home.
    pub(in crate::connection) fn cd(&mut self, directory: &str) {
        let absolute = directory.starts_with('/') || directory == "~" || directory.starts_with("~/");
        self.cwd = Some(match &self.cwd {
            Some(cwd) if !absolute && (cwd.is_empty() || directory.is_empty()) => String::new(),
            Some(cwd) if !absolute => format!("{}/{directory}", cwd.trim_end_matches('/')),
            _ => directory.to_owned(),
        });
    }

    pub(in crate::connection) fn env(&mut self, name: String, value: EnvValue) {
        self.env.retain(|(existing, _)| *existing != name);
        self.env.push((name, value));
    }

    /// Searches `folder` for programs before all other directories.
    pub(in crate::connection) fn path(&mut self, folder: String) {
        self.paths.insert(0, folder);
    }

    pub(in crate::connection) fn umask(&mut self, mask: u32) {
        self.umask = Some(mask);
    }

    pub(in crate::connection) fn shell(&mut self, shell: String) {
        self.shell = Some(shell);
    }

    /// Returns the program of the configured shell, if one is set.
    pub(in crate::connection) fn shell_program(&self) -> Option<&str> {
        self.shell.as_deref()?.split_whitespace().next()
    }

    pub(in crate::connection) fn prefix(&mut self, line: ShellLine) {
        self.prefixes.push(line);
    }

    pub(in crate::connection) fn sudo(&self) -> &SudoOptions {
        &self.sudo
    }

    pub(in crate::connection) fn sudo_mut(&mut self) -> &mut SudoOptions {
        &mut self.sudo
    }

    /// Sets the virtualenv. A relative folder is resolved against the directory set by `cd`. If the
    /// result is still relative, the home comes first. A later `cd` does not change the virtualenv.
    pub(in crate::connection) fn venv(&mut self, folder: &str) {
        let is_absolute = |path: &str| path.starts_with('/') || path == "~" || path.starts_with("~/");
        let mut path = folder.to_owned();
        if !is_absolute(&path)
            && let Some(cwd) = &self.cwd
        {
            path = format!("{}/{path}", cwd.trim_end_matches('/'));
        }
        self.venv = Some(if is_absolute(&path) { path } else { format!("~/{path}") });
    }

    /// Returns the context for an internal script: the directory, the shell and the sudo user,
    /// without the settings for the user's commands.
    pub(in crate::connection) fn for_internal_script(&self) -> Self {
        Self { sudo: self.sudo.clone(), shell: self.shell.clone(), cwd: self.cwd.clone(), ..Self::default() }
    }

    /// Returns the context without the configured shell: the output of its profile would corrupt a
    /// binary protocol.
    pub(in crate::connection) fn without_shell(self) -> Self {
        Self { shell: None, ..self }
    }

    /// Returns the directory, if one is set.
    pub(in crate::connection) fn cwd(&self) -> Option<&str> {
        self.cwd.as_deref()
    }

    pub(in crate::connection) fn has_venv(&self) -> bool {
        self.venv.is_some()
    }

    /// Returns the secret variables in the order of the composed line.
    pub(in crate::connection) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.env.iter().filter_map(|(_, value)| match value {
            EnvValue::Secret(secret) => Some(secret),
            EnvValue::Text(_) => None,
        })
    }

    /// Returns the secret variables as input. The command's own input follows.
    pub(in crate::connection) fn input(&self) -> Bytes {
        self.secrets().flat_map(|secret| [secret.expose(), "\n"]).collect::<String>().into()
    }

    /// Returns the names of the called context methods. Methods for sudo are included only if
    /// `is_sudo`.
    ///
    /// The shell and the virtualenv are left out: they may be settings of `fabrs.toml`, and a
    /// virtualenv applies only to `v_run`.
    pub(in crate::connection) fn settings(&self, is_sudo: bool) -> Vec<&'static str> {
        let of_sudo = self.sudo.settings().into_iter().filter(|_| is_sudo);
        let settings = [
            ("cd", self.cwd.is_some()),
            ("umask", self.umask.is_some()),
            ("env", !self.env.is_empty()),
            ("path", !self.paths.is_empty()),
            ("prefix", !self.prefixes.is_empty()),
        ];
        settings.into_iter().chain(of_sudo).filter(|(_, is_set)| *is_set).map(|(method, _)| method).collect()
    }

    /// Returns `true` if a line is sent without any context.
    pub(in crate::connection) fn is_bare(&self, activation: Activation) -> bool {
        let nothing_set = self.shell.is_none() && self.cwd.is_none() && self.umask.is_none();
        nothing_set
            && self.env.is_empty()
            && self.paths.is_empty()
            && self.prefixes.is_empty()
            && activation == Activation::None
    }

    /// Composes a line: shell > directory > mask > environment > path > prefixes > virtualenv > the
    /// line itself. Each part runs only if the previous part succeeded. Under sudo, sudo wraps the
    /// whole line.
    pub(in crate::connection) fn compose(
        &self,
        line: &ShellLine,
        activation: Activation,
        language: Language,
        rendering: Rendering,
    ) -> Result<String, ContextError> {
        let line = line.check()?;
        let mut text = String::new();
        self.add_cwd(&mut text)?;
        self.add_umask(&mut text);
        self.add_env(&mut text, rendering)?;
        self.add_paths(&mut text)?;
        self.add_prefixes(&mut text, rendering)?;
        if activation == Activation::Venv {
            self.add_venv(&mut text, rendering)?;
        }
        if text.is_empty() {
            text.push_str(line);
        } else {
            text.push_str(&as_unit(line, rendering)?);
        }
        match (&self.shell, language) {
            (Some(shell), Language::Login) if rendering == Rendering::Sent => in_shell(shell, &text),
            // The configured shell may not be POSIX, so the shell only starts `/bin/sh`.
            (Some(shell), Language::Posix) if rendering == Rendering::Sent => in_shell(shell, &sh_command(&text)),
            _ => Ok(text),
        }
    }

    /// Returns a composed line as a program for the transport.
    pub(in crate::connection) fn program(&self, line: impl Into<std::sync::Arc<str>>, language: Language) -> Program {
        match (&self.shell, language) {
            (None, Language::Login) => Program::Line(line.into()),
            // csh rejects the line ends in the quoted words of `in_shell`.
            (Some(_), _) | (None, Language::Posix) => Program::Script(line.into()),
        }
    }

    fn add_cwd(&self, text: &mut String) -> Result<(), ContextError> {
        if let Some(cwd) = &self.cwd {
            if cwd.is_empty() {
                return Err(ContextError::NoDirectory);
            }
            text.push_str("cd ");
            text.push_str(&quote_path(cwd)?);
            text.push_str(" && ");
        }
        Ok(())
    }

    fn add_env(&self, text: &mut String, rendering: Rendering) -> Result<(), ContextError> {
        for (name, value) in &self.env {
            if !is_variable_name(name) {
                return Err(ContextError::Name(name.clone()));
            }
            let _infallible = match (value, rendering) {
                (EnvValue::Text(value), _) => write!(text, "export {name}={} && ", quote(value)?),
                (EnvValue::Secret(_), Rendering::Shown) => write!(text, "export {name}='{REDACTED}' && "),
                (EnvValue::Secret(secret), Rendering::Sent) => {
                    quote(secret.expose())?;
                    write!(text, "{}export {name} && ", read_variable(name, secret.expose().matches('\n').count()))
                }
            };
        }
        Ok(())
    }

    fn add_umask(&self, text: &mut String) {
        if let Some(mask) = self.umask {
            let _infallible = write!(text, "umask {mask:03o} && ");
        }
    }

    /// Sets the path without the `export NAME=value` form: some shells do not expand a `~` there.
    fn add_paths(&self, text: &mut String) -> Result<(), ContextError> {
        for folder in self.paths.iter().rev() {
            let _infallible = write!(text, "PATH={}:\"$PATH\" && export PATH && ", quote_path(folder)?);
        }
        Ok(())
    }

    fn add_prefixes(&self, text: &mut String, rendering: Rendering) -> Result<(), ContextError> {
        for prefix in &self.prefixes {
            text.push_str(&as_unit(prefix.check()?, rendering)?);
            text.push_str(" && ");
        }
        Ok(())
    }

    /// Adds the virtualenv's programs to the path, as `activate` does. The `activate` script itself
    /// does not run in every shell.
    fn add_venv(&self, text: &mut String, rendering: Rendering) -> Result<(), ContextError> {
        let Some(folder) = &self.venv else { return Ok(()) };
        let folder = quote_path(folder)?;
        if rendering == Rendering::Shown {
            let _infallible = write!(text, ". {folder}/bin/activate && ");
            return Ok(());
        }
        let enter = format!(
            "VIRTUAL_ENV={folder} && {{ [ -x \"$VIRTUAL_ENV/bin/python\" ] || \
             {{ if [ -L \"$VIRTUAL_ENV/bin/python\" ]; then echo \"{NO_PYTHON}$VIRTUAL_ENV\"; else echo \"{NO_VENV}$VIRTUAL_ENV\"; fi >&2; \
             exit 127; }}; }} && \
             export VIRTUAL_ENV PATH=\"$VIRTUAL_ENV/bin:$PATH\" && unset PYTHONHOME && {CONDA_ACTIVATION}"
        );
        let _infallible = write!(text, "{} && ", as_unit(&enter, rendering)?);
        Ok(())
    }
}

/// Returns a line as a unit: a preceding `&&` applies to the whole line.
///
/// For the host, the line is an argument of `eval` in the same shell. csh does not support `{ ..;
/// }` and would run the commands after the first `;` even after a failed `cd`.
fn as_unit(line: &str, rendering: Rendering) -> Result<String, ContextError> {
    let grouped = grouped(line);
    Ok(if rendering == Rendering::Sent && grouped != line { format!("eval {}", quote(line)?) } else { grouped })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(change: impl FnOnce(&mut CommandContext)) -> CommandContext {
        let mut context = CommandContext::default();
        change(&mut context);
        context
    }

    #[track_caller]
    fn case(context: &CommandContext, expected: &str) {
        assert_eq!(
            context.compose(&ShellLine::raw("ls"), Activation::None, Language::Login, Rendering::Sent).unwrap(),
            expected
        );
    }

    #[test]
    fn a_relative_cd_extends_the_directory_and_an_absolute_cd_replaces_it() {
        case(&context(|f| ["/a", "b"].iter().for_each(|d| f.cd(d))), "cd /a/b && ls");
        case(&context(|f| ["/a", "/x"].iter().for_each(|d| f.cd(d))), "cd /x && ls");
        case(&context(|f| ["/a", "~/y"].iter().for_each(|d| f.cd(d))), "cd ~/y && ls");
        case(&context(|f| f.cd("/tmp/with space")), "cd '/tmp/with space' && ls");
        case(&context(|f| f.cd("~/my dir")), "cd ~/'my dir' && ls");
        case(&context(|f| f.cd("-")), "cd ./- && ls");
    }

    #[test]
    fn an_empty_directory_is_an_error_and_not_the_home() {
        for change in [
            |f: &mut CommandContext| f.cd(""),
            |f: &mut CommandContext| {
                f.cd("/x");
                f.cd("");
            },
            |f: &mut CommandContext| {
                f.cd("");
                f.cd("y");
            },
        ] {
            let refused = context(change).compose(
                &ShellLine::raw("rm -rf *"),
                Activation::None,
                Language::Login,
                Rendering::Sent,
            );
            assert!(matches!(refused, Err(ContextError::NoDirectory)), "{refused:?}");
        }
        case(
            &context(|f| {
                f.cd("");
                f.cd("/y");
            }),
            "cd /y && ls",
        );
    }

    #[test]
    fn directory_environment_and_prefixes_have_a_fixed_order() {
        let all = context(|f| {
            f.prefix(ShellLine::raw("outer"));
            f.env("X".into(), "a$b \"c\" 'd' `e` ; f".into());
            f.prefix(ShellLine::raw("inner"));
            f.cd("/x");
        });
        let line = all.compose(&ShellLine::raw("ls"), Activation::None, Language::Login, Rendering::Sent).unwrap();
        let words = shlex::split(&line).unwrap();
        let value = "X=a$b \"c\" 'd' `e` ; f";
        assert_eq!(words, ["cd", "/x", "&&", "export", value, "&&", "outer", "&&", "inner", "&&", "ls"]);
    }

    #[test]
    fn a_failed_cd_prevents_every_part_of_the_line() {
        let here = context(|f| f.cd("/x"));
        let compose = |line: &str| {
            here.compose(&ShellLine::raw(line), Activation::None, Language::Login, Rendering::Sent).unwrap()
        };
        assert_eq!(compose("a && b"), "cd /x && a && b");
        assert_eq!(compose("a | b"), "cd /x && a | b");
        assert_eq!(compose("a; b"), "cd /x && eval 'a; b'");
        assert_eq!(compose("a || b"), "cd /x && eval 'a || b'");
        assert_eq!(compose("a & b # c"), "cd /x && eval 'a & b # c'");
        let shown = here.compose(&ShellLine::raw("a; b"), Activation::None, Language::Login, Rendering::Shown).unwrap();
        assert_eq!(shown, "cd /x && { a; b; }");
    }

    #[test]
    fn all_settings_have_a_fixed_order() {
        let all = context(|f| {
            f.venv("/env");
            f.prefix(ShellLine::raw("before"));
            f.path("~/bin".into());
            f.path("/opt/a b".into());
            f.env("X".into(), "1".into());
            f.umask(0o27);
            f.cd("/x");
            f.shell("bash -l -c".into());
        });
        let shown = "cd /x && umask 027 && export X=1 && PATH=~/bin:\"$PATH\" && export PATH && \
                     PATH='/opt/a b':\"$PATH\" && export PATH && before && . /env/bin/activate && ls";
        assert_eq!(
            all.compose(&ShellLine::raw("ls"), Activation::Venv, Language::Login, Rendering::Shown).unwrap(),
            shown
        );
        let sent = all.compose(&ShellLine::raw("ls"), Activation::None, Language::Login, Rendering::Sent).unwrap();
        let words = shlex::split(&sent).unwrap();
        assert_eq!(words[..4], ["exec", "bash", "-l", "-c"]);
        assert_eq!(words[4], shown.replace(". /env/bin/activate && ", ""));
        let none = context(|f| f.shell(" ".into()));
        assert!(matches!(
            none.compose(&ShellLine::raw("ls"), Activation::None, Language::Login, Rendering::Sent),
            Err(ContextError::Shell(_))
        ));
    }

    #[test]
    fn an_invalid_variable_name_is_an_error() {
        let bad = context(|f| f.env("A;B".into(), "".into()));
        assert!(
            matches!(bad.compose(&ShellLine::raw("ls"), Activation::None, Language::Login, Rendering::Sent), Err(ContextError::Name(name)) if name == "A;B")
        );
    }
}
