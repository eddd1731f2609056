//! The tasks that the fleet benchmark runs, to be measured beside other tools.

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
