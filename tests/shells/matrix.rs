//! Execution of the cells of the matrix, on up to eight servers at a time.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::cells::Cell;
use crate::machine::{Machine, Server};
use crate::operation::Operation;
use crate::shell::Shell;
use crate::table::Table;
use crate::verdict::Verdict;

/// The maximum number of servers at a time.
const MAX_SERVERS: usize = 8;

/// The cells of a server. The cells run in sequence, so each remaining process belongs to a single
/// cell.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) shell: Shell,
    pub(crate) server: Server,
    pub(crate) operations: Vec<Operation>,
    /// A program in place of the shell.
    pub(crate) path: Option<PathBuf>,
}

impl Row {
    pub(crate) fn new(shell: Shell, server: Server, operations: &[Operation]) -> Self {
        Self { shell, server, operations: operations.to_vec(), path: None }
    }

    /// Runs the cells of the row.
    fn run(&self, table: &Mutex<Table>) {
        let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir();
        let folder = folder.expect("a temporary directory");
        let path = self.path.clone().unwrap_or_else(|| self.shell.path(folder.path()));
        let machine = Machine::start(self.server, &path);
        for operation in &self.operations {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let runtime = runtime.expect("threads can be started");
            let run = || runtime.block_on(Cell::new(&machine, self.shell, *operation).run());
            // A defect of a cell must not hide other cells.
            let verdict = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                (Verdict::Wrong, vec![format!("panicked: {words}")])
            });
            let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
            table.add((self.shell, self.server, *operation), verdict);
        }
    }
}

/// Returns the rows of the full matrix.
pub(crate) fn all() -> Vec<Row> {
    let row = |shell| Server::ALL.map(|server| Row::new(shell, server, &Operation::ALL));
    Shell::ALL.into_iter().flat_map(row).collect()
}

/// Runs all cells of these rows.
pub(crate) fn run(rows: Vec<Row>) -> Table {
    let workers = rows.len().min(MAX_SERVERS);
    let (table, rows) = (Mutex::new(Table::default()), Mutex::new(rows.into_iter()));
    let next = || rows.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(row) = next() {
                    row.run(&table);
                }
            });
        }
    });
    table.into_inner().unwrap_or_else(PoisonError::into_inner)
}
