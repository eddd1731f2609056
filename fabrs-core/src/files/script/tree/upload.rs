//! Uploads a tree as one tar stream, and compares it with the host.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::items;
use super::listing::{self, Statuses, Sums};
use super::moves::Moves;
use super::pack::{self, Cargo};
use super::plan::{Fate, Survey, new_folders};
use super::text::{self, Asked};
use crate::connection::Command;
use crate::error::Result;
use crate::files::backend_error::BackendError;
use crate::files::checksum::Sha256;
use crate::files::content::{CHUNK_SIZE, Content};
use crate::files::disk_work::{blocking_while, on_transfer_thread};
use crate::files::job::{Tree, TreeMode};
use crate::files::progress_counter::ProgressCounter;
use crate::files::script::dialog_error::{DialogError, Over};
use crate::files::script::limits::Allowance;
use crate::files::script::losses;
use crate::files::script::script_run::Script;
use crate::files::script::talk::{self, Talk};
use crate::files::script::text::shell_text::owner_words;
use crate::files::transfer_context::TransferContext;
use crate::files::tree_result::TreeResult;
use crate::transport::{Effect, random_token};

/// The reason against a sync.
const NO_STREAM: &str = "the host has no `tar`, or the folder can not be written to";

/// Uploads the entries of a tree that fit into one stream.
pub(in crate::files) async fn put_tree(
    context: &TransferContext,
    tree: &Arc<Tree>,
) -> Result<TreeResult, BackendError> {
    let mut landed = 0;
    let Opened { script, command, talk, to_ask } = open(context, tree, Effect::Changes)?;
    let put = script.run_with(command, put(talk, context, tree, to_ask, &mut landed)).await;
    put.map_err(|undone| undone.in_part(landed))
}

/// Returns the changes of an upload, one line for each entry, in the format of `rsync --itemize-changes`.
pub(in crate::files) async fn itemize(
    context: &TransferContext,
    tree: &Arc<Tree>,
) -> Result<Vec<String>, BackendError> {
    let Opened { script, command, talk, to_ask } = open(context, tree, Effect::Reads)?;
    script.run_with(command, look(talk, tree, to_ask)).await
}

/// Returns the entries that an upload would write, and the paths that it would remove. Entries with an upload of their own are
/// not compared.
pub(in crate::files) async fn plan_tree(
    context: &TransferContext,
    tree: &Arc<Tree>,
) -> Result<TreeResult, BackendError> {
    let Opened { script, command, mut talk, to_ask } = open(context, tree, Effect::Reads)?;
    let planned = async {
        let Some((survey, here)) = survey(&mut talk, tree, to_ask).await? else { return Ok(TreeResult::nothing(tree)) };
        let fates = survey.fates(tree, &here)?;
        if survey.has_root() && !survey.takes_stream() && matches!(tree.mode, TreeMode::Sync(_)) {
            return Err(DialogError::InTheWay(NO_STREAM.to_owned()));
        }
        let removed = [survey.replaced_folders(tree, &fates), survey.removals(tree, &fates)].concat();
        drop(talk);
        Ok(TreeResult { entries: fates.iter().map(Fate::is_written).collect(), removed })
    };
    script.run_with(command, planned).await
}

/// The script of a tree, and the dialogue with it.
struct Opened<'a> {
    script: Script<'a>,
    command: Command,
    talk: Talk,
    /// The paths that are not part of its line.
    to_ask: Vec<&'a Path>,
}

fn open<'a>(context: &'a TransferContext, tree: &'a Tree, effect: Effect) -> Result<Opened<'a>> {
    let script = Script { context, effect, operation: &tree.operation };
    let (asked, to_ask) = match &tree.mode {
        TreeMode::Sync(_) => (Asked::All, Vec::new()),
        TreeMode::Put => {
            let places = places(tree);
            match text::words(places.iter().copied()) {
                Some(words) => (Asked::Paths(words), Vec::new()),
                None => (Asked::Nothing, places),
            }
        }
    };
    let line = text::serve(tree, &random_token()?, effect, &asked);
    let (talk, command) = script.talk(line, &tree.root)?;
    Ok(Opened { script, command, talk, to_ask })
}

async fn look(mut talk: Talk, tree: &Arc<Tree>, to_ask: Vec<&Path>) -> Result<Vec<String>, DialogError> {
    let (survey, here) = survey(&mut talk, tree, to_ask).await?.ok_or(Over)?;
    let fates = survey.fates(tree, &here)?;
    let gone = [survey.replaced_folders(tree, &fates), survey.removals(tree, &fates)].concat();
    Ok(items::lines(&survey, tree, &fates, &gone))
}

