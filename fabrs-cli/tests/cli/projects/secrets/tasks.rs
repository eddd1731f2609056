//! Tasks that print a secret. `fab` knows the secret from a command.
//!
//! ```cargo
//! [dependencies]
//! tokio = { version = "1", features = ["rt"] }
//! ```

use fabrs::prelude::*;

const TOKEN: &str = "t0ken-of-the-test";

async fn give() -> Result {
    current().env("TOKEN", Secret::new(TOKEN)).run("true").await?;
    Ok(())
}

/// Prints the secret in pieces, directly and by a program.
#[task]
async fn prints() -> Result {
    give().await?;
    println!("printed {TOKEN}.");
    eprintln!("noted {TOKEN}.");
    let (begin, end) = TOKEN.split_at(4);
    for piece in [begin, end, ".\n"] {
        print!("{piece}");
        std::io::Write::flush(&mut std::io::stdout())?;
        run("true").await?;
    }
    std::process::Command::new("echo").args(["echoed", TOKEN]).status()?;
    print!("t0ken");
    Ok(())
}

/// Panics.
#[task]
async fn panics() -> Result {
    give().await?;
    panic!("async {TOKEN}")
}

/// Panics on a separate thread.
#[task]
fn panics_on_a_thread() -> Result {
    current().env("TOKEN", Secret::new(TOKEN)).run("true").wait_blocking()?;
    panic!("plain {TOKEN}")
}

/// Panics in a spawned future, hidden from the run.
#[task]
async fn panics_unseen() -> Result {
    give().await?;
    println!("before");
    let _ = tokio::spawn(async { panic!("unseen {TOKEN}") }).await;
    println!("after");
    Ok(())
}

/// Passes a secret to a command. The secret is too short to be redacted.
#[task]
async fn short() -> Result {
    current().env("TOKEN", Secret::new("abc")).run("true").await?;
    Ok(())
}
