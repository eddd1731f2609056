//! A TOML document with the positions of its entries, so that every error names file and line.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{CauseText, Error, ErrorKind, Result};
use crate::host::{Host, HostError};

use crate::config::did_you_mean::unknown_name_hint;
use crate::config::freeze::{FreezeWindow, FreezeWindowError};
use crate::config::gateway::Gateway;
use crate::config::process_env::ProcessEnv;
use crate::config::sudo_program::SudoProgram;

/// The name of the configuration file.
pub(super) const FILE_NAME: &str = "fabrs.toml";

/// The text of a file, and the name of the file in errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'d> {
    pub(super) file: &'d Path,
    pub(super) text: &'d str,
}

impl<'d> Document<'d> {
    /// Parses the text as TOML.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'d>>> {
        DeTable::parse(self.text).map_err(|cause| {
            // The text form of a TOML error repeats the line with markers. Only its message is
            // needed here.
            let message = CauseText(cause.message().to_owned());
            self.error(cause.span(), "invalid TOML").caused_by(message)
        })
    }

    /// Returns the entries of the file, in the order of the file.
    pub(super) fn entries<'t>(&'t self, root: &'t DeTable<'d>) -> Vec<TomlEntry<'t>> {
        entries(self, "", root)
    }

    fn error(&self, span: Option<Range<usize>>, what: &str) -> Error {
        let at = match span {
            Some(span) => self.place(&span),
            None => self.file.display().to_string(),
        };
        Error::new(ErrorKind::Config, format!("{at}: {what}"))
    }

    fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.bytes().take(span.start);
        let line = before.filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", self.file.display())
    }
}

/// A `key = value`, or a `[table]`.
#[derive(Debug)]
pub(super) struct TomlEntry<'t> {
    document: &'t Document<'t>,
    path: String,
    key: &'t str,
    key_span: Range<usize>,
    value: &'t Spanned<DeValue<'t>>,
}

fn entries<'t>(document: &'t Document<'t>, above: &str, table: &'t DeTable<'_>) -> Vec<TomlEntry<'t>> {
    let path = |key: &str| if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
    let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'_>>)| -> TomlEntry<'t> {
        let name: &'t std::borrow::Cow<'_, str> = key.get_ref();
        TomlEntry { document, path: path(name), key: name, key_span: key.span(), value }
    };
    let mut all: Vec<_> = table.iter().map(entry).collect();
    // The table is sorted by name, but errors are reported in the order of the file.
    all.sort_by_key(|entry| entry.key_span.start);
    all
}

