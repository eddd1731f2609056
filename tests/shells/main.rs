//! Login shells: every operation works on every server with every shell, or fails with a clear
//! error.
//!
//! A cell of the matrix is one login shell, one server and one operation. The table shows the
//! verdict of each cell:
//!
//! * `ok`: the work was done, checked on the host's own files, with the exit status of the line.
//! * `error`: the operation failed with a message and a nonzero status, and this shell is allowed
//!   to fail.
//! * `reported`: the run itself reports that a process may still be running.
//! * `LEFT`: a process of the cell is still running without a report.
//! * `WRONG`: any other result, such as success without the work.
//! * `-`: the cell did not run.
//!
//! By default only a diagonal runs: each shell once, each server and each operation at least twice.
//! With `FABRS_SHELLS=all`, or with `scripts/full shells`, every cell runs and the table is
//! printed.

mod cells;
mod diagonal;
mod leftovers;
mod machine;
mod matrix;
mod operation;
mod shell;
mod table;
mod verdict;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fabrs_testing::{Capability, marker};
use tempfile::TempDir;

use machine::Server;
use matrix::{Row, run};
use operation::Operation;
use shell::Shell;
use table::Table;
use verdict::Verdict;

#[test]
fn every_cell_is_right_or_a_clear_error() {
    let all = match std::env::var("FABRS_SHELLS").as_deref() {
        Err(_) | Ok("") => false,
        Ok("all") => true,
        Ok(other) => panic!("invalid value `{other}` of FABRS_SHELLS: set `all`, or unset the variable"),
    };
    if !Capability::LoginShells.is_available() {
        assert!(!all, "FABRS_SHELLS=all needs root and mount namespaces");
        return;
    }
    let table = run(if all { matrix::all() } else { diagonal::rows() });
    if all {
        writeln!(io::stdout(), "{table}").expect("stdout is open");
        assert!(!table.has_failures(), "cells are WRONG or LEFT: see the table");
    }
    assert!(!table.has_failures(), "{table}");
}

#[test]
fn the_diagonal_has_each_shell_once_and_each_server_and_operation_twice() {
    let rows = diagonal::rows();
    for shell in Shell::ALL {
        assert_eq!(rows.iter().filter(|row| row.shell == shell).count(), 1, "{}", shell.name());
    }
    for server in Server::ALL {
        assert!(rows.iter().filter(|row| row.server == server).count() >= 2, "{}", server.name());
    }
    for operation in Operation::ALL {
        let count = rows.iter().filter(|row| row.operations.contains(&operation)).count();
        assert!(count >= 2, "{}", operation.name());
    }
}

/// Writes a defective login shell, for a test of the matrix itself.
fn sabotaged_shell(script: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir();
    let folder = folder.expect("a temporary directory");
    let path = folder.path().join("sabotage");
    fs::write(&path, script).expect("the test owns the directory");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the test owns the directory");
    (folder, path)
}

/// Returns the verdict of each operation under a defective shell. The shell counts as `sh`, so no
/// failure is allowed.
fn sabotaged(script: &str, operations: &[Operation]) -> BTreeMap<Operation, Verdict> {
    let (_folder, path) = sabotaged_shell(script);
    let row = Row { path: Some(path), ..Row::new(Shell::Sh, Server::OpensshUser, operations) };
    let table: Table = run(vec![row]);
    table.verdicts(Shell::Sh, Server::OpensshUser)
}

#[test]
fn success_without_the_work_is_wrong_in_every_cell() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    for (operation, verdict) in sabotaged("#!/bin/sh\nexit 0\n", &Operation::ALL) {
        assert_eq!(verdict, Verdict::Wrong, "{}", operation.name());
    }
}

#[test]
fn a_value_that_arrives_changed_is_wrong() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    // The script acts like a shell that expands `!x`, for each encoding of the value.
    let script = "#!/bin/bash\nline=${2//\\\\!/}\nexec /bin/sh -c \"${line//\\\\0041/}\"\n";
    let operations = [Operation::Line, Operation::CdEnv, Operation::Sudo];
    for (operation, verdict) in sabotaged(script, &operations) {
        assert_eq!(verdict, Verdict::Wrong, "{}", operation.name());
    }
}

#[test]
fn a_leftover_process_of_a_cell_is_found_and_killed() {
    if !Capability::LoginShells.is_available() {
        return;
    }
    let mark = marker();
    let script = format!("#!/bin/sh\nsetsid sleep {mark} </dev/null >/dev/null 2>&1 &\nexec /bin/sh -c \"$2\"\n");
    assert_eq!(sabotaged(&script, &[Operation::Line])[&Operation::Line], Verdict::Left);
    assert!(fabrs_testing::processes_matching(&mark).is_empty());
}
