//! Connection settings in `fabrs.toml`: `ssh_config`, `identity` and `connect_timeout`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fabrs::config::{Config, Inventory, Layered, PromptPolicy, Settings, SshConfigSource};
use fabrs::prelude::*;
use fabrs::{Client, Result};
use fabrs_testing::faults::Proxy;
use fabrs_testing::{Key, KeyType, Sshd};

use crate::support::{error_text, expect_error, gateway_config, settings, ssh_config, within_limit};

/// Returns a client with the environment `live` of a `fabrs.toml` in this directory.
fn client(dir: &Path, text: &str, settings: Settings) -> Client {
    let config = Config::parse(&format!("[env.live]\n{text}"), &dir.join("fabrs.toml")).expect("the text is valid");
    let inventory = Inventory::new(&config, Some("live")).expect("the environment exists");
    let settings = settings.or_environment(inventory.environment().expect("the environment exists"));
    Client::builder().settings(settings).inventory(inventory).build()
}

fn no_prompts() -> Settings {
    Settings::default().prompts(PromptPolicy::Refuse)
}

/// Returns a server that accepts only this key, and no identity of its own.
fn server_accepting(key: &Key) -> Sshd {
    let sshd = Sshd::builder().aliases(["web1", "web2"]).authorize(key).start();
    fs::remove_file(sshd.identity()).expect("the directory is ours");
    sshd
}

#[tokio::test]
async fn the_ssh_config_of_an_environment_or_host_replaces_the_config_of_the_user() -> Result<()> {
    let names = ["web1", "web2"];
    let [first, second] = [(); 2].map(|()| Sshd::builder().aliases(names).start());
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::copy(first.ssh_config(), dir.path().join("first")).expect("the directory is ours");
    fs::create_dir(dir.path().join("ssh")).expect("the directory is ours");
    fs::copy(second.ssh_config(), dir.path().join("ssh/second")).expect("the directory is ours");
    let text = "hosts = ['web1', 'web2']\nssh_config = 'first'\nhost.web2.ssh_config = 'ssh/second'";
    let live = client(dir.path(), text, no_prompts());
    for (name, sshd) in [("web1", &first), ("web2", &second)] {
        let line = live.connect(name)?.run("echo \"$LOGNAME\" $SSH_CONNECTION | cut -d' ' -f1,5").line().await?;
        assert_eq!(line, format!("{} {}", sshd.user(), sshd.port()), "{name}");
    }
    let typed = no_prompts().ssh_config(SshConfigSource::File(first.ssh_config()));
    let typed = client(dir.path(), text, typed);
    let port = typed.connect("web2")?.run("echo $SSH_CONNECTION | cut -d' ' -f4").line().await?;
    assert_eq!(port, first.port().to_string(), "the command line has precedence");
    Ok(())
}

#[tokio::test]
async fn a_missing_ssh_config_is_an_error_with_its_path() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let live = client(dir.path(), "hosts = ['web1']\nssh_config = 'gone'", no_prompts());
    let error = match live.connect("web1") {
        Ok(host) => expect_error(host.run("true").await, ErrorKind::Config),
        Err(error) => error,
    };
    assert!(error_text(&error).contains(&dir.path().join("gone").display().to_string()), "{error:?}");
    Ok(())
}

/// As with `ssh -F FILE -J GATEWAY`.
#[tokio::test]
async fn a_gateway_is_resolved_by_the_ssh_config_of_its_host() -> Result<()> {
    let server = Sshd::builder().aliases(["web1", "web2"]).start();
    let gateways = [(); 2].map(|()| Sshd::builder().authorize(server.identity_key()).start());
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, gateway) in ["one", "two"].iter().zip(&gateways) {
        let config = ssh_config(&server, &gateway_config("jump", gateway));
        fs::copy(config, dir.path().join(name)).expect("the directory is ours");
    }
    let text = "hosts = ['web1', 'web2']\ngateway = 'jump'\nssh_config = 'one'\nhost.web2.ssh_config = 'two'";
    let live = client(dir.path(), text, no_prompts());
    for name in ["web1", "web2"] {
        live.connect(name)?.run("true").await?;
    }
    assert_eq!(gateways.each_ref().map(Sshd::connections), [1, 1]);
    Ok(())
}

