//! Two mistakes, and a compiler that finds both.

use fabrs::prelude::*;

/// Runs a line that was made by `format!`.
#[task]
async fn deploy(tag: String) -> Result {
    run(format!("git reset --hard {tag}")).await?;
    Ok(())
}

/// Counts with words.
#[task(local)]
fn count() -> Result {
    let _number: u32 = "seven";
    Ok(())
}
