//! Downloads a tree: the script lists the host's files and sends the changed files as a stream.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use tar::Archive;

use super::action::is_ambiguous;
use super::listing::{self, ChecksumMap, MetadataList, RemoteMetadata};
use super::script_text;
use crate::error::{Error, ErrorKind, Result};
use crate::file_backend::script::dialog_error::DialogError;
use crate::file_backend::script::limits::{Allowance, Excess, MAX_TAR_HEADERS, check_path_length, max_stream};
use crate::file_backend::script::script_dialog::{END_OF_ANSWER, ScriptDialog};
use crate::file_backend::script::script_run::ScriptRun;
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Sha256;
use crate::transfer::content::CHUNK_SIZE;
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::{blocking, blocking_while};
use crate::transfer::entry::{DirectoryEntry, EntryKind};
use crate::transfer::job::LARGE_FILE_SIZE;
use crate::transfer::local_file::{LocalFile, NewMode};
use crate::transfer::local_path::LocalPath;
use crate::transfer::progress_counter::ProgressCounter;
use crate::transfer::temporary;
use crate::transfer::tree_download::{DownloadMode, LocalPathOf};
use crate::transport::Effect;

/// The block size of a tar stream. A header has at least a block.
const BLOCK: u64 = 512;

/// An entry of the host's directory.
struct RemoteEntry {
    entry: DirectoryEntry,
    /// The local path of the entry.
    to: LocalPath,
    status: RemoteMetadata,
}

/// Lists a directory, and downloads the changed files as a stream if possible.
pub(crate) async fn get_tree(
    context: &TransferContext,
    folder: &Path,
    local_path_of: LocalPathOf<'_>,
    download_mode: DownloadMode,
    operation: &str,
) -> Result<Vec<(DirectoryEntry, LocalPath)>, BackendError> {
    let script = ScriptRun { context, effect: Effect::Reads, operation };
    let (dialog, command) = script.dialog(script_text::download(folder), &folder.to_string_lossy())?;
    let found =
        script.run_with(command, run_protocol(dialog, context, local_path_of, download_mode, operation)).await?;
    Ok(found.into_iter().map(|found| (found.entry, found.to)).collect())
}

async fn run_protocol(
    mut dialog: ScriptDialog,
    context: &TransferContext,
    local_path_of: LocalPathOf<'_>,
    download_mode: DownloadMode,
    operation: &str,
) -> Result<Vec<RemoteEntry>, DialogError> {
    dialog.send_preamble().await?;
    dialog.skip_banner().await?;
    let mut found = Vec::new();
    let mut metadata = MetadataList::default();
    dialog.read_each_record(Allowance::listing(), |record| metadata.take(record)).await?;
    for (below, status) in metadata.0 {
        let below = PathBuf::from(below);
        check_path_length(&below)?;
        if below.as_os_str().is_empty() {
            continue;
        }
        let kind = match &status {
            status if status.is_directory() => EntryKind::Directory,
            status if status.is_link() => EntryKind::Link(PathBuf::new()),
            status if status.is_file() => EntryKind::File,
            // Devices, pipes and sockets have no content.
            _ => continue,
        };
        let entry = DirectoryEntry { below, kind, done: None };
        if let Some(to) = local_path_of(&entry)? {
            found.push(RemoteEntry { entry, to, status });
        }
    }
    found.sort_by(|one, other| one.entry.below.cmp(&other.entry.below));
    let is_link = |found: &&RemoteEntry| matches!(found.entry.kind, EntryKind::Link(_));
    let links = dialog
        .query(script_text::SYMLINK_TARGETS, found.iter().filter(is_link).map(|found| found.entry.below.as_path()))
        .await?;
    let mut links = listing::links(&links);
    for found in &mut found {
        if let EntryKind::Link(content) = &mut found.entry.kind {
            let left_out = || {
                DialogError::Obstacle(format!(
                    "the host sent no target for the symlink {}",
                    found.entry.below.display()
                ))
            };
            *content = links.remove(found.entry.below.as_os_str()).ok_or_else(left_out)?;
        }
    }
    compare(&mut dialog, &mut found).await?;
    let mode = match download_mode {
        DownloadMode::Write(mode) => mode,
        DownloadMode::Compare => {
            for found in found.iter_mut().filter(|found| is_for_stream(found)) {
                found.entry.done = Some(true);
            }
            return Ok(found);
        }
    };
    let in_stream = |found: &RemoteEntry| BLOCK + found.status.size.next_multiple_of(BLOCK);
    let size = found.iter().filter(|found| is_for_stream(found)).map(in_stream).sum();
    stream(dialog, &mut found, mode, max_stream(size), ProgressCounter::new(context, operation, size)).await?;
    Ok(found)
}

/// Returns true if the stream may contain the entry.
fn is_for_stream(found: &RemoteEntry) -> bool {
    found.entry.kind == EntryKind::File
        && found.entry.done.is_none()
        && found.status.size < LARGE_FILE_SIZE
        && !is_ambiguous(&found.entry.below)
}

/// Marks the files with the same content here and on the host.
async fn compare(dialog: &mut ScriptDialog, found: &mut [RemoteEntry]) -> Result<(), DialogError> {
    let has_its_size = |found: &RemoteEntry| {
        found.to.open_file().and_then(|file| file.metadata()).is_ok_and(|here| here.len() == found.status.size)
    };
    let size_matches: Vec<_> =
        found.iter().enumerate().filter(|(_, found)| is_for_stream(found) && has_its_size(found)).collect();
    let files: Vec<_> = size_matches.iter().map(|(n, found)| (*n, found.to.clone())).collect();
    let paths = size_matches.iter().map(|(_, found)| found.entry.below.as_path());
    let mut sums = ChecksumMap::default();
    let there = dialog.query_each(script_text::SUMS, paths, |record| sums.take(record));
    let here = async { Ok(blocking_while(move |is_wanted| Ok(local_checksums(&files, is_wanted))).await?) };
    let ((), here) = tokio::try_join!(there, here)?;
    for (n, sum) in here {
        if let Some(found) = found.get_mut(n)
            && sums.of(&found.entry.below) == Some(sum)
        {
            found.entry.done = Some(false);
        }
    }
    Ok(())
}

