//! Tasks of the benchmarks, comparable with the same work in other tools.

use std::path::PathBuf;

use fabrs::prelude::*;

/// Runs a shell line repeatedly over one connection.
#[task]
async fn steps(
    /// Number of repetitions.
    count: u32,
    /// The shell line.
    line: String,
) -> Result {
    for _ in 0..count {
        run(ShellLine::raw(&line)).hide(Hide::Both).await?;
    }
    Ok(())
}

/// Runs a shell line with hidden output, captured up to the default limit.
#[task]
async fn capture(
    /// The shell line.
    line: String,
) -> Result {
    run(ShellLine::raw(&line)).hide(Hide::Both).await?;
    Ok(())
}

/// Starts commands that sleep for a long time, in four kinds: alone, in a pipeline, on a pty and
/// under sudo.
#[task]
async fn sleepers(
    c: Connection,
    /// Number of commands.
    count: u32,
    /// Duration in seconds. A unique value identifies the processes.
    seconds: String,
    /// A local file, created when all commands have started.
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

/// Uploads a file.
#[task]
async fn upload(
    /// The local file.
    source: String,
    /// Its path on the host.
    target: String,
) -> Result {
    put(source, target).await?;
    Ok(())
}

/// Downloads a file.
#[task]
async fn download(
    /// The file on the host.
    source: String,
    /// The local path.
    target: String,
) -> Result {
    get(source, target).await?;
    Ok(())
}

/// Uploads a directory.
#[task]
async fn tree(
    /// The local directory.
    source: String,
    /// The directory on the host.
    target: String,
) -> Result {
    put(source, target).await?;
    Ok(())
}

/// Opens a prompt.
#[task]
async fn ask() -> Result {
    confirm("Go on?").await?;
    Ok(())
}

/// Runs a command in a plain function, on a separate thread.
#[task]
fn plain() -> Result {
    run("true").wait_blocking()?;
    Ok(())
}
