//! Uploads a tree as a tar stream, and compares a tree with the host.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::action::{Action, RemoteListing, new_folders};
use super::itemize::lines;
use super::listing::{self, ChecksumMap, MetadataList};
use super::rename_plan::RenamePlan;
use super::script_text::{self, InitialPaths};
use super::tar_stream::{self, TarStream};
use crate::connection::Command;
use crate::error::Result;
use crate::file_backend::script::dialog_error::{DialogError, ScriptEnded};
use crate::file_backend::script::limits::Allowance;
use crate::file_backend::script::metadata_warnings;
use crate::file_backend::script::script_dialog::{self, ScriptDialog};
use crate::file_backend::script::script_run::ScriptRun;
use crate::file_backend::script::text::owner_words;
use crate::transfer::backend_error::BackendError;
use crate::transfer::checksum::Sha256;
use crate::transfer::content::{CHUNK_SIZE, UploadContent};
use crate::transfer::context::TransferContext;
use crate::transfer::disk_work::{blocking_while, on_transfer_thread};
use crate::transfer::job::{Tree, TreeMode};
use crate::transfer::progress_counter::ProgressCounter;
use crate::transfer::tree_result::TreeResult;
use crate::transport::{Effect, random_token};

/// The error of a sync to a host without support for streams.
const NO_STREAM: &str = "the host has no `tar`, or the directory is not writable";

/// Uploads the entries of a tree as a stream, except the entries with a separate upload.
pub(crate) async fn put_tree(context: &TransferContext, tree: &Arc<Tree>) -> Result<TreeResult, BackendError> {
    let mut written_count = 0;
    let Opened { script, command, dialog, unsent_paths } = open(context, tree, Effect::Changes)?;
    let put = script.run_with(command, put(dialog, context, tree, unsent_paths, &mut written_count)).await;
    put.map_err(|failure| failure.in_part(written_count))
}

/// Returns a line per changed entry, in the format of `rsync --itemize-changes`.
pub(crate) async fn itemize(context: &TransferContext, tree: &Arc<Tree>) -> Result<Vec<String>, BackendError> {
    let Opened { script, command, dialog, unsent_paths } = open(context, tree, Effect::Reads)?;
    script.run_with(command, list_changes(dialog, tree, unsent_paths)).await
}

/// Returns the entries that an upload would write, and the paths that it would remove. Entries with
/// a separate upload are not compared.
pub(crate) async fn plan_tree(context: &TransferContext, tree: &Arc<Tree>) -> Result<TreeResult, BackendError> {
    let Opened { script, command, mut dialog, unsent_paths } = open(context, tree, Effect::Reads)?;
    let planned = async {
        let Some((remote, here)) = read_remote_listing(&mut dialog, tree, unsent_paths).await? else {
            return Ok(TreeResult::nothing(tree));
        };
        let actions = remote.actions(tree, &here)?;
        if remote.has_root() && !remote.supports_stream() && matches!(tree.mode, TreeMode::Sync(_)) {
            return Err(DialogError::Obstacle(NO_STREAM.to_owned()));
        }
        let removed = [remote.replaced_folders(tree, &actions), remote.removals(tree, &actions)].concat();
        drop(dialog);
        Ok(TreeResult { entries: actions.iter().map(Action::is_written).collect(), removed })
    };
    script.run_with(command, planned).await
}

/// The command and the dialogue of a tree.
struct Opened<'a> {
    script: ScriptRun<'a>,
    command: Command,
    dialog: ScriptDialog,
    /// The paths to send on stdin, because together they are too long for the script.
    unsent_paths: Vec<&'a Path>,
}

fn open<'a>(context: &'a TransferContext, tree: &'a Tree, effect: Effect) -> Result<Opened<'a>> {
    let script = ScriptRun { context, effect, operation: &tree.operation };
    let (asked, unsent_paths) = match &tree.mode {
        TreeMode::Sync(_) => (InitialPaths::All, Vec::new()),
        TreeMode::Put => {
            let tree_paths = paths(tree);
            match script_text::words(tree_paths.iter().copied()) {
                Some(words) => (InitialPaths::Paths(words), Vec::new()),
                None => (InitialPaths::Nothing, tree_paths),
            }
        }
    };
    let line = script_text::upload(tree, &random_token()?, effect, &asked);
    let (dialog, command) = script.dialog(line, &tree.root)?;
    Ok(Opened { script, command, dialog, unsent_paths })
}

