//! Hostile login shell for `ForceCommand`: `fabrs-hostile-shell MODE`.
//!
//! All modes except `noise`, `sudo` and `silence` first print the greeting of a script. Modes:
//!
//! - `noise`: endless text without a greeting.
//! - `text`: endless text after the greeting.
//! - `messages`: endless text on stderr.
//! - `record`: an endless answer.
//! - `head`: content with an endless first line.
//! - `tree`: an endless listing.
//! - `deep`: an endless chain of nested directories.
//! - `sync`: an endless listing for `sync`.
//! - `links`: a short listing and endless symlink targets.
//! - `stream`: a short listing and an endless tar stream.
//! - `long-name`: a short listing and a tar stream with a name of 60 MiB.
//! - `sudo`: endless messages of `sudo`.
//! - `outside`: a listing with a path outside its directory, then silence.
//! - `silence`: no output.

use std::io::{self, Read, Write};
use std::process::ExitCode;

/// The size of a write, in bytes. Writing whole buffers makes the flood as fast as a normal answer.
const BUFFER_SIZE: usize = 64 << 10;

/// The length of the name in mode `long-name`, in bytes. No file system accepts such a name.
const LONG_NAME_LEN: usize = 60 << 20;

fn main() -> ExitCode {
    let mode = std::env::args().nth(1).unwrap_or_default();
    // The write fails after the client has closed the channel.
    let _ = answer(&mode, &mut io::stdout().lock());
    ExitCode::FAILURE
}

fn answer(mode: &str, out: &mut impl Write) -> io::Result<()> {
    match mode {
        "noise" => return flood(out, |_| "x".to_owned()),
        "sudo" => return flood(&mut io::stderr().lock(), |_| "sudo: x\n".to_owned()),
        "silence" => return wait(),
        _ => out.write_all(b"fabrs-here\n")?,
    }
    match mode {
        "text" => flood(out, |_| "x".to_owned()),
        "messages" => flood(&mut io::stderr().lock(), |_| "x\n".to_owned()),
        "record" => {
            out.write_all(b"\0")?;
            flood(out, |_| "x".to_owned())
        }
        "head" => {
            out.write_all(b"fabrs-content ")?;
            flood(out, |_| "x".to_owned())
        }
        "tree" => {
            out.write_all(b"\0")?;
            flood(out, |n| entry('a', &format!("{}a-file-{n}", "directory/".repeat(10))))
        }
        "sync" => {
            out.write_all(b"\x000 0 0\0")?;
            flood(out, |n| entry('a', &format!("{}a-file-{n}", "directory/".repeat(10))))
        }
        "deep" => {
            out.write_all(b"\0")?;
            for depth in 1..5_000 {
                out.write_all(entry('d', &vec!["d"; depth].join("/")).as_bytes())?;
            }
            out.write_all(b"fabrs-end\0")?;
            out.flush()?;
            wait()
        }
        "links" => {
            list(out, &[entry('l', "link")])?;
            read_request()?;
            flood(out, |n| format!("./link-{n}\0{}\0", "target/".repeat(40)))
        }
        "stream" => {
            list(out, &[entry('a', "one"), entry('a', "two")])?;
            read_request()?;
            flood(out, |_| "x".to_owned())
        }
        "long-name" => {
            list(out, &[entry('a', "one"), entry('a', "two")])?;
            read_request()?;
            out.write_all(&long_name_header())?;
            (0..LONG_NAME_LEN / BUFFER_SIZE).try_for_each(|_| out.write_all(&vec![b'x'; BUFFER_SIZE]))?;
            out.write_all(b"fabrs-end")?;
            out.flush()
        }
        "outside" => {
            list(out, &[entry('a', "../evil")])?;
            wait()
        }
        _ => Ok(()),
    }
}

/// Returns the record of an entry: `a` for a file, `d` for a directory and `l` for a symlink.
fn entry(kind: char, path: &str) -> String {
    let mode_bits = match kind {
        'd' => "x41ed",
        'l' => "xa1ff",
        _ => "x81a4",
    };
    format!("{mode_bits} 0 0 12 1700000000 65024 1 ./{path}\0")
}

/// Writes a short listing in the format of the directory script.
fn list(out: &mut impl Write, entries: &[String]) -> io::Result<()> {
    write!(out, "\0{}fabrs-end\0", entries.concat())?;
    out.flush()
}

/// Returns the GNU tar header for a long name: name, size, checksum and type `L` (tar(5)).
fn long_name_header() -> [u8; 512] {
    let mut header = [0; 512];
    for (at, text) in [
        (0, "././@LongLink"),
        (124, &*format!("{LONG_NAME_LEN:011o}")),
        (148, "        "),
        (156, "L"),
        (257, "ustar  "),
    ] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Reads the first request, after the start line of every script.
fn read_request() -> io::Result<()> {
    io::stdin().lines().take(2).try_for_each(|line| line.map(drop))
}

/// Writes data until the client closes the channel.
fn flood(out: &mut impl Write, record: impl Fn(u64) -> String) -> io::Result<()> {
    let mut count = 0;
    loop {
        let mut buffer = String::new();
        while buffer.len() < BUFFER_SIZE {
            buffer.push_str(&record(count));
            count += 1;
        }
        out.write_all(buffer.as_bytes())?;
    }
}

/// Waits for a signal, even after the end of stdin.
fn wait() -> io::Result<()> {
    io::stdout().flush()?;
    io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink())?;
    loop {
        std::thread::park();
    }
}
