//! What the tests of `fab` run.
//!
//! ```cargo
//! [dependencies]
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```

mod db;

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

/// Leaves a file on the host.
#[task]
async fn mark(path: PathBuf) -> Result {
    run(cmd!("touch {path}")).await?;
    Ok(())
}

/// Ends with a status.
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

/// Migrates once, whatever the number of hosts.
#[task(role = "web")]
async fn migrate(log: PathBuf) -> Result {
    let count = once("migrations", run(cmd!("echo migrated >> {log}; wc -l < {log}")).hide(Hide::Both).line()).await?;
    run(cmd!("echo saw {count}")).await?;
    Ok(())
}

/// Fails once, for all hosts.
#[task(role = "web")]
async fn fail_once() -> Result {
    let choose = async { Err::<String, TaskError>(TaskError::msg("no tag is deployable")) };
    once("tag", choose).await.context("choosing the tag")?;
    Ok(())
}

/// Tells somebody, without a command.
#[task(local)]
async fn announce(file: PathBuf) -> Result {
    effect("mail the changes", async { std::fs::write(&file, "sent") }).await?;
    Ok(())
}

/// Looks at a port.
#[task(local)]
async fn check(text: String) -> Result {
    let port: u16 = text.parse().context("reading the port")?;
    ensure!(port > 1024, "port {port} is for root");
    std::fs::read(format!("/no/such/file/{port}"))?;
    Ok(())
}

/// Waits for its commands on a thread of its own.
#[task]
fn plain(word: String) -> Result {
    let answer = run(cmd!("echo {word}")).hide(Hide::Both).wait()?;
    let answer = answer.line()?;
    run(cmd!("echo heard {answer}")).wait()?;
    Ok(())
}

/// Puts a build live and says hello.
#[task(role = "web", rolling = 1)]
async fn release(tag: String) -> Result {
    deploy::call(tag, None).await?;
    hello::call().await?;
    Ok(())
}

/// Asks the whole fleet.
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

/// Runs where it has no host.
#[task(local)]
async fn nowhere() -> Result {
    run("echo nowhere").await?;
    Ok(())
}

/// Runs in a task of tokio, which knows no host.
#[task]
async fn spawned() -> Result {
    tokio::spawn(async { run("echo spawned").await }).await??;
    Ok(())
}

/// Runs in a task of tokio that was given the host.
#[task]
async fn carried(c: Connection) -> Result {
    let inside = async { run("echo carried").await };
    tokio::spawn(async move { c.enter(inside).await }).await??;
    Ok(())
}

/// Forgets `cmd!`.
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

/// Takes its time.
#[task]
async fn nap(seconds: String) -> Result {
    run(cmd!("echo napping; sleep {seconds} | cat")).await?;
    Ok(())
}

/// Does not listen to TERM.
#[task]
async fn deaf(seconds: String) -> Result {
    run(cmd!("trap '' TERM; echo deaf; sleep {seconds}; sleep {seconds}")).await?;
    Ok(())
}

/// Says much, and leaves a file at its end.
#[task]
async fn talk(path: PathBuf) -> Result {
    run("i=0; while [ $i -lt 50000 ]; do echo line $i; i=$((i + 1)); done").await?;
    run(cmd!("touch {path}")).await?;
    Ok(())
}

/// Reads what its caller has for it.
#[task]
async fn reads() -> Result {
    run("head -n 1; cat >/dev/null; echo over").stdin_inherit().await?;
    Ok(())
}

/// Gives the terminal to somebody who works on the host.
#[task]
async fn sit(c: Connection) -> Result {
    c.env("WHO", "it is me").shell().await?;
    run("echo afterwards").await?;
    Ok(())
}

/// Swallows the error of what it looks at.
#[task]
async fn careless() -> Result {
    let _ = run("echo first").line().await;
    run("echo second").await?;
    Ok(())
}

/// Answers what commands ask, here and there.
#[task]
async fn answers() -> Result {
    let asks = "printf 'sure? '; read -r a; echo \"said $a\"";
    run(asks).watch(Responder::new("sure? ", "yes\n")).await?;
    local(asks).watch(Responder::new("sure? ", "yes\n")).await?;
    Ok(())
}

/// Does something as root.
#[task]
async fn rooted() -> Result {
    sudo("id -un && id -un").await?;
    Ok(())
}

/// Leaves something running.
#[task]
async fn leave(seconds: String) -> Result {
    run(cmd!("sleep {seconds}")).disown().await?;
    run(cmd!("until pgrep -f '^sleep '{seconds} >/dev/null; do sleep 0.05; done")).await?;
    Ok(())
}

/// Has a program of the host ask the person at the terminal.
#[task]
async fn edit() -> Result {
    let output = run("printf 'name? '; read -r name; echo \"hello $name\"; stty size").interactive().await?;
    ensure!(output.ok()?, "it has a status too");
    Ok(())
}

/// Panics while somebody works on the host, as soon as a file is there.
#[task]
async fn sit_badly(c: Connection, file: PathBuf) -> Result {
    let panics = async {
        c.run(cmd!("until [ -e {file} ]; do sleep 0.05; done")).await?;
        panic!("a mistake in tasks.rs")
    };
    let (shell, _): (_, Result) = tokio::join!(c.shell(), panics);
    shell?;
    Ok(())
}

/// Puts a file in its place.
#[task]
async fn place(path: String) -> Result {
    put(b"port = 80\n", path).await?;
    Ok(())
}

/// Asks on one host, while the others go on, and leave a file at their end.
#[task]
async fn asks(c: Connection, file: PathBuf) -> Result {
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

/// Gives the terminal to a shell of root's.
#[task]
async fn root_shell() -> Result {
    sudo("read -r line; echo \"root has $line\"").interactive().await?;
    Ok(())
}

/// Asks how many workers there are to be, with a default.
#[task]
async fn workers() -> Result {
    let workers = prompt("Workers?").default("4").parse::<u8>().await?;
    run(cmd!("echo {workers} workers")).await?;
    Ok(())
}

/// Asks for a tag, without a default.
#[task]
async fn tag() -> Result {
    let tag = prompt("Tag?").await?;
    run(cmd!("echo tag {tag}")).await?;
    Ok(())
}

/// Asks for yes or no, with a default.
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

/// Asks for a secret, with a default that is never used.
#[task]
async fn token() -> Result {
    let token = prompt("Token?").default("from the code").secret().await?;
    run("cat >/dev/null; echo got a token").stdin(&token).await?;
    Ok(())
}

/// Pours out 64 MB, and leaves a file at its end.
#[task]
async fn pour(path: PathBuf) -> Result {
    run(cmd!("yes 'a line that has to be kept until somebody reads it' | head -c 64000000; touch {path}")).await?;
    Ok(())
}

/// Prints by itself, on its thread and by a program, and leaves a file at its end.
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

/// Tells whether stdout and stderr are a terminal.
#[task(local)]
async fn colours() -> Result {
    use std::io::IsTerminal as _;
    println!("terminal: {} {}", std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    Ok(())
}

/// Leaves a program of this machine running that holds stdout and stderr.
#[task(local)]
async fn outlived(seconds: String) -> Result {
    println!("begun");
    std::process::Command::new("sleep").arg(seconds).spawn()?;
    Ok(())
}

/// Prints before and after a file is there, and leaves another at its end.
#[task]
async fn lingers(begun: PathBuf, go: PathBuf, path: PathBuf) -> Result {
    println!("waiting");
    run(cmd!("touch {begun}; until [ -e {go} ]; do sleep 0.05; done")).await?;
    println!("going on");
    eprintln!("going on");
    run(cmd!("touch {path}")).await?;
    Ok(())
}

/// Puts what a reader gives: 4 MiB.
#[task]
async fn put_reader(path: String) -> Result {
    let reader = std::io::Read::take(std::io::repeat(b'x'), 4 << 20);
    put(Source::reader(reader), path).await?;
    Ok(())
}

/// Gets a file or a folder.
#[task]
async fn fetch(from: String, to: String) -> Result {
    get(from, to).await?;
    Ok(())
}

/// Has rsync copy a folder to the host.
#[task]
async fn copy(c: Connection, from: String, to: String) -> Result {
    c.rsync(from, to).await?;
    Ok(())
}

/// Runs a command whose line and output are hidden, though its line is to be shown.
#[task]
async fn hidden() -> Result {
    run("echo hidden").hide(Hide::Both).echo().await?;
    run("echo half >&2").hide(Hide::Stderr).echo().await?;
    run("echo spawned").echo().spawn()?.await?;
    Ok(())
}

/// Prints more than any pipe holds, leaves a file, and then asks.
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

/// Withdraws its first question when a file is there, before the second.
#[task]
async fn withdrawn(gate: String) -> Result {
    let first = async { prompt("First: ").secret().await };
    tokio::select! {
        biased;
        _ = first => bail!("nobody was to answer"),
        open = run(cmd!("while [ ! -e {gate} ]; do sleep 0.05; done")) => open?,
    };
    let second = prompt("Second: ").secret().await?;
    run("wc -c | sed 's/$/ letters/'").stdin(&second).await?;
    Ok(())
}
