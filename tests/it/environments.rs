//! Environments of fabrs.toml: settings for a single host, and the user's variables in a task.

use fabrs::config::{Config, Inventory, Layered, Settings};
use fabrs::prelude::*;
use fabrs::transport::{Fake, FakeAnswer};
use fabrs::{ErrorKind, Plan};
use fabrs_testing::faults::RefusedPort;
use fabrs_testing::{Account, Capability, Sshd};
use serde::Deserialize;

use crate::support::{client_of, error_text, execute, expect_error, settings, ssh_config, within_limit};

fn live_inventory(text: &str) -> Inventory {
    let config = Config::parse(text, "fabrs.toml".as_ref()).expect("the text is valid");
    Inventory::new(&config, Some("live")).expect("the file exists")
}

/// Returns an ssh config without user and port, for the values of `fabrs.toml` to apply.
fn config_without_user_and_port(sshd: &Sshd) -> std::path::PathBuf {
    let path = ssh_config(sshd, &format!("Host *\n    HostKeyAlias [127.0.0.1]:{}\n", sshd.port()));
    let text = std::fs::read_to_string(&path).expect("the file was written");
    let kept = text.lines().filter(|line| !line.trim().starts_with("User ") && !line.trim().starts_with("Port "));
    std::fs::write(&path, kept.collect::<Vec<_>>().join("\n")).expect("the directory is ours");
    path
}

#[tokio::test]
async fn a_host_port_overrides_the_environment_but_not_ssh_config_or_arguments() -> fabrs::Result<()> {
    let sshd = Sshd::builder().aliases(["web1", "web2"]).start();
    let refusing = RefusedPort::reserve().addr().port();
    let text = format!(
        "[env.live]\nhosts = ['web[1-2]']\nuser = '{}'\nport = {refusing}\nhost.web1.port = {}",
        sshd.user(),
        sshd.port()
    );
    let client = |path: &std::path::Path, port: Option<u16>| {
        let mut run = settings(path).or_environment(live_inventory(&text).environment().expect("the file exists"));
        run.port.argument = port;
        Client::builder().settings(run).inventory(live_inventory(&text)).build()
    };
    let silent = config_without_user_and_port(&sshd);
    within_limit(client(&silent, None).connect("web1")?.run("true")).await?;
    expect_error(within_limit(client(&silent, None).connect("web2")?.run("true")).await, ErrorKind::Connect);
    expect_error(within_limit(client(&silent, Some(refusing)).connect("web1")?.run("true")).await, ErrorKind::Connect);
    within_limit(client(&silent, Some(sshd.port())).connect("web2")?.run("true")).await?;

    let says_port = ssh_config(&sshd, "");
    within_limit(client(&says_port, None).connect("web2")?.run("true")).await?;
    Ok(())
}

#[tokio::test]
async fn a_host_user_overrides_the_environment() -> fabrs::Result<()> {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let [plain, dash] = [Account::Plain, Account::Dash].map(Account::name);
    let sshd = Sshd::builder().users([Account::Plain, Account::Dash]).aliases(["web1", "web2"]).start();
    let text = format!(
        "[env.live]\nhosts = ['web[1-2]']\nuser = '{plain}'\nport = {}\n[env.live.host.web2]\nuser = '{dash}'",
        sshd.port()
    );
    let run = settings(&config_without_user_and_port(&sshd));
    let client = Client::builder().settings(run).inventory(live_inventory(&text)).build();
    assert_eq!(within_limit(client.connect("web1")?.run("id -un").line()).await?, plain);
    assert_eq!(within_limit(client.connect("web2")?.run("id -un").line()).await?, dash);
    assert_eq!(within_limit(client.connect(format!("{plain}@web2"))?.run("id -un").line()).await?, plain);
    Ok(())
}

#[tokio::test]
async fn a_host_gateway_applies_to_that_host_only() -> fabrs::Result<()> {
    let sshd = Sshd::builder().aliases(["web1", "web2"]).start();
    let gone = RefusedPort::reserve().addr();
    let text = format!("[env.live]\nhosts = ['web1', 'web2']\n[env.live.host.web2]\ngateway = '{gone}'");
    let client = client_of(&sshd, "").inventory(live_inventory(&text)).build();
    within_limit(client.connect("web1")?.run("true")).await?;
    let error = expect_error(within_limit(client.connect("web2")?.run("true")).await, ErrorKind::Connect);
    assert!(error_text(&error).contains(&gone.to_string()), "{}", error_text(&error));
    Ok(())
}

#[tokio::test]
async fn a_typed_user_makes_equal_hosts_of_both_spellings() -> fabrs::Result<()> {
    let fake = Fake::new().on("true", FakeAnswer::code(0));
    let run = Settings::default().user(Layered::argument("root".to_owned()));
    let client = Client::builder().dial(fake.clone()).settings(run).build();
    assert_eq!(client.connect("web1")?.host(), client.connect("root@web1")?.host());
    assert_ne!(client.connect("web1")?.host(), client.connect("ann@web1")?.host());
    Ok(())
}

#[derive(Deserialize)]
struct Shop {
    app: String,
    workers: u8,
}

#[task]
async fn reads_host_vars(c: Connection) -> Result {
    let Shop { app, workers } = c.vars()?;
    c.run(cmd!("{app} {workers}")).await?;
    Ok(())
}

#[task(local)]
async fn reads_environment_vars() -> Result {
    let Shop { app, workers } = current().vars()?;
    local(cmd!("{app} {workers}")).await?;
    Ok(())
}

const VARS: &str = "vars.app = 'shop'\n[env.live]\nhosts = ['web[1-3]']\nvars.workers = 4\n\
                    host.web2.vars.workers = 16\n[env.live.host.web3.vars]\nworkers = 'many'\n";

#[tokio::test]
async fn a_task_reads_the_vars_of_its_host_and_a_local_task_those_of_the_environment() -> Result {
    let fake = Fake::new().on("shop 4", FakeAnswer::code(0)).on("shop 16", FakeAnswer::code(0));
    let client = Client::builder().dial(fake.clone()).inventory(live_inventory(VARS)).build();
    let report = execute(&client, [reads_environment_vars::call(), reads_host_vars::call()]).await;
    assert!(!report.is_ok(), "the vars of web3 are invalid");
    let mut ran = fake.commands();
    ran.sort_unstable();
    assert_eq!(ran, ["@local: shop 4", "web1: shop 4", "web2: shop 16"]);
    Ok(())
}

#[tokio::test]
async fn invalid_vars_are_an_error_naming_host_file_line_and_field() -> Result {
    let client = Client::builder().dial(Fake::new()).inventory(live_inventory(VARS)).build();
    let error = expect_error(client.connect("web3")?.vars::<Shop>().map(|shop| shop.workers), ErrorKind::Config);
    let shown = format!(
        "error: web3: invalid vars for `{}`\n  caused by: fabrs.toml:7: `workers` must be u8, found: string",
        std::any::type_name::<Shop>()
    );
    assert_eq!(error_text(&error), shown);
    expect_error(current().vars::<Shop>().map(|shop| shop.workers), ErrorKind::Usage);
    assert_eq!(Plan::new(vec![reads_host_vars::call()], &client)?.steps().count(), 3);
    Ok(())
}
