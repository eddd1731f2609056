//! Removing what was left in a folder by a session that was cut off, after which nobody could.

use russh_sftp::protocol::FileAttributes;

use super::super::entry::FileKind;
use super::super::on_its_way;
use super::fault::Fault;
use super::path::join;
use super::session::Session;
use super::target::kind_of;

/// How long nothing was written to what nobody writes to any more, in seconds.
const OLD: u32 = 24 * 60 * 60;
/// How many names of a folder are looked at: it may have any number.
const NAMES: usize = 500;

/// Removes from a folder the temporary files of a day ago and more that belong to whom the file of `handle` does, which was
/// made just now: once a session, and as far as the server lets us.
pub(super) async fn sweep(session: &Session, folder: &str, handle: &str) {
    if session.is_first_in(folder) {
        // What is left now is there the next time.
        let _as_far_as_possible = try_sweep(session, folder, handle).await;
    }
}

async fn try_sweep(session: &Session, folder: &str, handle: &str) -> Result<(), Fault> {
    let new = session.ask(session.raw().fstat(handle)).await?.attrs;
    let listing = session.ask(session.raw().opendir(folder)).await?.handle;
    let mut left = Vec::new();
    let mut seen = 0;
    // The end of the names is a refusal too.
    while let (true, Ok(names)) = (seen < NAMES, session.ask(session.raw().readdir(listing.as_str())).await) {
        if names.files.is_empty() {
            break;
        }
        seen += names.files.len();
        let files = names.files.into_iter();
        left.extend(files.filter(|file| on_its_way::is_name(&file.filename) && is_left(&file.attrs, &new)));
    }
    session.ask(session.raw().close(listing)).await?;
    let removals = left.into_iter().map(|file| session.ask(session.raw().remove(join(folder, &file.filename))));
    // What one can't be is no matter of the others.
    futures::future::join_all(removals).await;
    Ok(())
}

/// Tells whether a file is as old as nothing can be that is still written to, by the clock of the host.
fn is_left(file: &FileAttributes, new: &FileAttributes) -> bool {
    let age = new.mtime.zip(file.mtime).map(|(new, file)| new.saturating_sub(file));
    kind_of(file) == FileKind::File && new.uid.is_some() && file.uid == new.uid && age.is_some_and(|age| age > OLD)
}
