//! Reports of transfers: the numbers of written and removed files.

use crate::connection::Connection;
use crate::event::Event;
use crate::host::Host;

/// The path of a file, and true if the file was written.
pub(crate) type FileOutcome = (String, bool);

/// Emits an event with the numbers of written, equal and removed files.
pub(crate) fn emit_transferred(
    connection: &Connection,
    host: &Host,
    operation: &str,
    files: &[FileOutcome],
    removed: usize,
) {
    let changed = files.iter().filter(|(_, changed)| *changed).count();
    connection.sink().event(&Event::Transferred { host, operation, changed, files: files.len(), removed });
}
