//! Converts settings of this crate and of `ssh -G` to a common form.

use std::path::{Path, PathBuf};

use fabrs_openssh::config::{
    ConfigFiles, ForwardAgent, HostConfig, IdentityAgent, JumpHost, Query, SshConfig, StrictHostKeyChecking,
};

use crate::openssh::{LocalUser, Settings, run, ssh_q};

/// Formats a configuration like `ssh -G`, with all defaults.
pub(crate) fn as_ssh_output(config: &HostConfig, me: &LocalUser) -> Settings {
    let paths = |files: &[PathBuf]| match files {
        [] => "none".to_owned(),
        files => files.iter().map(|file| file.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" "),
    };
    let yes_no = |flag: Option<bool>, default: bool| if flag.unwrap_or(default) { "yes" } else { "no" }.to_owned();
    let user_files = HostConfig::default_user_known_hosts_files(&me.home);
    let global_files = HostConfig::default_global_known_hosts_files();
    let strict = match config.strict_host_key_checking {
        Some(StrictHostKeyChecking::Yes) => "true",
        Some(StrictHostKeyChecking::No) => "false",
        Some(StrictHostKeyChecking::AcceptNew) => "accept-new",
        Some(StrictHostKeyChecking::Ask) | None => "ask",
    };
    let mut words = vec![
        ("hostname", config.hostname.clone()),
        ("user", config.user.clone().unwrap_or_else(|| me.user.clone())),
        ("port", config.port.unwrap_or(22).to_string()),
        ("identitiesonly", yes_no(config.identities_only, false)),
        ("userknownhostsfile", paths(config.user_known_hosts_files.as_ref().unwrap_or(&user_files))),
        ("globalknownhostsfile", paths(config.global_known_hosts_files.as_ref().unwrap_or(&global_files))),
        ("stricthostkeychecking", strict.to_owned()),
        ("hashknownhosts", yes_no(config.hash_known_hosts, false)),
        ("connecttimeout", config.connect_timeout.map_or("none".to_owned(), |time| time.as_secs().to_string())),
        ("serveralivecountmax", config.server_alive_count_max.unwrap_or(3).to_string()),
        ("batchmode", yes_no(config.batch_mode, false)),
        ("passwordauthentication", yes_no(config.password_authentication, true)),
        ("kbdinteractiveauthentication", yes_no(config.kbd_interactive_authentication, true)),
        ("pubkeyauthentication", config.pubkey_authentication.unwrap_or(true).to_string()),
        ("tcpkeepalive", yes_no(config.tcp_keep_alive, true)),
    ];
    words.extend(config.server_alive_interval.map(|time| ("serveraliveinterval", time.as_secs().to_string())));
    words.extend(config.host_key_alias.clone().map(|alias| ("hostkeyalias", alias)));
    words.extend(config.proxy_command.as_ref().map(|command| ("proxycommand", command.as_str().to_owned())));
    words.extend(config.identity_agent.as_ref().map(|agent| {
        let text = match agent {
            IdentityAgent::None => "none".to_owned(),
            IdentityAgent::Environment => "SSH_AUTH_SOCK".to_owned(),
            IdentityAgent::Socket(path) => path.to_string_lossy().into_owned(),
        };
        ("identityagent", text)
    }));
    words.push(match &config.forward_agent {
        None | Some(ForwardAgent::No) => ("forwardagent", "no".to_owned()),
        Some(ForwardAgent::Yes) => ("forwardagent", "yes".to_owned()),
        Some(ForwardAgent::Socket(path)) => ("forwardagent", path.to_string_lossy().into_owned()),
    });
    if let Some(chain) = config.proxy_jump.as_ref().filter(|chain| !chain.is_empty()) {
        words.push(("proxyjump", shown(chain)));
    }
    words.extend(algorithm_lists(config, me));
    words.push(("requiredrsasize", config.required_rsa_size.unwrap_or(1024).to_string()));
    words.push(("numberofpasswordprompts", config.number_of_password_prompts.unwrap_or(3).to_string()));
    words.extend(config.preferred_authentications.as_ref().map(|names| ("preferredauthentications", names.join(","))));
    let revoked = config.revoked_host_keys.as_ref();
    words.extend(revoked.map(|file| ("revokedhostkeys", file.to_string_lossy().into_owned())));
    let mut settings = Settings::new();
    for (keyword, value) in words {
        settings.insert(keyword.to_owned(), vec![value]);
    }
    let keys = config.identity_files.clone().unwrap_or_else(|| HostConfig::default_identity_files(&me.home));
    let signatures = config.ca_signature_algorithms.clone();
    let signatures = signatures.unwrap_or_else(HostConfig::default_ca_signature_algorithms);
    settings.insert("casignaturealgorithms".to_owned(), vec![signatures.join(",")]);
    let certificates = config.certificate_files.iter().flatten();
    settings
        .insert("certificatefile".to_owned(), certificates.map(|file| file.to_string_lossy().into_owned()).collect());
    settings.insert("identityfile".to_owned(), keys.iter().map(|key| key.to_string_lossy().into_owned()).collect());
    settings
}

