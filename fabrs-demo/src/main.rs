//! `fabrs-demo [NAME...]`: starts demo hosts, prints an `ssh` command for each host, and ends at
//! the end of stdin.

#![cfg(target_os = "linux")]

use std::io::{self, Write, stderr, stdin, stdout};
use std::process::ExitCode;

use fabrs_demo::{Demo, run_helper};

fn main() -> ExitCode {
    if let Some(code) = run_helper() {
        return code;
    }
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names.push("demo".to_owned());
    }
    let demo = match Demo::builder(names).start() {
        Ok(demo) => demo,
        Err(error) => {
            let _ = writeln!(stderr(), "{}", error.block());
            return ExitCode::from(error.exit_code().code());
        }
    };
    for name in demo.names() {
        // A failed write is ignored. A reader that has closed the pipe needs no further commands.
        let _ = writeln!(stdout(), "ssh -F {} {name}", demo.ssh_config().display());
    }
    let _ = io::copy(&mut stdin().lock(), &mut io::sink());
    ExitCode::SUCCESS
}