#[tokio::test]
async fn an_identity_of_an_environment_or_host_logs_in() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let [key, other] = ["key", "other"].map(|name| Key::generate(dir.path().join(name), KeyType::Ed25519, ""));
    let sshd = server_accepting(&key);
    let run = || settings(&ssh_config(&sshd, ""));
    for text in [
        "identity = 'key'".to_owned(),
        "identity = ['other', 'key']".to_owned(),
        format!("identity = '{}'", key.path().display()),
        "identity = 'other'\nhost.web1.identity = 'key'".to_owned(),
    ] {
        let live = client(dir.path(), &format!("hosts = ['web1', 'web2']\n{text}"), run());
        live.connect("web1")?.run("true").await?;
    }
    let text = "hosts = ['web1', 'web2']\nidentity = 'key'\nhost.web1.identity = 'other'";
    let live = client(dir.path(), text, run());
    let error = expect_error(live.connect("web1")?.run("true").await, ErrorKind::Auth);
    assert!(error_text(&error).contains(&other.path().display().to_string()), "{error:?}");
    live.connect("web2")?.run("true").await?;
    Ok(())
}

#[tokio::test]
async fn typed_identities_precede_those_of_fabrs_toml_and_these_precede_the_ssh_config() -> Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let keys = ["typed", "file", "configured"].map(|name| Key::generate(dir.path().join(name), KeyType::Ed25519, ""));
    let sshd = Sshd::builder().aliases(["web1"]).start();
    fs::remove_file(sshd.identity()).expect("the directory is ours");
    let config = ssh_config(&sshd, &format!("IdentityFile {}", keys[2].path().display()));
    let run = settings(&config).identities(vec![keys[0].path().to_owned()]);
    let live = client(dir.path(), "hosts = ['web1']\nidentity = 'file'", run);
    let text = error_text(&expect_error(live.connect("web1")?.run("true").await, ErrorKind::Auth));
    let places = keys.map(|key| text.find(&format!("`{}`", key.path().display())).expect("each key was tried"));
    assert!(places.is_sorted(), "{text}");
    let missing = client(dir.path(), "hosts = ['web1']\nidentity = 'gone'", settings(&config));
    let text = error_text(&expect_error(missing.connect("web1")?.run("true").await, ErrorKind::Auth));
    assert!(text.contains(&format!("`{}` (no such file)", dir.path().join("gone").display())), "{text}");
    Ok(())
}

#[tokio::test]
async fn the_connect_timeout_of_a_host_or_environment_precedes_only_the_default() -> Result<()> {
    let silent = Proxy::silent();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let port = silent.port();
    for (text, line, argument, expected) in [
        ("connect_timeout = 0.2", "", None, "200ms"),
        ("connect_timeout = 60\nhost.'127.0.0.1'.connect_timeout = 0.3", "", None, "300ms"),
        ("connect_timeout = 60", "ConnectTimeout 1", None, "1s"),
        ("connect_timeout = 60", "ConnectTimeout 60", Some(Duration::from_millis(400)), "400ms"),
    ] {
        let file = dir.path().join("ssh_config");
        fs::write(&file, format!("Host *\n{line}\n")).expect("the directory is ours");
        let mut run = settings(&file);
        run.connect_timeout = Layered::from_argument(argument);
        let text = format!("hosts = ['127.0.0.1']\nport = {port}\n{text}");
        let host = client(dir.path(), &text, run).connect("127.0.0.1")?;
        let error = expect_error(within_limit(host.run("true")).await, ErrorKind::Connect);
        assert!(error_text(&error).contains(&format!("within {expected}")), "{text}: {error:?}");
    }
    Ok(())
}
