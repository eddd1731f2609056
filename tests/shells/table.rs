//! The table of verdicts: a row for each shell and server, a column for each operation.

use std::collections::BTreeMap;
use std::fmt;

use crate::machine::Server;
use crate::operation::Operation;
use crate::shell::Shell;
use crate::verdict::Verdict;

/// The maximum number of characters printed of a message.
const MAX_MESSAGE_CHARS: usize = 400;

/// The verdicts of all cells that ran.
#[derive(Debug, Default)]
pub(crate) struct Table {
    cells: BTreeMap<(Shell, Server, Operation), (Verdict, Vec<String>)>,
}

impl Table {
    /// Adds the verdict of a cell.
    pub(crate) fn add(&mut self, cell: (Shell, Server, Operation), verdict: (Verdict, Vec<String>)) {
        self.cells.insert(cell, verdict);
    }

    /// Returns `true` if a cell is wrong or left a process behind.
    pub(crate) fn has_failures(&self) -> bool {
        self.cells.values().any(|(verdict, _)| verdict.is_failure())
    }

    /// Returns the verdicts of a row.
    pub(crate) fn verdicts(&self, shell: Shell, server: Server) -> BTreeMap<Operation, Verdict> {
        let row = self.cells.iter().filter(|((a, b, _), _)| (*a, *b) == (shell, server));
        row.map(|((_, _, operation), (verdict, _))| (*operation, *verdict)).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{:11}  {:13}", "shell", "server")?;
        for operation in Operation::ALL {
            write!(f, "  {:9}", operation.name())?;
        }
        writeln!(f)?;
        for shell in Shell::ALL {
            for server in Server::ALL {
                let row = self.verdicts(shell, server);
                if row.is_empty() {
                    continue;
                }
                write!(f, "{:11}  {:13}", shell.name(), server.name())?;
                for operation in Operation::ALL {
                    write!(f, "  {:9}", row.get(&operation).map_or("-", |verdict| verdict.word()))?;
                }
                writeln!(f)?;
            }
        }
        for ((shell, server, operation), (verdict, messages)) in &self.cells {
            if !messages.is_empty() {
                writeln!(f, "\n{}, {}, {}: {}", shell.name(), server.name(), operation.name(), verdict.word())?;
            }
            for message in messages {
                writeln!(f, "    {}", shortened(message).replace('\n', "\n        "))?;
            }
        }
        Ok(())
    }
}

/// Returns the first part of a message. Some messages repeat a whole script.
fn shortened(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{} [..]", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_the_word_of_each_cell_and_the_messages_below() {
        let mut table = Table::default();
        table.add((Shell::Fish, Server::OpensshRoot, Operation::Line), (Verdict::Ok, Vec::new()));
        assert!(!table.has_failures());
        let message = vec!["timeout: sleep 9".to_owned()];
        table.add((Shell::Fish, Server::OpensshRoot, Operation::Timeout), (Verdict::Left, message));
        assert!(table.has_failures());
        let text = table.to_string();
        assert!(text.contains("fish         openssh root   ok         -"), "{text}");
        assert!(text.contains("\nfish, openssh root, timeout: LEFT\n    timeout: sleep 9\n"), "{text}");
    }
}
