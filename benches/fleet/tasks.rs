//! The tasks that the fleet benchmark runs, to be measured beside other tools.

use std::path::PathBuf;

use fabrs::prelude::*;

/// Runs a line so many times, one after the other, over one connection.
#[task]
async fn steps(
    /// How many times.
    count: u32,
    /// The line.
    line: String,
) -> Result {
    for _ in 0..count {
        run(ShellLine::raw(&line)).hide(Hide::Both).await?;
    }
    Ok(())
}

/// Runs a line whose output is kept as far as by default, and not shown.
#[task]
async fn capture(
    /// The line.
    line: String,
) -> Result {
    run(ShellLine::raw(&line)).hide(Hide::Both).await?;
    Ok(())
}

/// Runs so many commands at once that do not end by themselves: of every fourth all run under sudo, on a pty, in a pipeline
/// and alone.
#[task]
async fn sleepers(
    c: Connection,
    /// How many.
    count: u32,
    /// For how long: how they are found.
    seconds: String,
    /// A file that says that all are on their way.
    ready: PathBuf,
) -> Result {
    let mut running = Vec::new();
    for n in 0..count {
        let command = match n % 4 {
            0 => c.run(cmd!("sleep {seconds}")),
            1 => c.run(cmd!("sleep {seconds} | cat")),
            2 => c.run(cmd!("sleep {seconds}")).pty(),
            _ => c.sudo(cmd!("sleep {seconds}; true")),
        };
        running.push(command.spawn()?);
    }
    local(cmd!("touch {ready}")).await?;
    for command in running {
        command.await?;
    }
    Ok(())
}

/// Puts a file.
#[task]
async fn upload(
    /// The file here.
    source: String,
    /// Its path there.
    target: String,
) -> Result {
    put(source, target).await?;
    Ok(())
}

/// Gets a file.
#[task]
async fn download(
    /// The file there.
    source: String,
    /// Its path here.
    target: String,
) -> Result {
    get(source, target).await?;
    Ok(())
}

/// Puts a folder.
#[task]
async fn tree(
    /// The folder here.
    source: String,
    /// The folder there.
    target: String,
) -> Result {
    put(source, target).await?;
    Ok(())
}

/// Asks, and does nothing else.
#[task]
async fn ask() -> Result {
    confirm("Go on?").await?;
    Ok(())
}

/// Runs a command from a plain function, on a thread of its own.
#[task]
fn plain() -> Result {
    run("true").wait()?;
    Ok(())
}