async fn list_changes(
    mut dialog: ScriptDialog,
    tree: &Arc<Tree>,
    unsent_paths: Vec<&Path>,
) -> Result<Vec<String>, DialogError> {
    let (remote, here) = read_remote_listing(&mut dialog, tree, unsent_paths).await?.ok_or(ScriptEnded)?;
    let actions = remote.actions(tree, &here)?;
    let removed = [remote.replaced_folders(tree, &actions), remote.removals(tree, &actions)].concat();
    Ok(lines(&remote, tree, &actions, &removed))
}

async fn put(
    mut dialog: ScriptDialog,
    context: &TransferContext,
    tree: &Arc<Tree>,
    unsent_paths: Vec<&Path>,
    written_count: &mut usize,
) -> Result<TreeResult, DialogError> {
    let Some((remote, here)) = read_remote_listing(&mut dialog, tree, unsent_paths).await? else {
        return Ok(TreeResult::nothing(tree));
    };
    let actions: Arc<[Action]> = remote.actions(tree, &here)?.into();
    let actions = match (remote.supports_stream(), &tree.mode) {
        (true, _) => actions,
        (false, TreeMode::Put) => actions.iter().map(Action::without_stream).collect(),
        (false, TreeMode::Sync(_)) => return Err(DialogError::Obstacle(NO_STREAM.to_owned())),
    };
    let directories = new_folders(&remote, tree, &actions);
    let removed = remote.removals(tree, &actions);
    let moves = RenamePlan::new(&remote, tree, &actions, &directories, &removed);
    if remote.supports_stream() && !(moves.is_empty() && directories.is_empty()) {
        let owner = owner_words(&tree.attributes).ok().flatten();
        let directories = directories.into_iter().filter(|folder| !moves.makes(folder)).collect();
        let scripts = [moves.rename_script(owner.as_deref()), moves.after_renames_script(), moves.cleanup_script()];
        let sent = tree.jobs.iter().zip(&*actions).filter(|(_, action)| matches!(action, Action::Stream(_)));
        let size = sent.filter_map(|(job, _)| Some(job.fingerprint.as_ref()?.size)).sum();
        let progress = ProgressCounter::new(context, &tree.operation, size);
        let source =
            TarStream { tree: Arc::clone(tree), actions: Arc::clone(&actions), directories, scripts, progress };
        send(dialog, source, written_count).await?;
        if let Some((first, others)) = remote.broken_hard_links(tree, &actions).split_first() {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            let hint = if matches!(tree.mode, TreeMode::Put) { metadata_warnings::IN_PLACE_HINT } else { "" };
            let names = metadata_warnings::hard_links(&format!("`{}/{}`{more}", tree.root, first.display()));
            context.warn(&format!("{names}{hint}"));
        }
    }
    let entries = actions.iter().map(Action::is_written).collect();
    let removed = [remote.replaced_folders(tree, &actions), removed].concat();
    Ok(TreeResult { entries, removed })
}

