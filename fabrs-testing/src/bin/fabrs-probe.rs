//! Test program: reports its arguments and environment as JSON, or writes generated output.
//!
//! ```text
//! fabrs-probe report [ARG]...   a JSON object: argv, env, cwd, tty, pid, ppid, pgid, sid, uid
//! fabrs-probe stdin [ARG]...    the same, after reading all of stdin: stdin.{bytes,sha256,text}
//! fabrs-probe bytes N           N bytes with a period of 251, to detect lost or swapped blocks
//! fabrs-probe lines N           N lines `line 1`, `line 2`, ...
//! fabrs-probe chunks TEXT       TEXT in separate writes of 1, 2, ... 7 bytes
//! fabrs-probe both N            N lines `out i` on stdout and `err i` on stderr, alternating
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use data_encoding::HEXLOWER;
use rustix::process::getuid;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The maximum length of stdin in the report, in bytes. Count and checksum cover all of stdin.
const MAX_TEXT_LEN: usize = 64 * 1024;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    match run_mode(&mode.to_string_lossy(), &rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            let _ = writeln!(io::stderr(), "usage: fabrs-probe report|stdin|bytes|lines|chunks|both [ARG]...");
            ExitCode::from(2)
        }
        // The reader has closed the pipe. With a separate exit code, a test can check for this
        // case.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(3),
        Err(error) => {
            let _ = writeln!(io::stderr(), "fabrs-probe: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a mode. Returns `false` for an unknown mode or an invalid argument.
fn run_mode(mode: &str, arguments: &[OsString]) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    let count = || arguments.first()?.to_str()?.parse::<usize>().ok();
    match (mode, count(), arguments.first()) {
        ("report", ..) => writeln!(stdout, "{}", report(arguments, &Value::Null)?)?,
        ("stdin", ..) => {
            let input = read_stdin()?;
            writeln!(stdout, "{}", report(arguments, &input)?)?;
        }
        ("bytes", Some(count), _) => write_bytes(&mut stdout, count)?,
        ("lines", Some(count), _) => {
            let mut buffer = io::BufWriter::new(&mut stdout);
            (1..=count).try_for_each(|number| writeln!(buffer, "line {number}"))?;
            buffer.flush()?;
        }
        ("chunks", _, Some(text)) => write_chunks(&mut stdout, text.as_bytes())?,
        ("both", Some(count), _) => {
            for number in 1..=count {
                writeln!(stdout, "out {number}")?;
                stdout.flush()?;
                writeln!(io::stderr(), "err {number}")?;
            }
        }
        _ => return Ok(false),
    }
    stdout.flush()?;
    Ok(true)
}

fn report(arguments: &[OsString], stdin: &Value) -> io::Result<Value> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    let env: BTreeMap<String, String> = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let argv: Vec<String> = arguments.iter().cloned().map(text).collect();
    let [parent, group, session] = process_ids()?;
    Ok(json!({
        "argv": argv,
        "env": env,
        "cwd": text(std::env::current_dir()?.into_os_string()),
        "tty": [io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()],
        "pid": std::process::id(),
        "ppid": parent,
        "pgid": group,
        "sid": session,
        "uid": getuid().as_raw(),
        "stdin": stdin,
    }))
}

/// Returns the parent, the process group and the session (proc(5), `/proc/pid/stat`).
///
/// `getsid` and similar calls return 0 if the session leader is outside the PID namespace, for
/// example in a container with a first process that created no session. rustix does not accept 0.
fn process_ids() -> io::Result<[u32; 3]> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The program name is in parentheses and may contain any character.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut numbers = after_name.split_whitespace().skip(1).map(|number| number.parse().unwrap_or(0));
    Ok(std::array::from_fn(|_| numbers.next().unwrap_or(0)))
}

fn read_stdin() -> io::Result<Value> {
    let mut sum = Sha256::new();
    let mut text = Vec::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = io::stdin().lock().read(&mut buffer)?;
        if count == 0 {
            break;
        }
        sum.update(&buffer[..count]);
        bytes += count;
        let room = MAX_TEXT_LEN.saturating_sub(text.len()).min(count);
        text.extend_from_slice(&buffer[..room]);
    }
    let sum = HEXLOWER.encode(&sum.finalize());
    Ok(json!({ "bytes": bytes, "sha256": sum, "text": String::from_utf8_lossy(&text) }))
}

fn write_bytes(stdout: &mut impl Write, count: usize) -> io::Result<()> {
    let pattern: Vec<u8> = (0..=250).cycle().take(251 * 256).collect();
    let mut left = count;
    while left > 0 {
        let chunk = left.min(pattern.len());
        stdout.write_all(&pattern[..chunk])?;
        left -= chunk;
    }
    Ok(())
}

fn write_chunks(stdout: &mut impl Write, mut text: &[u8]) -> io::Result<()> {
    for size in (1..=7).cycle() {
        if text.is_empty() {
            break;
        }
        let (chunk, rest) = text.split_at(size.min(text.len()));
        stdout.write_all(chunk)?;
        stdout.flush()?;
        text = rest;
    }
    Ok(())
}
