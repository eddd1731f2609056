//! Hostile SFTP server for `ForceCommand`: `fabrs-hostile-sftp MODE`.
//!
//! A path with `file` in its last component is a file of 1,000 bytes. All other paths are
//! directories. Modes:
//!
//! - `empty-data`: a read returns no data and no end of file.
//! - `empty-names`: a listing returns no names and no end of file.
//! - `endless-names`: a listing never ends.
//! - `deep`: each directory contains a directory.
//! - `gated`: a directory contains the directory `sub` with the file `file`. Opening a file waits
//!   until the pipe `gate` in the program's directory is closed.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::process::ExitCode;

const INIT: u8 = 1;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;

const END_OF_FILE: u32 = 1;
const UNSUPPORTED: u32 = 8;

fn main() -> io::Result<ExitCode> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    // The server rejects shells.
    if !std::env::var("SSH_ORIGINAL_COMMAND").is_ok_and(|command| command.contains("sftp")) {
        return Ok(ExitCode::FAILURE);
    }
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let (mut count, mut listed) = (0_u64, HashSet::new());
    loop {
        let mut length = [0; 4];
        if stdin.read_exact(&mut length).is_err() {
            return Ok(ExitCode::SUCCESS);
        }
        let mut packet = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or_default()];
        stdin.read_exact(&mut packet)?;
        let Some((kind, rest)) = packet.split_first() else { return Ok(ExitCode::SUCCESS) };
        count += 1;
        let answer = if *kind == INIT {
            [&[VERSION][..], &3_u32.to_be_bytes()].concat()
        } else if mode == "gated" {
            gated(*kind, rest, &mut listed).unwrap_or_else(|| answer(&mode, *kind, rest, count))
        } else {
            answer(&mode, *kind, rest, count)
        };
        stdout.write_all(&u32::try_from(answer.len()).unwrap_or_default().to_be_bytes())?;
        stdout.write_all(&answer)?;
        stdout.flush()?;
    }
}

/// Answers a request. `count` is part of the names in a listing, so all names are different.
fn answer(mode: &str, kind: u8, rest: &[u8], count: u64) -> Vec<u8> {
    let (id, rest) = rest.split_at(rest.len().min(4));
    let path = text(rest);
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains("file"));
    let (kind, body) = match (kind, mode) {
        (OPEN | OPENDIR, _) => (HANDLE, string(if is_file { "file" } else { "directory" })),
        (CLOSE, _) => (STATUS, status(0)),
        (LSTAT | STAT | FSTAT, _) => (ATTRS, attributes(is_file)),
        (REALPATH, _) => (NAME, names(&[if path.starts_with('/') { path.clone() } else { "/home".to_owned() }], false)),
        (READ, "empty-data") => (DATA, string("")),
        (READDIR, "empty-names") => (NAME, names(&[], false)),
        (READDIR, "endless-names") => {
            let many: Vec<String> = (0..20).map(|at| format!("file-{count}-{at}-{}", "x".repeat(4000))).collect();
            (NAME, names(&many, true))
        }
        (READDIR, "deep") if !count.is_multiple_of(2) => (NAME, names(&["in".to_owned()], false)),
        (READ | READDIR, _) => (STATUS, status(END_OF_FILE)),
        _ => (STATUS, status(UNSUPPORTED)),
    };
    [&[kind], id, &body[..]].concat()
}

/// Answers requests in the mode `gated`. Handles are paths, and `listed` holds the listed
/// directories.
fn gated(kind: u8, rest: &[u8], listed: &mut HashSet<String>) -> Option<Vec<u8>> {
    let (id, rest) = rest.split_at(rest.len().min(4));
    let path = text(rest);
    let offset =
        rest.get(4 + path.len()..).and_then(<[u8]>::first_chunk).map_or(0, |offset| u64::from_be_bytes(*offset));
    let (kind, body) = match kind {
        OPEN => {
            let gate = std::env::current_exe().ok()?.with_file_name("gate");
            // Without the pipe, the read fails immediately.
            let _ = std::fs::read(gate);
            (HANDLE, string(&path))
        }
        OPENDIR => {
            listed.remove(&path);
            (HANDLE, string(&path))
        }
        READ if offset == 0 => (DATA, string(&"x".repeat(1_000))),
        READDIR if listed.insert(path.clone()) => {
            let is_below = path.ends_with("/sub");
            (NAME, names(&[if is_below { "file" } else { "sub" }.to_owned()], is_below))
        }
        _ => return None,
    };
    Some([&[kind], id, &body[..]].concat())
}

fn text(bytes: &[u8]) -> String {
    let length = bytes.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    let end = 4 + usize::try_from(length).unwrap_or_default();
    String::from_utf8_lossy(bytes.get(4..end).unwrap_or_default()).into_owned()
}

fn string(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap_or_default().to_be_bytes()[..], text.as_bytes()].concat()
}

fn status(code: u32) -> Vec<u8> {
    [&code.to_be_bytes()[..], &string("requested"), &string("")].concat()
}

/// Returns attributes with a size and a mode.
fn attributes(is_file: bool) -> Vec<u8> {
    let (size, mode_bits): (u64, u32) = if is_file { (1_000, 0o100_644) } else { (4_096, 0o040_755) };
    [&0x5_u32.to_be_bytes()[..], &size.to_be_bytes(), &mode_bits.to_be_bytes()].concat()
}

fn names(names: &[String], are_files: bool) -> Vec<u8> {
    let mut all = u32::try_from(names.len()).unwrap_or_default().to_be_bytes().to_vec();
    for name in names {
        all.extend([string(name), string(name), attributes(are_files)].concat());
    }
    all
}
