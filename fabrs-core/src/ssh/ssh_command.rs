//! The `ssh` command line equivalent to a connection of this run, for hints.

use std::borrow::Cow;

use crate::config::SshConfigSource;
use crate::shell::quote;
use crate::ssh::settings::SshSettings;
use crate::ssh::target::{Purpose, Target};

/// Returns the `ssh` command line for a host, with the options of `fab` and `fabrs.toml`: config
/// file, keys, gateway, port and user. The line is quoted for a shell.
pub(super) fn ssh_command(flags: &[&str], target: &Target, settings: &SshSettings) -> String {
    let mut words = vec!["ssh".to_owned()];
    words.extend(flags.iter().map(|flag| (*flag).to_owned()));
    match &target.route_settings.ssh_config {
        SshConfigSource::Default => {}
        SshConfigSource::File(path) => words.extend(["-F".to_owned(), quoted(&path.to_string_lossy())]),
        SshConfigSource::None => words.extend(["-F".to_owned(), "none".to_owned()]),
    }
    let host = &target.host;
    // Keys and the gateway of the run apply to its hosts, not to the gateway itself.
    if target.purpose == Purpose::Work {
        for path in &target.route_settings.identities {
            words.extend(["-i".to_owned(), quoted(&path.to_string_lossy())]);
        }
        if let Some(gateway) = settings.gateway_outside_ssh_config(host, &target.route_settings) {
            words.extend(["-J".to_owned(), quoted(&gateway.to_string())]);
        }
    }
    // A port or user of fabrs.toml is omitted if the ssh config has overridden it: `ssh` reads the
    // ssh config itself.
    if let Some(port) = host.port().or(settings.port_for(host).filter(|port| *port == target.port)) {
        words.extend(["-p".to_owned(), port.to_string()]);
    }
    let by_file = settings.user_for(host).filter(|user| *user == target.user);
    let user = host.user().map(str::to_owned).or(by_file);
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    words.push(quoted(&format!("{user}{}", host.name())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    quote(word).map_or_else(|_| word.to_owned(), Cow::into_owned)
}
