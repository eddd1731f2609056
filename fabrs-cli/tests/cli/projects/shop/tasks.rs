//! What the tests of `fab` run.
//!
//! ```cargo
//! [dependencies]
//! tokio = { version = "1", features = ["rt"] }
//! ```

use std::path::PathBuf;
use std::str::FromStr;

use fabrs::prelude::*;

/// How much is told, as `low` or `high`.
#[derive(Debug, Clone)]
enum Level {
    Low,
    High,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "low" => Ok(Self::Low),
            "high" => Ok(Self::High),
            _ => Err("a level is `low` or `high`".to_owned()),
        }
    }
}

/// Says hello.
#[task(default, alias = "hi")]
async fn hello() -> Result {
    run("echo hello").await?;
    Ok(())
}

/// Tells what it was given.
///
/// All that a person can type is told again, one thing a line:
///     a=x b=1
#[task(local)]
async fn tell(
    /// The first thing.
    a: String,
    /// A number.
    #[arg(default = 1)]
    b: i64,
    /// Tells more.
    #[arg(short)]
    verbose: bool,
    /// Tells it in colour.
    #[arg(default = true)]
    color: bool,
) -> Result {
    local(cmd!("echo a={a} b={b} verbose={verbose} color={color}")).await?;
    Ok(())
}

/// Collects files.
#[task(local)]
async fn collect(
    name: Option<String>,
    /// One file; may be repeated.
    #[arg(short)]
    file: Vec<PathBuf>,
    level: Option<Level>,
    factor: Option<f64>,
) -> Result {
    let level = level.map(|level| match level {
        Level::Low => 1,
        Level::High => 2,
    });
    local(cmd!("echo {name...} / {file...} / {level...} / {factor...}")).await?;
    Ok(())
}

/// Puts a build live, one host after the other.
#[task(role = "web", rolling = 1)]
async fn deploy(
    c: Connection,
    /// The build.
    tag: String,
    /// The host on which it fails.
    fail_on: Option<String>,
) -> Result {
    let here = c.host().map(|host| host.name().to_owned()).unwrap_or_default();
    if fail_on.as_deref() == Some(&here) {
        bail!("{here} has no room for {tag}");
    }
    run(cmd!("echo {tag} on {here}")).await?;
    Ok(())
}
