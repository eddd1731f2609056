//! Every kind of command.

use fabrs::prelude::*;
use futures::StreamExt as _;

/// Runs every kind of command.
#[task(role = "web", sudo)]
async fn commands(dir: String) -> Result {
    let dir = dir.as_str();
    run(cmd!("touch {dir}/command-run")).await?;
    run(cmd!("touch {dir}/command-spawn")).spawn()?.await?;
    run(cmd!("touch {dir}/command-disown")).disown().await?;
    run(cmd!("touch {dir}/command-pty")).pty().await?;
    run(cmd!("tee {dir}/command-stdin")).stdin("text").await?;
    run(cmd!("touch {dir}/command-retry")).retry(3, secs(1)).timeout(secs(30)).await?;
    run(cmd!("touch {dir}/command-warn")).warn().await?;
    sudo(cmd!("touch {dir}/command-sudo")).await?;
    sudo(cmd!("cd / && touch {dir}/command-sudo-user")).user("root").await?;
    cd(dir).env("A", "b").umask(0o077).run("touch command-cd").await?;
    let mut lines = run(cmd!("touch {dir}/command-stream")).stream_lines()?;
    while let Some(line) = lines.next().await {
        line?;
    }
    once("once", run(cmd!("touch {dir}/command-once"))).await?;
    effect("effect", async { std::fs::write(format!("{dir}/command-effect"), "") }).await?;
    Ok(())
}

/// Runs interactive commands.
#[task(role = "web")]
async fn at_a_terminal(dir: String) -> Result {
    run(cmd!("touch {dir}/command-interactive")).interactive().await?;
    current().shell().await?;
    Ok(())
}

/// Uses the result of a command. A dry run has no such result.
#[task(role = "web")]
async fn looks(dir: String) -> Result {
    let line = run(cmd!("touch {dir}/command-looked; echo x")).line().await?;
    run(cmd!("touch {dir}/command-{line}")).await?;
    Ok(())
}