/// Applies the configured lists to the default and supported algorithms of the installed `ssh`.
fn algorithm_lists(config: &HostConfig, me: &LocalUser) -> Vec<(&'static str, String)> {
    let lists = [
        ("ciphers", "cipher", &config.ciphers),
        ("macs", "mac", &config.macs),
        ("kexalgorithms", "kex", &config.kex_algorithms),
        ("hostkeyalgorithms", "HostKeyAlgorithms", &config.host_key_algorithms),
        ("pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms", &config.pubkey_accepted_algorithms),
    ];
    let mut words = Vec::new();
    for (keyword, kind, list) in lists {
        if let Some(list) = list {
            let defaults: Vec<&str> = me.defaults[keyword][0].split(',').collect();
            let supported = ssh_q(kind);
            let supported: Vec<&str> = supported.iter().map(String::as_str).collect();
            words.push((keyword, list.select(&defaults, &supported).join(",")));
        }
    }
    words
}

fn shown(chain: &[JumpHost]) -> String {
    chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Normalizes the output of `ssh -G`: `~` in paths, keys named `none`, and brackets around the last
/// jump host.
pub(crate) fn normalized(mut settings: Settings, ours: &Settings, me: &LocalUser) -> Settings {
    let home = me.home.to_string_lossy();
    // If unset, these keywords have the defaults of the installed `ssh`, which depend on its build.
    let is_ours = |keyword: &str| ours.contains_key(keyword);
    for keyword in ["serveraliveinterval", "identityagent"] {
        if !is_ours(keyword) {
            settings.remove(keyword);
        }
    }
    for value in settings.values_mut().flatten() {
        *value = value.replace("~/", &format!("{home}/"));
    }
    for value in settings.get_mut("proxyjump").into_iter().flatten() {
        let chain: Vec<JumpHost> = value.split(',').map(|jump| jump.parse().expect("ssh prints jump hosts")).collect();
        *value = shown(&chain);
    }
    for keyword in ["certificatefile", "identityfile"] {
        settings.entry(keyword.to_owned()).or_default().retain(|file| file != "none");
    }
    let unset = ["hostkeyalias", "preferredauthentications", "proxycommand", "proxyjump", "revokedhostkeys"];
    settings.retain(|keyword, _| is_ours(keyword) || unset.contains(&&**keyword));
    settings
}

/// Resolves a host like `ssh -F`.
pub(crate) fn resolve(
    path: &Path,
    me: &LocalUser,
    host: &str,
    user: Option<&str>,
) -> Result<HostConfig, fabrs_openssh::Error> {
    let config = SshConfig::load(&ConfigFiles::only(path, &me.home))?;
    let exec = |command: &str| Ok(run("sh", ["-c", &format!("exec {command}")]).status.success());
    let query = Query::new(host, &me.user, &me.home).uid(me.uid).local_hostname(&me.hostname).exec(&exec);
    config.resolve(&match user {
        Some(user) => query.user(user),
        None => query,
    })
}
