//! Contents of `sshd_config`, `known_hosts` and `ssh_config`.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::builder::SshdBuilder;
use super::program;
use crate::accounts::MARK;

/// Returns the `sshd_config` of a server with its files in `dir`.
pub(super) fn sshd_config(settings: &SshdBuilder, dir: &Path, port: u16, host_keys: &[&Path], mark: &str) -> String {
    let mut text = String::new();
    // sshd uses the first value of a keyword, so options of the test come first.
    for (keyword, value) in &settings.options {
        line(&mut text, keyword, value);
    }
    for address in &settings.listen {
        line(&mut text, "ListenAddress", &SocketAddr::new(*address, port).to_string());
    }
    for key in host_keys {
        line(&mut text, "HostKey", &quoted(key));
        if settings.host_ca.is_some() {
            line(&mut text, "HostCertificate", &format!("\"{}-cert.pub\"", key.display()));
        }
    }

    let mut set_env = format!("{MARK}={mark}");
    for value in &settings.set_env {
        let _ = write!(set_env, " {value}");
    }
    let password = if settings.password_login { "yes" } else { "no" };
    for (keyword, value) in [
        ("AuthorizedKeysFile", quoted(&dir.join("authorized_keys")).as_str()),
        ("KbdInteractiveAuthentication", "no"),
        ("LogLevel", "VERBOSE"),
        ("PasswordAuthentication", password),
        ("PermitRootLogin", "yes"),
        ("PidFile", quoted(&dir.join("sshd.pid")).as_str()),
        ("PrintLastLog", "no"),
        ("PrintMotd", "no"),
        ("SetEnv", &set_env),
        ("StrictModes", "no"),
        ("UsePAM", "no"),
    ] {
        line(&mut text, keyword, value);
    }
    // If the test sets `Subsystem`, the default is omitted, because sshd rejects a second
    // `Subsystem sftp` line.
    if !settings.options.iter().any(|(keyword, _)| keyword.eq_ignore_ascii_case("Subsystem")) {
        line(&mut text, "Subsystem", "sftp internal-sftp");
    }
    if program::has_per_source_penalties() {
        // COMPAT(openssh 9.8): by default, sshd rejects loopback for a while after a failed login.
        line(&mut text, "PerSourcePenalties", "no");
    }
    text + &settings.config_end
}

/// Returns a `known_hosts` file that trusts the server.
pub(super) fn known_hosts(settings: &SshdBuilder, port: u16, public_keys: &[String]) -> String {
    let names: Vec<String> = settings.listen.iter().map(|address| format!("[{address}]:{port}")).collect();
    let names = names.join(",");
    match &settings.host_ca {
        Some(authority) => format!("@cert-authority {names} {}\n", authority.public()),
        None => public_keys.iter().fold(String::new(), |text, key| text + &names + " " + key + "\n"),
    }
}

/// Returns an `ssh_config` with all aliases of the server.
pub(super) fn ssh_config(settings: &SshdBuilder, dir: &Path, port: u16, user: &str) -> String {
    let mut text = String::new();
    for (alias, address) in settings.aliases.iter().zip(settings.listen.iter().cycle()) {
        line(&mut text, "Host", alias);
        line(&mut text, "    HostName", &address.to_string());
    }
    for (keyword, value) in [
        ("Host", "*"),
        ("    User", user),
        ("    Port", port.to_string().as_str()),
        ("    IdentityFile", quoted(&dir.join("identity")).as_str()),
        ("    IdentitiesOnly", "yes"),
        ("    UserKnownHostsFile", quoted(&dir.join("known_hosts")).as_str()),
        ("    GlobalKnownHostsFile", "/dev/null"),
        ("    StrictHostKeyChecking", "yes"),
    ] {
        line(&mut text, keyword, value);
    }
    text
}

/// Returns `user@address:port` in the format of fabrs and `ssh://` URLs.
pub(super) fn host_string(user: &str, address: IpAddr, port: u16) -> String {
    format!("{user}@{}", SocketAddr::new(address, port))
}

fn line(text: &mut String, keyword: &str, value: &str) {
    let _ = writeln!(text, "{keyword} {value}");
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_string_has_brackets() {
        let host = host_string("me", "::1".parse().expect("an address"), 2222);
        assert_eq!(host, "me@[::1]:2222");
    }

    #[test]
    fn options_of_a_test_precede_those_of_the_harness() {
        let settings = SshdBuilder::new().option("UsePAM", "yes").option("SetEnv", "A=1");
        let text = sshd_config(&settings, Path::new("/d"), 22, &[Path::new("/d/key")], "7");
        assert!(text.find("UsePAM yes") < text.find("UsePAM no"), "{text}");
        assert!(text.contains("SetEnv FABRS_TEST_SSHD=7 A=1\n"), "{text}");
    }

    #[test]
    fn aliases_use_the_addresses_in_order() {
        let settings = SshdBuilder::new()
            .aliases(["a", "b", "c"])
            .listen(["127.0.0.2", "::1"].map(|text| text.parse().expect("an address")));
        let text = ssh_config(&settings, Path::new("/d"), 22, "me");
        assert!(text.contains("Host b\n    HostName ::1\nHost c\n    HostName 127.0.0.2\n"), "{text}");
    }
}