async fn put(
    mut talk: Talk,
    context: &TransferContext,
    tree: &Arc<Tree>,
    to_ask: Vec<&Path>,
    landed: &mut usize,
) -> Result<TreeResult, DialogError> {
    let Some((survey, here)) = survey(&mut talk, tree, to_ask).await? else { return Ok(TreeResult::nothing(tree)) };
    let fates: Arc<[Fate]> = survey.fates(tree, &here)?.into();
    let fates = match (survey.takes_stream(), &tree.mode) {
        (true, _) => fates,
        (false, TreeMode::Put) => fates.iter().map(Fate::without_stream).collect(),
        (false, TreeMode::Sync(_)) => return Err(DialogError::InTheWay(NO_STREAM.to_owned())),
    };
    let folders = new_folders(&survey, tree, &fates);
    let removed = survey.removals(tree, &fates);
    let moves = Moves::new(&survey, tree, &fates, &folders, &removed);
    if survey.takes_stream() && !(moves.is_empty() && folders.is_empty()) {
        let owner = owner_words(&tree.attributes).ok().flatten();
        let folders = folders.into_iter().filter(|folder| !moves.makes(folder)).collect();
        let scripts = [moves.script(owner.as_deref()), moves.last(), moves.close()];
        let sent = tree.jobs.iter().zip(&*fates).filter(|(_, fate)| matches!(fate, Fate::Send(_)));
        let size = sent.filter_map(|(job, _)| Some(job.fingerprint.as_ref()?.size)).sum();
        let progress = ProgressCounter::new(context, &tree.operation, size);
        let cargo = Cargo { tree: Arc::clone(tree), fates: Arc::clone(&fates), folders, scripts, progress };
        send(talk, cargo, landed).await?;
        if let Some((first, others)) = survey.parted(tree, &fates).split_first() {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            let otherwise = if matches!(tree.mode, TreeMode::Put) { losses::OTHERWISE } else { "" };
            let names = losses::names(&format!("`{}/{}`{more}", tree.root, first.display()));
            context.warn(&format!("{names}{otherwise}"));
        }
    }
    let entries = fates.iter().map(Fate::is_written).collect();
    let removed = [survey.replaced_folders(tree, &fates), removed].concat();
    Ok(TreeResult { entries, removed })
}

/// Reads the state of the host, and computes the local checksums of files that may be equal. `to_ask` has the paths that are
/// not part of the line. Returns `None` if the host has no programs for it.
async fn survey(
    talk: &mut Talk,
    tree: &Arc<Tree>,
    to_ask: Vec<&Path>,
) -> Result<Option<(Survey, HashMap<usize, Sha256>)>, DialogError> {
    // A sync lists all of the host, of which most is usually here too.
    let mut allowed = Allowance::listing();
    for path in places(tree) {
        allowed.add_path(path);
    }
    talk.begin().await?;
    talk.request(text::STAT, to_ask.into_iter()).await?;
    talk.noise().await?;
    let able = talk.record().await?;
    if able == text::NOTHING.as_bytes() {
        return Ok(Some((Survey::default(), HashMap::new())));
    }
    let Some((me, takes_stream)) = able_as(&able) else { return Ok(None) };
    let mut statuses = Statuses::default();
    talk.each_record(allowed, |record| statuses.take(record)).await?;
    let mut survey = Survey::new(&tree.mode, me, takes_stream, statuses.0);
    if !survey.has_root() {
        return Ok(None);
    }
    let alike: Vec<_> = survey.alike(tree).collect();
    let numbers: Vec<_> = alike.iter().map(|(n, _)| *n).collect();
    let paths = alike.into_iter().map(|(_, path)| path);
    let mut sums = Sums::default();
    let there = talk.ask_each(text::SUMS, paths, |record| sums.take(record));
    let ours = Arc::clone(tree);
    let summed = move |is_wanted: &dyn Fn() -> bool| {
        let content = |n: usize| Some((n, ours.jobs.get(n)?.as_file()?.content));
        sums_here(numbers.into_iter().filter_map(content), is_wanted)
    };
    let here = async { Ok(blocking_while(summed).await?) };
    let ((), here) = tokio::try_join!(there, here)?;
    survey.sums = sums;
    survey.links = listing::links(&talk.ask(text::LINKS, survey.links_there(tree)).await?);
    if tree.attributes.gives_owner() {
        let foreign = talk.ask(text::FOREIGN, survey.there()).await?;
        survey.foreign = foreign.iter().map(|path| talk::path(path).into()).collect();
    }
    Ok(Some((survey, here)))
}

/// Returns the paths of all entries and of their parent directories, without duplicates.
fn places(tree: &Tree) -> Vec<&Path> {
    let mut folders = HashSet::new();
    let mut places = Vec::new();
    for below in tree.jobs.iter().filter_map(|job| job.item.below.as_deref()) {
        places.push(below);
        for folder in below.ancestors().skip(1) {
            // Its parents are in the set already.
            if !folders.insert(folder.as_os_str()) {
                break;
            }
        }
    }
    let is_job: HashSet<_> = places.iter().map(|path| path.as_os_str()).collect();
    let only_above: Vec<_> = folders.into_iter().filter(|folder| !is_job.contains(folder)).map(Path::new).collect();
    places.extend(only_above);
    places
}

/// Reads the user and group of a script, and its support for streams.
fn able_as(record: &[u8]) -> Option<((u32, u32), bool)> {
    let mut fields = std::str::from_utf8(record).ok()?.split(' ');
    let me = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((me, fields.next()? == "0"))
}

/// Computes the checksums of contents. Stops when `is_wanted` returns false.
fn sums_here<'a>(
    contents: impl Iterator<Item = (usize, &'a Content)>,
    is_wanted: &dyn Fn() -> bool,
) -> Result<HashMap<usize, Sha256>> {
    let mut buffer = vec![0; CHUNK_SIZE];
    let wanted = contents.take_while(|_| is_wanted());
    wanted.map(|(n, content)| Ok((n, content.sum_by(&mut buffer, is_wanted)?.sha256))).collect()
}

async fn send(mut talk: Talk, cargo: Cargo, landed: &mut usize) -> Result<(), DialogError> {
    talk.say(text::TAKE.into()).await?;
    let to = talk.hush().ok_or(Over)?;
    let sent = on_transfer_thread(move || pack::send(&cargo, to)).await;
    let told = talk.record().await;
    if let Ok(told) = &told {
        let said = String::from_utf8_lossy(told);
        *landed = said.strip_prefix(text::MOVED).and_then(|files| files.parse().ok()).unwrap_or_default();
    }
    sent?;
    match told {
        Ok(told) if told == text::DONE.as_bytes() => Ok(()),
        _ => Err(DialogError::Over),
    }
}
