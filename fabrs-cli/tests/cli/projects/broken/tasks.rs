//! Two mistakes for the compiler to find.

use fabrs::prelude::*;

/// Runs a command built with `format!`.
#[task]
async fn deploy(tag: String) -> Result {
    run(format!("git reset --hard {tag}")).await?;
    Ok(())
}

/// Assigns text to a number.
#[task(local)]
fn count() -> Result {
    let _number: u32 = "seven";
    Ok(())
}
