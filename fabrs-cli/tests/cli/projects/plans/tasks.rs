//! Tasks with every kind of change, for tests of dry runs.
//!
//! ```cargo
//! [dependencies]
//! futures = "0.3"
//! tokio = { version = "1", features = ["rt"] }
//! ```

mod commands;
mod files;

use fabrs::config::{PromptPolicy, Settings, SshConfigSource};
use fabrs::prelude::*;

/// Changes hosts through groups and connections made by the task.
#[task(local)]
async fn groups(dir: String) -> Result {
    let dir = dir.as_str();
    Group::to(["web1", "web2"])?.run(cmd!("touch {dir}/command-group-to")).await.all_ok()?;
    Group::to(["web1"])?.limit(1).each(|c| async move { c.sudo(cmd!("touch {dir}/command-each")).await }).await.all_ok()?;
    Connection::to("web1")?.run(cmd!("touch {dir}/command-to")).await?;
    Connection::open("web2").await?.run(cmd!("touch {dir}/command-open")).await?;
    let client = current().client().context("a task has a client")?.clone();
    Group::of(&client, ["db1"])?.run(cmd!("touch {dir}/command-group-of")).await.all_ok()?;
    on(role("web"))?.run(cmd!("touch {dir}/command-role")).await.all_ok()?;
    on(["web1", "db1"])?.run(cmd!("touch {dir}/command-hosts")).await.all_ok()?;
    local(cmd!("touch {dir}/command-local")).await?;
    Ok(())
}

/// Changes hosts through clients made by the task.
#[task(local)]
async fn clients(dir: String, config: String) -> Result {
    let client = Client::builder().build();
    client.connect("web1")?.run(cmd!("touch {dir}/command-default-client")).await?;
    let ssh_config = SshConfigSource::File(config.into());
    let settings = Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse);
    let client = Client::builder().settings(settings).build();
    client.connect("web2")?.run(cmd!("touch {dir}/command-own-client")).await?;
    Group::of(&client, ["web1", "web2"])?.run(cmd!("touch {dir}/command-own-group")).await.all_ok()?;
    client.connect("web1")?.put("conf/app.conf", format!("{dir}/file-own-client")).await?;
    Ok(())
}

/// Changes hosts from a spawned future and from threads.
#[task(local)]
async fn elsewhere(dir: String) -> Result {
    let of_future = dir.clone();
    tokio::spawn(async move {
        Connection::to("web1")?.run(cmd!("touch {of_future}/command-future")).await?;
        Group::to(["web1", "web2"])?.run(cmd!("touch {of_future}/command-future-group")).await.all_ok()
    })
    .await??;
    let (runtime, of_thread) = (tokio::runtime::Handle::current(), dir.clone());
    let thread = std::thread::spawn(move || {
        runtime.block_on(async { Connection::to("web1")?.run(cmd!("touch {of_thread}/command-thread")).await })
    });
    thread.join().map_err(|_| TaskError::msg("the thread panicked"))??;
    tokio::task::spawn_blocking(move || {
        Connection::to("web2")?.sudo(cmd!("touch {dir}/command-blocking")).wait_blocking()
    })
    .await??;
    Ok(())
}

/// Prints the login user on two hosts named by the task.
#[task(local)]
async fn logins() -> Result {
    Group::to(["web1", "web2"])?.run("id -un").await.all_ok()?;
    Connection::to("web1")?.run("echo connection: $(id -un)").await?;
    Connection::to("web2")?.sudo("echo sudo: $(id -un)").await?;
    Ok(())
}
