//! Settings of single hosts: `[env.NAME.host.HOST]` of `fabrs.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

use crate::config::document::TomlEntry;
use crate::config::gateway::Gateway;
use crate::config::sudo_program::SudoProgram;
use crate::config::vars::Vars;

/// The keys of a host, in the order of the hint.
const KEYS: [&str; 12] = [
    "user",
    "port",
    "gateway",
    "ssh_config",
    "identity",
    "connect_timeout",
    "forward_agent",
    "virtualenv",
    "shell",
    "sudo",
    "sudo_password_command",
    "vars",
];

/// The settings of a host that differ from its environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct HostOverride {
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) gateway: Option<Gateway>,
    pub(super) ssh_config: Option<PathBuf>,
    pub(super) identities: Option<Vec<PathBuf>>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) forward_agent: Option<bool>,
    pub(super) virtualenv: Option<String>,
    pub(super) shell: Option<String>,
    pub(super) sudo: Option<SudoProgram>,
    pub(super) sudo_password_command: Option<String>,
    pub(super) vars: Vars,
}

/// The host settings of an environment, one entry for each `[env.NAME.host.HOST]` table.
///
/// If several keys match a host, the first key with a value wins. Keys of single hosts precede keys
/// of a range. Otherwise the order of the file decides.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct HostOverrides {
    /// The settings by host name. A lookup also compares the user and port of the table key.
    by_name: BTreeMap<String, Vec<(Host, Arc<HostOverride>)>>,
    /// The hosts that are neither in `hosts` nor in a role. Each has an error message, in case the
    /// host is not a Vagrant machine either.
    unlisted: Vec<(Host, String)>,
}

impl HostOverrides {
    /// Reads the `[env.NAME.host]` table. Every host must be in `known`. If `vagrant` is true, a
    /// host may be a Vagrant machine instead.
    pub(super) fn from_entry(entry: &TomlEntry<'_>, known: &[Host], vagrant: bool) -> Result<Self> {
        let mut by_name: BTreeMap<&str, Vec<&Host>> = BTreeMap::new();
        for host in known {
            by_name.entry(host.name()).or_default().push(host);
        }
        let is_known =
            |host: &Host| by_name.get(host.name()).is_some_and(|named| named.iter().any(|known| host.covers(known)));
        let mut made = Self::default();
        let mut read = Vec::new();
        for entry in entry.entries()? {
            let hosts = entry.key_hosts()?;
            let environment = entry.path().split(".host.").next().unwrap_or_default();
            for host in hosts.iter().filter(|host| !is_known(host)) {
                let text = format!("{}: `{host}` is not a host of `[{environment}]`", entry.place());
                made.unlisted.push((host.clone(), text));
            }
            read.push((hosts, Arc::new(HostOverride::from_entry(&entry)?)));
        }
        if !vagrant {
            made.check(&[])?;
        }
        read.sort_by_key(|(hosts, _)| hosts.len() > 1);
        for (hosts, settings) in read {
            for host in hosts {
                made.by_name.entry(host.name().to_owned()).or_default().push((host, Arc::clone(&settings)));
            }
        }
        Ok(made)
    }

    /// Checks that all unlisted hosts are Vagrant machines.
    pub(super) fn check(&self, machines: &[Host]) -> Result<()> {
        let is_machine = |host: &Host| machines.iter().any(|machine| host.covers(machine));
        match self.unlisted.iter().find(|(host, _)| !is_machine(host)) {
            Some((_, text)) => Err(Error::new(ErrorKind::Config, text.clone())
                .hint("add the host to `hosts` or to a role of the environment")),
            None => Ok(()),
        }
    }

    /// Returns the settings of all hosts.
    pub(super) fn all(&self) -> impl Iterator<Item = &HostOverride> {
        self.by_name.values().flatten().map(|(_, settings)| settings.as_ref())
    }

    /// Returns the settings of a host, in the order of precedence.
    pub(super) fn of<'a>(&'a self, host: &Host) -> impl Iterator<Item = &'a HostOverride> {
        let named = self.by_name.get(host.name()).into_iter().flatten();
        named.filter(|(key, _)| key.covers(host)).map(|(_, settings)| settings.as_ref())
    }
}

