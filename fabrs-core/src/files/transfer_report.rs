//! Reports of transfers: the files written and removed.

use crate::connection::Connection;
use crate::event::Event;
use crate::host::Host;

/// The path of a file, with whether it was written.
pub(super) type FileOutcome = (String, bool);

/// Emits the number of files written and removed.
pub(super) fn emit_transferred(
    connection: &Connection,
    host: &Host,
    operation: &str,
    files: &[FileOutcome],
    removed: usize,
) {
    let changed = files.iter().filter(|(_, changed)| *changed).count();
    connection.sink().event(&Event::Transferred { host, operation, changed, files: files.len(), removed });
}