/// Reads the state of the host, and computes the local checksums of files that may be equal.
/// `unsent_paths` are sent on stdin. Returns `None` if the host lacks the programs.
async fn read_remote_listing(
    dialog: &mut ScriptDialog,
    tree: &Arc<Tree>,
    unsent_paths: Vec<&Path>,
) -> Result<Option<(RemoteListing, HashMap<usize, Sha256>)>, DialogError> {
    // A sync lists the whole directory on the host. Most of the paths also exist here.
    let mut allowed = Allowance::listing();
    for path in paths(tree) {
        allowed.add_path(path);
    }
    dialog.send_preamble().await?;
    dialog.send_query(script_text::STAT, unsent_paths.into_iter()).await?;
    dialog.skip_banner().await?;
    let capabilities = dialog.read_record().await?;
    if capabilities == script_text::MISSING.as_bytes() {
        return Ok(Some((RemoteListing::default(), HashMap::new())));
    }
    let Some((me, supports_stream)) = parse_capabilities(&capabilities) else { return Ok(None) };
    let mut metadata = MetadataList::default();
    dialog.read_each_record(allowed, |record| metadata.take(record)).await?;
    let mut remote = RemoteListing::new(&tree.mode, me, supports_stream, metadata.0);
    if !remote.has_root() {
        return Ok(None);
    }
    let size_matches: Vec<_> = remote.size_matches(tree).collect();
    let numbers: Vec<_> = size_matches.iter().map(|(n, _)| *n).collect();
    let paths = size_matches.into_iter().map(|(_, path)| path);
    let mut sums = ChecksumMap::default();
    let there = dialog.query_each(script_text::SUMS, paths, |record| sums.take(record));
    let ours = Arc::clone(tree);
    let summed = move |is_wanted: &dyn Fn() -> bool| {
        let content = |n: usize| Some((n, ours.jobs.get(n)?.as_file()?.content));
        local_checksums(numbers.into_iter().filter_map(content), is_wanted)
    };
    let here = async { Ok(blocking_while(summed).await?) };
    let ((), here) = tokio::try_join!(there, here)?;
    remote.sums = sums;
    remote.links = listing::links(&dialog.query(script_text::SYMLINK_TARGETS, remote.remote_links(tree)).await?);
    if tree.attributes.gives_owner() {
        let foreign = dialog.query(script_text::OTHER_OWNERS, remote.remote_paths()).await?;
        remote.foreign = foreign.iter().map(|path| script_dialog::relative_path(path).into()).collect();
    }
    Ok(Some((remote, here)))
}

/// Returns the paths of all entries and of their parent directories, without duplicates.
fn paths(tree: &Tree) -> Vec<&Path> {
    let mut directories = HashSet::new();
    let mut tree_paths = Vec::new();
    for below in tree.jobs.iter().filter_map(|job| job.item.below.as_deref()) {
        tree_paths.push(below);
        for folder in below.ancestors().skip(1) {
            // The parents of a known directory are known.
            if !directories.insert(folder.as_os_str()) {
                break;
            }
        }
    }
    let is_job: HashSet<_> = tree_paths.iter().map(|path| path.as_os_str()).collect();
    let only_above: Vec<_> = directories.into_iter().filter(|folder| !is_job.contains(folder)).map(Path::new).collect();
    tree_paths.extend(only_above);
    tree_paths
}

/// Parses the user and the group of the script, and the support of the host for streams.
fn parse_capabilities(record: &[u8]) -> Option<((u32, u32), bool)> {
    let mut fields = std::str::from_utf8(record).ok()?.split(' ');
    let me = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((me, fields.next()? == "0"))
}

/// Computes the checksums of contents, until `is_wanted` returns false.
fn local_checksums<'a>(
    contents: impl Iterator<Item = (usize, &'a UploadContent)>,
    is_wanted: &dyn Fn() -> bool,
) -> Result<HashMap<usize, Sha256>> {
    let mut buffer = vec![0; CHUNK_SIZE];
    let wanted = contents.take_while(|_| is_wanted());
    wanted.map(|(n, content)| Ok((n, content.sum_by(&mut buffer, is_wanted)?.sha256))).collect()
}

async fn send(mut dialog: ScriptDialog, source: TarStream, written_count: &mut usize) -> Result<(), DialogError> {
    dialog.send(script_text::RECEIVE_STREAM.into()).await?;
    let to = dialog.take_stdin().ok_or(ScriptEnded)?;
    let sent = on_transfer_thread(move || tar_stream::send(&source, to)).await;
    let answer = dialog.read_record().await;
    if let Ok(answer) = &answer {
        let text = String::from_utf8_lossy(answer);
        *written_count = text.strip_prefix(script_text::MOVED).and_then(|files| files.parse().ok()).unwrap_or_default();
    }
    sent?;
    match answer {
        Ok(answer) if answer == script_text::DONE.as_bytes() => Ok(()),
        _ => Err(DialogError::ScriptEnded),
    }
}
