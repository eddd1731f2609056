//! The tasks run by the tests of `fab`.
//!
//! ```cargo
//! [dependencies]
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```

mod db;

use std::path::PathBuf;
use std::str::FromStr;

use fabrs::prelude::*;

/// An argument type with its own parser: `low` or `high`.
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

/// Prints its arguments.
///
/// The output has each argument:
///     a=x b=1
#[task(local)]
async fn tell(
    /// The first thing.
    a: String,
    /// A number.
    #[arg(default = 1)]
    b: i64,
    /// Be verbose.
    #[arg(short)]
    verbose: bool,
    /// Use colours.
    #[arg(default = true)]
    color: bool,
) -> Result {
    local(cmd!("echo a={a} b={b} verbose={verbose} color={color}")).await?;
    Ok(())
}

/// Prints files and other arguments.
#[task(local)]
async fn collect(
    name: Option<String>,
    /// A file. May be repeated.
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

/// Deploys a build, one host at a time.
#[task(role = "web", rolling = 1)]
async fn deploy(
    c: Connection,
    /// The build.
    tag: String,
    /// The host to fail on.
    fail_on: Option<String>,
) -> Result {
    let here = c.host().map(|host| host.name().to_owned()).unwrap_or_default();
    if fail_on.as_deref() == Some(&here) {
        bail!("{here} has no room for {tag}");
    }
    run(cmd!("echo {tag} on {here}")).await?;
    Ok(())
}

/// Creates a file on the host.
#[task]
async fn mark(path: PathBuf) -> Result {
    run(cmd!("touch {path}")).await?;
    Ok(())
}

/// Fails with an exit status.
#[task]
async fn fail(status: u8) -> Result {
    run(cmd!("echo trying; exit {status}")).await?;
    Ok(())
}

/// Fails on one host.
#[task]
async fn fail_on(c: Connection, host: String) -> Result {
    let here = c.host().map(|host| host.name().to_owned());
    ensure!(here != Some(host), "not here");
    Ok(())
}

/// Migrates once for all hosts.
#[task(role = "web")]
async fn migrate(log: PathBuf) -> Result {
    let count = once("migrations", run(cmd!("echo migrated >> {log}; wc -l < {log}")).hide(Hide::Both).line()).await?;
    run(cmd!("echo saw {count}")).await?;
    Ok(())
}

/// Fails once for all hosts.
#[task(role = "web")]
async fn fail_once() -> Result {
    let choose = async { Err::<String, TaskError>(TaskError::msg("no tag is deployable")) };
    once("tag", choose).await.context("choosing the tag")?;
    Ok(())
}

/// Sends a mail, without a command.
#[task(local)]
async fn announce(file: PathBuf) -> Result {
    effect("mail the changes", async { std::fs::write(&file, "sent") }).await?;
    Ok(())
}

/// Checks a port.
#[task(local)]
async fn check(text: String) -> Result {
    let port: u16 = text.parse().context("reading the port")?;
    ensure!(port > 1024, "port {port} is for root");
    std::fs::read(format!("/no/such/file/{port}"))?;
    Ok(())
}

/// Runs commands on a separate thread, and waits for them.
#[task]
fn plain(word: String) -> Result {
    let answer = run(cmd!("echo {word}")).hide(Hide::Both).wait_blocking()?;
    let answer = answer.line()?;
    run(cmd!("echo heard {answer}")).wait_blocking()?;
    Ok(())
}

/// Deploys a build and says hello.
#[task(role = "web", rolling = 1)]
async fn release(tag: String) -> Result {
    deploy::call(tag, None).await?;
    hello::call().await?;
    Ok(())
}

/// Queries all web hosts.
#[task(local)]
async fn fleet(down: Option<String>) -> Result {
    let web = on(role("web"))?;
    let answers = web.each(|c| {
        let down = down.clone();
        async move {
            let here = c.host().map(|host| host.name().to_owned());
            if here == down {
                bail!("is down");
            }
            run("echo up").hide(Hide::Both).line().await.map_err(TaskError::from)
        }
    });
    for (host, answer) in answers.await.all_ok()? {
        let host = host.name();
        local(cmd!("echo {host} is {answer}")).await?;
    }
    Ok(())
}

/// Calls `run` in a local task, without a host.
#[task(local)]
async fn nowhere() -> Result {
    run("echo nowhere").await?;
    Ok(())
}

/// Calls `run` in a tokio task, without a host.
#[task]
async fn spawned() -> Result {
    tokio::spawn(async { run("echo spawned").await }).await??;
    Ok(())
}

/// Calls `run` in a tokio task with the host of the task.
#[task]
async fn carried(c: Connection) -> Result {
    let inside = async { run("echo carried").await };
    tokio::spawn(async move { c.enter(inside).await }).await??;
    Ok(())
}

/// Omits `cmd!`.
#[task]
async fn forgotten() -> Result {
    run("git reset --hard {tag}").await?;
    Ok(())
}

/// Panics on one host.
#[task]
async fn panics(c: Connection, host: String) -> Result {
    assert!(c.host().is_none_or(|here| here.name() != host), "a mistake in tasks.rs");
    run("echo no panic").await?;
    Ok(())
}

/// Sleeps.
#[task]
async fn nap(seconds: String) -> Result {
    run(cmd!("echo napping; sleep {seconds} | cat")).await?;
    Ok(())
}

/// Runs a command that ignores TERM.
#[task]
async fn ignore_term(seconds: String) -> Result {
    run(cmd!("trap '' TERM; echo deaf; sleep {seconds}; sleep {seconds}")).await?;
    Ok(())
}

/// Prints 50,000 lines, then creates a file.
#[task]
async fn talk(path: PathBuf) -> Result {
    run("i=0; while [ $i -lt 50000 ]; do echo line $i; i=$((i + 1)); done").await?;
    run(cmd!("touch {path}")).await?;
    Ok(())
}

/// Reads the stdin of `fab`.
#[task]
async fn reads() -> Result {
    run("head -n 1; cat >/dev/null; echo over").stdin_inherit().await?;
    Ok(())
}

/// Opens a shell on the host.
#[task]
async fn open_shell(c: Connection) -> Result {
    c.env("WHO", "it is me").shell().await?;
    run("echo afterwards").await?;
    Ok(())
}

/// Ignores the error of a result.
#[task]
async fn ignore_error() -> Result {
    let _ = run("echo first").line().await;
    run("echo second").await?;
    Ok(())
}

/// Answers prompts of commands, remote and local.
#[task]
async fn answers() -> Result {
    let asks = "printf 'sure? '; read -r a; echo \"said $a\"";
    run(asks).watch(Responder::new("sure? ", "yes\n")).await?;
    local(asks).watch(Responder::new("sure? ", "yes\n")).await?;
    Ok(())
}

/// Runs a command as root.
#[task]
async fn run_as_root() -> Result {
    sudo("id -un && id -un").await?;
    Ok(())
}

/// Leaves a command running.
#[task]
async fn leave(seconds: String) -> Result {
    run(cmd!("sleep {seconds}")).disown().await?;
    run(cmd!("until pgrep -f '^sleep '{seconds} >/dev/null; do sleep 0.05; done")).await?;
    Ok(())
}

/// Runs an interactive command with a prompt.
#[task]
async fn edit() -> Result {
    let output = run("printf 'name? '; read -r name; echo \"hello $name\"; stty size").interactive().await?;
    ensure!(output.ok()?, "the command failed");
    Ok(())
}

/// Panics during an open shell, as soon as a file exists.
#[task]
async fn shell_panic(c: Connection, file: PathBuf) -> Result {
    let panics = async {
        c.run(cmd!("until [ -e {file} ]; do sleep 0.05; done")).await?;
        panic!("a mistake in tasks.rs")
    };
    let (shell, _): (_, Result) = tokio::join!(c.shell(), panics);
    shell?;
    Ok(())
}

/// Uploads a config file.
#[task]
async fn place(path: String) -> Result {
    put(b"port = 80\n", path).await?;
    Ok(())
}

/// Prompts on one host, while the other hosts print and then create a file.
#[task]
async fn confirm_web1(c: Connection, file: PathBuf) -> Result {
    if c.host().is_some_and(|host| host.name() == "web1") {
        if confirm("Go on?").await? {
            run("echo going on").await?;
        }
    } else {
        run("i=0; while [ $i -lt 20 ]; do echo noise $i; sleep 0.05; i=$((i + 1)); done").await?;
        run(cmd!("touch {file}")).await?;
    }
    Ok(())
}

/// Runs an interactive command as root.
#[task]
async fn root_shell() -> Result {
    sudo("read -r line; echo \"root has $line\"").interactive().await?;
    Ok(())
}

/// Prompts for the number of workers, with a default.
#[task]
async fn workers() -> Result {
    let workers = prompt("Workers?").default("4").parse::<u8>().await?;
    run(cmd!("echo {workers} workers")).await?;
    Ok(())
}

/// Prompts for a tag, without a default.
#[task]
async fn tag() -> Result {
    let tag = prompt("Tag?").await?;
    run(cmd!("echo tag {tag}")).await?;
    Ok(())
}

/// Prompts for yes or no, with a default.
#[task]
async fn restart(
    /// The default.
    #[arg(default = true)]
    likely: bool,
) -> Result {
    let answer = if confirm("Restart?").default(likely).await? { "yes" } else { "no" };
    run(cmd!("echo restart {answer}")).await?;
    Ok(())
}

/// Prompts for a secret, with an unused default.
#[task]
async fn token() -> Result {
    let token = prompt("Token?").default("from the code").secret().await?;
    run("cat >/dev/null; echo got a token").stdin(&token).await?;
    Ok(())
}

/// Prints 64 MB, then creates a file.
#[task]
async fn pour(path: PathBuf) -> Result {
    run(cmd!("yes 'a line kept in memory until the reader starts' | head -c 64000000; touch {path}")).await?;
    Ok(())
}

/// Prints directly and by a program, then creates a file.
#[task]
async fn prints(path: PathBuf) -> Result {
    for number in 0..20_000 {
        println!("line {number}");
        eprintln!("note {number}");
    }
    std::process::Command::new("echo").arg("of a program").status()?;
    run(cmd!("touch {path}")).await?;
    Ok(())
}

/// Prints between commands.
#[task]
async fn steps(c: Connection) -> Result {
    println!("one");
    run("echo two").await?;
    eprintln!("three");
    println!("four");
    if let Some(client) = c.client() {
        client.note(None, "five");
    }
    std::process::Command::new("echo").arg("six").status()?;
    run("echo seven >&2").await?;
    print!("no end");
    Ok(())
}

/// Prints `true` or `false` for stdout and stderr: the stream is a terminal.
#[task(local)]
async fn colours() -> Result {
    use std::io::IsTerminal as _;
    println!("terminal: {} {}", std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    Ok(())
}

/// Leaves a local program running, with stdout and stderr open.
#[task(local)]
async fn leave_sleep(seconds: String) -> Result {
    println!("begun");
    std::process::Command::new("sleep").arg(seconds).spawn()?;
    Ok(())
}

/// Prints before and after a file exists, then creates another file.
#[task]
async fn print_later(begun: PathBuf, go: PathBuf, path: PathBuf) -> Result {
    println!("waiting");
    run(cmd!("touch {begun}; until [ -e {go} ]; do sleep 0.05; done")).await?;
    println!("going on");
    eprintln!("going on");
    run(cmd!("touch {path}")).await?;
    Ok(())
}

/// Uploads 4 MiB from a reader.
#[task]
async fn put_reader(path: String) -> Result {
    let reader = std::io::Read::take(std::io::repeat(b'x'), 4 << 20);
    put(Source::reader(reader), path).await?;
    Ok(())
}

/// Downloads a file or directory.
#[task]
async fn fetch(from: String, to: String) -> Result {
    get(from, to).await?;
    Ok(())
}

/// Uploads a directory with rsync.
#[task]
async fn copy(c: Connection, from: String, to: String) -> Result {
    c.rsync(from, to).await?;
    Ok(())
}

/// Runs a command with hidden output, and with `echo`.
#[task]
async fn hidden() -> Result {
    run("echo hidden").hide(Hide::Both).echo().await?;
    run("echo half >&2").hide(Hide::Stderr).echo().await?;
    run("echo spawned").echo().spawn()?.await?;
    Ok(())
}

/// Prints more than the capacity of any pipe, creates a file, then prompts.
#[task]
async fn flooded(file: PathBuf) -> Result {
    let line = "x".repeat(1 << 20);
    for _ in 0..8 {
        println!("{line}");
    }
    std::fs::write(file, "")?;
    confirm("Go on?").await?;
    Ok(())
}

/// Cancels a prompt when a file exists, then prompts again.
#[task]
async fn withdrawn(gate: String) -> Result {
    let first = async { prompt("First: ").secret().await };
    tokio::select! {
        biased;
        _ = first => bail!("unexpected answer"),
        open = run(cmd!("while [ ! -e {gate} ]; do sleep 0.05; done")) => open?,
    };
    let second = prompt("Second: ").secret().await?;
    run("wc -c | sed 's/$/ letters/'").stdin(&second).await?;
    Ok(())
}