impl HostOverride {
    fn from_entry(entry: &TomlEntry<'_>) -> Result<Self> {
        let mut made = Self::default();
        for entry in entry.entries()? {
            match entry.key() {
                "user" => made.user = Some(entry.text()?),
                "port" => made.port = Some(entry.port()?),
                "gateway" => made.gateway = Some(entry.gateway()?),
                "ssh_config" => made.ssh_config = Some(entry.local_path()?),
                "identity" => made.identities = Some(entry.local_paths()?),
                "connect_timeout" => made.connect_timeout = Some(entry.seconds()?),
                "forward_agent" => made.forward_agent = Some(entry.bool()?),
                "virtualenv" => made.virtualenv = Some(entry.remote_path()?),
                "shell" => made.shell = Some(entry.text()?),
                "sudo" => made.sudo = Some(entry.sudo_program()?),
                "sudo_password_command" => made.sudo_password_command = Some(entry.text()?),
                "vars" => made.vars = Vars::from_entry(&entry)?,
                _ if entry.table().is_ok() => {
                    let name = entry.path().split_once(".host.").map_or(entry.path(), |(_, name)| name);
                    let hint = format!("write a name with dots in quotes: `host.\"{name}\"`");
                    return Err(entry.unknown(&KEYS).hint(hint));
                }
                _ => return Err(entry.unknown(&KEYS)),
            }
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::fabrs_toml::Config;

    #[track_caller]
    fn refused(text: &str, block: &str) {
        let error = Config::parse(text, "fabrs.toml".as_ref()).unwrap_err();
        assert_eq!(error.block().to_string(), block);
    }

    #[test]
    fn settings_of_an_unknown_host_are_reported_with_their_line() {
        let hint = "hint: add the host to `hosts` or to a role of the environment";
        refused(
            "[env.a]\nhosts = ['w1']\n[env.a.host.w2]\nuser = 'x'",
            &format!("error: fabrs.toml:3: `w2` is not a host of `[env.a]`\n{hint}"),
        );
        refused(
            "[env.a]\nroles.web = ['w[1-2]']\n[env.a.host.'w[2-3]']\nuser = 'x'",
            &format!("error: fabrs.toml:3: `w3` is not a host of `[env.a]`\n{hint}"),
        );
        refused(
            "[env.a]\nhost.'root@w1'.port = 22\nhosts = ['deploy@w1']",
            &format!("error: fabrs.toml:2: `root@w1` is not a host of `[env.a]`\n{hint}"),
        );
    }

    #[test]
    fn settings_of_an_unlisted_machine_are_reported() {
        refused(
            "[env.a]\nvagrant = ['web']\nhost.db.port = 22",
            "error: fabrs.toml:3: `db` is not a host of `[env.a]`\n\
             hint: add the host to `hosts` or to a role of the environment",
        );
    }

    #[test]
    fn an_unknown_key_or_invalid_host_is_reported_with_its_line() {
        refused(
            "[env.a]\nhosts = ['w1']\n[env.a.host.w1]\nusr = 'x'",
            "error: fabrs.toml:4: unknown key `usr` in `[env.a.host.w1]`\nhint: did you mean `user`?",
        );
        refused(
            "[env.a]\nhosts = ['w1']\nhost.w1.colour = 'x'",
            "error: fabrs.toml:3: unknown key `colour` in `[env.a.host.w1]`\n\
             hint: known keys: `user`, `port`, `gateway`, `ssh_config`, `identity`, `connect_timeout`, `forward_agent`, `virtualenv`, `shell`, `sudo`, `sudo_password_command`, `vars`",
        );
        refused(
            "[env.a]\nhosts = ['w1.example.com']\n[env.a.host.w1.example.com]\nuser = 'x'",
            "error: fabrs.toml:3: unknown key `example` in `[env.a.host.w1]`\n\
             hint: write a name with dots in quotes: `host.\"w1.example\"`",
        );
        refused(
            "[env.a]\nhosts = ['w1']\n[env.a.host.'w[2-1]']",
            "error: fabrs.toml:3: invalid host in `env.a.host.w[2-1]`\n  caused by: \
             invalid range `[2-1]` in `w[2-1]`: the first bound `2` is greater than the last bound `1`",
        );
        refused(
            "[env.a]\nhost = ['w1']",
            "error: fabrs.toml:2: `env.a.host` must be a table, found: array\n\
             hint: `hosts` lists hosts; `[env.a.host.NAME]` has the settings of one host",
        );
        refused(
            "[env.a]\nhosts = ['w1']\nhost.w1.virtualenv = 'env'",
            "error: fabrs.toml:3: `env.a.host.w1.virtualenv` must be an absolute path, or begin with `~/`, found: env",
        );
    }
}