/// Returns the checksums of local files. Skips unreadable files.
fn local_checksums(files: &[(usize, LocalPath)], is_wanted: &dyn Fn() -> bool) -> Vec<(usize, Sha256)> {
    let mut buffer = vec![0; CHUNK_SIZE];
    let wanted = files.iter().take_while(|_| is_wanted());
    wanted.filter_map(|(n, file)| Some((*n, file.sum(&mut buffer, is_wanted).ok()?.sha256))).collect()
}

/// Downloads the changed files, if the host can send a stream.
async fn stream(
    mut dialog: ScriptDialog,
    found: &mut [RemoteEntry],
    mode: Option<u32>,
    limit: u64,
    progress: Arc<ProgressCounter>,
) -> Result<(), DialogError> {
    let wanted: HashMap<OsString, (usize, LocalPath, NewMode)> = found
        .iter()
        .enumerate()
        .filter(|(_, found)| is_for_stream(found))
        .map(|(n, found)| {
            let mode = mode.map_or(NewMode::OfHost(found.status.mode()), NewMode::Exact);
            (found.entry.below.clone().into(), (n, found.to.clone(), mode))
        })
        .collect();
    if wanted.len() < 2 {
        return Ok(());
    }
    // The stream is saved to a temporary file, and unpacked when complete. The file is on the
    // disk of the targets, which must have enough space.
    let folder = wanted.values().find_map(|(_, to, _)| to.root().ancestors().find(|folder| folder.is_dir()));
    // `components` removes a slash at the end.
    let folder: PathBuf = folder.unwrap_or(Path::new(".")).components().collect();
    let directory = folder.clone();
    let spool_error = move |source| temporary::unwritable_in(&directory, source);
    let create_error = spool_error.clone();
    let spool = blocking(move || tempfile::tempfile_in(folder).map_err(create_error)).await?;
    dialog.divert(spool.try_clone().map_err(&spool_error)?, limit, progress);
    let asked = found.iter().filter(|found| is_for_stream(found)).map(|found| found.entry.below.as_path());
    dialog.send_query(script_text::SEND_FILES, asked).await?;
    dialog.wait_diverted().await.map_err(&spool_error)?;
    let unpacked = blocking(move || unpack(spool, &wanted)).await;
    let unpacked = unpacked.map_err(|error| match Excess::of(&error) {
        Some(excess) => DialogError::Excess(excess),
        None => DialogError::Failed(error),
    })?;
    for (n, is_new) in unpacked {
        if let Some(found) = found.get_mut(n) {
            found.entry.done = Some(is_new);
        }
    }
    Ok(())
}

/// Unpacks a complete stream. Returns the index of each file, and true for a changed file. An
/// incomplete stream is not unpacked.
fn unpack(mut spool: File, wanted: &HashMap<OsString, (usize, LocalPath, NewMode)>) -> Result<Vec<(usize, bool)>> {
    let unreadable = |source| Error::new(ErrorKind::Local, "could not read a temporary file").caused_by(source);
    if !is_whole(&mut spool).map_err(unreadable)? {
        return Ok(Vec::new());
    }
    let mut done = Vec::new();
    let budget = Rc::new(Cell::new(MAX_TAR_HEADERS));
    let mut archive = Archive::new(LimitedReader { spool, left: Rc::clone(&budget) });
    let mut entries = archive.entries().map_err(unreadable)?;
    loop {
        budget.set(MAX_TAR_HEADERS);
        let Some(entry) = entries.next() else { break };
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(_) if budget.get() == 0 => return Err(Excess::TarHeaders.into_error()),
            Err(source) => return Err(unreadable(source)),
        };
        budget.set(u64::MAX);
        let path = crate::file_backend::script::script_dialog::relative_path(&entry.path_bytes()).to_owned();
        // Ignore unrequested members. The host may be hostile.
        if let Some((n, to, mode)) = wanted.get(path.as_os_str())
            && entry.header().entry_type().is_file()
        {
            let mut file = LocalFile::create(to, *mode)?;
            file.write_all_of(&mut entry)?;
            done.push((*n, file.persist()?));
        }
        // The rest of this member does not count as headers of the next member.
        std::io::copy(&mut entry, &mut std::io::sink()).map_err(unreadable)?;
    }
    Ok(done)
}

/// Reads a stream up to a limit. The `tar` crate reads a long name into memory without a limit.
struct LimitedReader {
    spool: File,
    left: Rc<Cell<u64>>,
}

impl Read for LimitedReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(std::io::Error::other("the limit of the headers is reached"));
        }
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.spool.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(left - count as u64);
        Ok(count)
    }
}

/// Returns true if the stream has the end marker of a complete stream.
fn is_whole(spool: &mut File) -> std::io::Result<bool> {
    let mut end = [0; END_OF_ANSWER.len()];
    let Some(start) = spool.metadata()?.len().checked_sub(end.len() as u64) else { return Ok(false) };
    spool.read_exact_at(&mut end, start)?;
    spool.rewind()?;
    Ok(end == END_OF_ANSWER.as_bytes())
}