impl<'t> TomlEntry<'t> {
    pub(super) fn key(&self) -> &'t str {
        self.key
    }

    /// Returns the key with its parent keys: `env.staging.hosts`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the position of the key: `fabrs.toml:4`.
    pub(super) fn place(&self) -> String {
        self.document.place(&self.key_span)
    }

    /// Makes an error at a position in the entry. Without a position, the error points at the key.
    pub(super) fn error(&self, span: Option<Range<usize>>, what: &str) -> Error {
        self.document.error(span.or_else(|| Some(self.key_span.clone())), what)
    }

    /// Makes the error for an unknown key.
    pub(super) fn unknown(&self, known: &[&str]) -> Error {
        let place = match self.path.rsplit_once('.') {
            Some((above, _)) => format!(" in `[{above}]`"),
            None => String::new(),
        };
        let what = format!("unknown key `{}`{place}", self.key);
        self.error(None, &what).hint(unknown_name_hint(self.key, known.iter().copied(), "known keys"))
    }

    fn expected(&self, what: &str) -> Error {
        self.expected_at(self.value, what)
    }

    fn expected_at(&self, value: &Spanned<DeValue<'_>>, what: &str) -> Error {
        // A table made by dotted keys has no useful position, so the error points at the key.
        let span = (!value.get_ref().is_table()).then(|| value.span());
        let found = value.get_ref().type_str();
        self.error(span, &format!("`{}` must be {what}, found: {found}", self.path))
    }

    /// Returns the value of the entry as a table.
    pub(super) fn table(&self) -> Result<&'t Spanned<DeValue<'t>>> {
        if self.value.get_ref().is_table() { Ok(self.value) } else { Err(self.expected("a table")) }
    }

    /// Returns the entries of the table, in the order of the file.
    pub(super) fn entries(&self) -> Result<Vec<Self>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(entries(self.document, &self.path, table)),
            _ => Err(self.expected("a table")),
        }
    }

    pub(super) fn bool(&self) -> Result<bool> {
        self.value.get_ref().as_bool().ok_or_else(|| self.expected("`true` or `false`"))
    }

    /// Returns the value as a trimmed text that is not empty.
    pub(super) fn text(&self) -> Result<String> {
        let text = self.value.get_ref().as_str().ok_or_else(|| self.expected("a string"))?.trim();
        if text.is_empty() {
            return Err(self.error(None, &format!("`{}` is empty", self.path)));
        }
        Ok(text.to_owned())
    }

    pub(super) fn sudo_program(&self) -> Result<SudoProgram> {
        let text = self.text()?;
        SudoProgram::ALL.into_iter().find(|program| program.name() == text).ok_or_else(|| {
            let what = format!("`{}` must be `sudo` or `doas`, found: {text}", self.path);
            self.error(None, &what)
        })
    }

    pub(super) fn port(&self) -> Result<u16> {
        const WHAT: &str = "a port (1 to 65535)";
        let DeValue::Integer(number) = self.value.get_ref() else { return Err(self.expected(WHAT)) };
        match u16::from_str_radix(number.as_str(), number.radix()) {
            Ok(port) if port > 0 => Ok(port),
            _ => {
                let what = format!("`{}` must be {WHAT}, found: {number}", self.path);
                Err(self.error(None, &what))
            }
        }
    }

    /// Returns the value as the path of a directory on a host.
    pub(super) fn remote_path(&self) -> Result<String> {
        let path = self.text()?;
        if path.starts_with('/') || path.starts_with("~/") {
            return Ok(path);
        }
        let what = format!("`{}` must be an absolute path, or begin with `~/`, found: {path}", self.path);
        Err(self.error(Some(self.value.span()), &what))
    }

    /// Returns the value as the path of a file on this machine. A relative path starts at the
    /// folder of the file, and `~/` at the home directory.
    pub(super) fn local_path(&self) -> Result<PathBuf> {
        self.local_path_at(self.value, "the path of a file")
    }

    /// Returns the value as paths of files on this machine: one path, or a list.
    pub(super) fn local_paths(&self) -> Result<Vec<PathBuf>> {
        const WHAT: &str = "the path of a file, or a list of paths";
        match self.value.get_ref() {
            DeValue::Array(list) if list.is_empty() => Err(self.error(None, &format!("`{}` is empty", self.path))),
            DeValue::Array(list) => list.iter().map(|item| self.local_path_at(item, WHAT)).collect(),
            _ => Ok(vec![self.local_path_at(self.value, WHAT)?]),
        }
    }

    fn local_path_at(&self, value: &Spanned<DeValue<'_>>, expected: &str) -> Result<PathBuf> {
        let text = value.get_ref().as_str().ok_or_else(|| self.expected_at(value, expected))?.trim();
        let invalid = |what: &str| self.error(Some(value.span()), &format!("`{}` {what}", self.path));
        match (text, text.strip_prefix("~/")) {
            ("", _) => Err(invalid("is empty")),
            (_, Some(rest)) => match ProcessEnv::from_env().home {
                Some(home) => Ok(home.join(rest)),
                None => Err(invalid("begins with `~/`, but `HOME` is not set")),
            },
            (_, None) if text.starts_with('~') => {
                Err(invalid(&format!("does not support `~USER`, found: {text}; write an absolute path or `~/..`")))
            }
            (_, None) => Ok(self.document.file.parent().unwrap_or(Path::new("")).join(text)),
        }
    }

    /// Returns the value as a number of seconds above 0, as for `--connect-timeout`.
    pub(super) fn seconds(&self) -> Result<Duration> {
        const WHAT: &str = "a number of seconds above 0";
        let number = match self.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(self.expected(WHAT)),
        };
        let seconds = number.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        seconds.filter(|seconds| !seconds.is_zero()).ok_or_else(|| {
            self.error(Some(self.value.span()), &format!("`{}` must be {WHAT}, found: {number}", self.path))
        })
    }

    /// Returns the Vagrant machines of the environment: `None`, all (an empty list), or a list of
    /// names.
    pub(super) fn machines(&self) -> Result<Option<Vec<String>>> {
        const WHAT: &str = "`true`, or a list of machines";
        match self.value.get_ref() {
            DeValue::Boolean(all) => Ok(all.then(Vec::new)),
            DeValue::Array(list) if list.is_empty() => Err(self.error(None, &format!("`{}` is empty", self.path))),
            DeValue::Array(list) => {
                let machines = list.iter().map(|item| {
                    let host = self.read_at(item, WHAT, str::parse::<Host>)?;
                    let bare = host.user().is_none() && host.port().is_none() && !host.is_local();
                    let what = || format!("`{}` must contain names of Vagrant machines, found: {host}", self.path);
                    if bare { Ok(host.name().to_owned()) } else { Err(self.error(Some(item.span()), &what())) }
                });
                machines.collect::<Result<_>>().map(Some)
            }
            _ => Err(self.expected(WHAT)),
        }
    }

    /// Returns the hosts in the key of the entry.
    pub(super) fn key_hosts(&self) -> Result<Vec<Host>> {
        Host::expand(self.key).map_err(|cause| self.invalid_host(None, cause))
    }

    /// Returns the value as a gateway. `false` means a direct connection.
    pub(super) fn gateway(&self) -> Result<Gateway> {
        if let DeValue::Boolean(false) = self.value.get_ref() {
            return Ok(Gateway::Direct);
        }
        let gateway: Gateway = self.read_at(self.value, "the address of a host, or `false`", str::parse)?;
        match gateway.host() {
            Some(host) if host.is_local() => {
                Err(self.error(None, &format!("`{}` must be a remote host, found: {host}", self.path)))
            }
            _ => Ok(gateway),
        }
    }

    pub(super) fn hosts(&self) -> Result<Vec<Host>> {
        const WHAT: &str = "a list of hosts";
        match self.value.get_ref() {
            DeValue::Array(list) => {
                let hosts = list.iter().map(|item| self.read_at(item, WHAT, Host::expand));
                Ok(hosts.collect::<Result<Vec<_>>>()?.concat())
            }
            DeValue::String(host) => {
                let hint = format!("write `{} = [\"{}\"]`", self.key, host.trim());
                Err(self.expected(WHAT).hint(hint))
            }
            _ => Err(self.expected(WHAT)),
        }
    }

    /// Returns the value as a list of freeze windows.
    pub(super) fn freeze_windows(&self) -> Result<Vec<FreezeWindow>> {
        const WHAT: &str = "a list of freeze windows";
        let read = |item: &Spanned<DeValue<'_>>| {
            let text = item.get_ref().as_str().ok_or_else(|| self.expected_at(item, WHAT))?;
            text.parse::<FreezeWindow>().map_err(|cause| {
                let error = self.error(Some(item.span()), &format!("invalid freeze window in `{}`", self.path));
                error.caused_by(cause).hint(format!("write for example {}", FreezeWindowError::EXAMPLES))
            })
        };
        match self.value.get_ref() {
            DeValue::Array(list) => list.iter().map(read).collect(),
            DeValue::String(text) => {
                Err(self.expected(WHAT).hint(format!("write `{} = [\"{}\"]`", self.key, text.trim())))
            }
            _ => Err(self.expected(WHAT)),
        }
    }

    fn read_at<T>(
        &self,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
        read: impl Fn(&str) -> Result<T, HostError>,
    ) -> Result<T> {
        let text = value.get_ref().as_str().ok_or_else(|| self.expected_at(value, expected))?;
        read(text).map_err(|cause| self.invalid_host(Some(value.span()), cause))
    }

    fn invalid_host(&self, span: Option<Range<usize>>, cause: HostError) -> Error {
        self.error(span, &format!("invalid host in `{}`", self.path)).caused_by(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fabrs_toml::Config;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("fabrs.toml"))
    }

    #[track_caller]
    fn refused(text: &str, block: &str) {
        assert_eq!(parse(text).unwrap_err().block().to_string(), block);
    }

    #[test]
    fn a_wrong_type_is_reported_with_line_and_expected_type() {
        refused("vars = 1", "error: fabrs.toml:1: `vars` must be a table, found: integer");
        refused("env = []", "error: fabrs.toml:1: `env` must be a table, found: array");
        refused("[env]\na = 1", "error: fabrs.toml:2: `env.a` must be a table, found: integer");
        refused(
            "[env.a]\nhosts = 'web1'",
            "error: fabrs.toml:2: `env.a.hosts` must be a list of hosts, found: string\n\
             hint: write `hosts = [\"web1\"]`",
        );
        refused("env.a.hosts = true", "error: fabrs.toml:1: `env.a.hosts` must be a list of hosts, found: boolean");
        refused(
            "env.a.hosts = [\n'a',\n7]",
            "error: fabrs.toml:3: `env.a.hosts` must be a list of hosts, found: integer",
        );
        refused(
            "[env.a]\n\nroles.web.x = 1",
            "error: fabrs.toml:3: `env.a.roles.web` must be a list of hosts, found: table",
        );
        refused("env.a.user = 1", "error: fabrs.toml:1: `env.a.user` must be a string, found: integer");
        refused(
            "env.a.protected = 'yes'",
            "error: fabrs.toml:1: `env.a.protected` must be `true` or `false`, found: string",
        );
        refused("env.a.port = '22'", "error: fabrs.toml:1: `env.a.port` must be a port (1 to 65535), found: string");
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_line() {
        for port in ["0", "65536", "-1", "99999999999999999999"] {
            let block = format!("error: fabrs.toml:1: `env.a.port` must be a port (1 to 65535), found: {port}");
            refused(&format!("env.a.port = {port}"), &block);
        }
        assert_eq!(parse("env.a.port = 2_222").unwrap().environments()[0].port(), Some(2222));
        refused(
            "env.a.vagrant = 'web'",
            "error: fabrs.toml:1: `env.a.vagrant` must be `true`, or a list of machines, found: string",
        );
        refused("env.a.vagrant = []", "error: fabrs.toml:1: `env.a.vagrant` is empty");
        refused(
            "env.a.vagrant = ['web',\n'vagrant@db']",
            "error: fabrs.toml:2: `env.a.vagrant` must contain names of Vagrant machines, found: vagrant@db",
        );
        refused("env.a.user = ' '", "error: fabrs.toml:1: `env.a.user` is empty");
        refused("[env.'-x']", "error: fabrs.toml:1: `-x` is not a valid environment name");
        refused(
            "env.a.gateway = '@local'",
            "error: fabrs.toml:1: `env.a.gateway` must be a remote host, found: @local",
        );
        refused(
            "env.a.hosts = ['a',\n'web:ssh']",
            "error: fabrs.toml:2: invalid host in `env.a.hosts`\n\
             \x20 caused by: `ssh` is not a port (1 to 65535) in `web:ssh`",
        );
        refused(
            "env.a.roles.web = [\n'web[4-2]']",
            "error: fabrs.toml:2: invalid host in `env.a.roles.web`\n  caused by: \
             invalid range `[4-2]` in `web[4-2]`: the first bound `4` is greater than the last bound `2`",
        );
        refused(
            "env.a.gateway = 'b[1-2]'",
            "error: fabrs.toml:1: invalid host in `env.a.gateway`\n  caused by: \
             `b[1-2]` is a range of hosts, but one host is expected",
        );
        refused(
            "[vars]\nbig = 99999999999999999999",
            "error: fabrs.toml:2: could not read `vars`\n  caused by: \
             invalid type: integer `99999999999999999999` as i128, expected any valid TOML value\n\
             \x20            in `big`",
        );
    }

    #[test]
    fn local_paths_start_at_the_folder_of_the_file_or_at_the_home_directory() {
        let text = "[env.a]\nhosts = ['w1', 'w2']\nssh_config = 'ssh/config'\nidentity = ['~/key', '/k', 'k']\n\
                    host.w1 = { ssh_config = '/etc/ssh', identity = 'own' }";
        let config = Config::parse(text, Path::new("/srv/shop/fabrs.toml")).unwrap();
        let live = &config.environments()[0];
        let [w1, w2] = ["w1", "w2"].map(|name| name.parse::<Host>().unwrap());
        let home = ProcessEnv::from_env().home.unwrap();
        assert_eq!(live.ssh_config_for(&w1).unwrap(), Path::new("/etc/ssh"));
        assert_eq!(live.ssh_config_for(&w2).unwrap(), Path::new("/srv/shop/ssh/config"));
        assert_eq!(live.identities_for(&w1), [Path::new("/srv/shop/own")]);
        assert_eq!(live.identities_for(&w2), [home.join("key"), "/k".into(), "/srv/shop/k".into()]);
        let files: Vec<&Path> = live.ssh_config_files().collect();
        assert_eq!(files, [Path::new("/srv/shop/ssh/config"), Path::new("/etc/ssh")]);
    }

    #[test]
    fn an_invalid_connection_setting_is_reported_with_its_line() {
        for value in ["0", "-1", "0.0", "inf", "nan", "1e300"] {
            let what = "`env.a.connect_timeout` must be a number of seconds above 0";
            refused(
                &format!("[env.a]\nconnect_timeout = {value}"),
                &format!("error: fabrs.toml:2: {what}, found: {value}"),
            );
        }
        for (line, expected) in [
            ("connect_timeout = '5 s'", "`env.a.connect_timeout` must be a number of seconds above 0, found: string"),
            ("ssh_config = 1", "`env.a.ssh_config` must be the path of a file, found: integer"),
            ("ssh_config = ' '", "`env.a.ssh_config` is empty"),
            (
                "ssh_config = '~bob/x'",
                "`env.a.ssh_config` does not support `~USER`, found: ~bob/x; write an absolute path or `~/..`",
            ),
            ("identity = true", "`env.a.identity` must be the path of a file, or a list of paths, found: boolean"),
            ("identity = ['a', 1]", "`env.a.identity` must be the path of a file, or a list of paths, found: integer"),
            ("identity = []", "`env.a.identity` is empty"),
            ("forward_agent = 'yes'", "`env.a.forward_agent` must be `true` or `false`, found: string"),
        ] {
            refused(&format!("[env.a]\n{line}"), &format!("error: fabrs.toml:2: {expected}"));
            let of_host = format!("[env.a]\nhosts = ['w']\n[env.a.host.w]\n{line}");
            refused(&of_host, &format!("error: fabrs.toml:4: {}", expected.replace("env.a.", "env.a.host.w.")));
        }
    }
}
