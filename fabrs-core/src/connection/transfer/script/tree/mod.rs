//! A tree by one script: it says what is there, and takes all that differs as one tar stream.
//!
//! What the stream can't carry as a single put would have it is left to such puts: large files, secrets, names that
//! can't be read back, and places that are reached through a symlink or on another file system.

mod get;
mod listing;
mod pack;
mod plan;
mod text;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::job::{Place, Tree};
use super::super::source::{PIECE, Source};
use super::super::{Said, blocking};
use super::talk::{Over, Talk};
use super::text::owner_words;
use super::{Script, Undone};
use crate::error::{Error, Result};
use crate::transport::{Effect, word_by_chance};
pub(in super::super) use get::get_tree;
use plan::{Fate, InTheWay, Moves, Survey, new_folders};

/// What came of an entry: whether it was written; nothing where it is left to a put of its own.
pub(in super::super) type Done = Option<bool>;

/// Puts a tree, as far as it goes by one stream.
pub(in super::super) async fn put_tree(place: &Place, tree: &Arc<Tree>) -> Result<Vec<Done>, Undone> {
    let script = Script { place, effect: Effect::Changes, what: &tree.what };
    let places = places(tree);
    let asked = text::words(places.iter().copied());
    let line = text::serve(&tree.root, &word_by_chance()?, &tree.attributes, asked.as_deref());
    let to_ask = if asked.is_some() { Vec::new() } else { places };
    let (talk, ear, said) = Talk::new();
    let command = script.command(line, &tree.root)?.watched_by(ear).fed_by(said);
    let mut landed = 0;
    let (output, told) = tokio::join!(script.run(command), converse(talk, tree, to_ask, &mut landed));
    match (output, told) {
        (Err(Undone::NoShell(error)), _) => Err(Undone::NoShell(error)),
        // That the host found it too short says less than why.
        (_, Err(Broken::Failed(error))) => Err(place.error(error).into()),
        (_, Err(Broken::InTheWay(InTheWay(why)))) => Err(place.could_not(&tree.what).caused_by(Said(why)).into()),
        (Err(Undone::Failed(error)), _) => Err(Undone::Failed(match landed {
            0 => error,
            files => {
                error.hint(format!("{files} files are in their places already; the same put goes on with the others"))
            }
        })),
        (Ok(_), Err(Broken::Over)) => Err(place.could_not(&tree.what).into()),
        (Ok(_), Ok(done)) => Ok(done),
    }
}

/// Why a tree has not come to its place.
enum Broken {
    /// The script has ended, and tells why.
    Over,
    InTheWay(InTheWay),
    Failed(Error),
}

impl From<Over> for Broken {
    fn from(Over: Over) -> Self {
        Self::Over
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

async fn converse(
    mut talk: Talk,
    tree: &Arc<Tree>,
    to_ask: Vec<&Path>,
    landed: &mut usize,
) -> Result<Vec<Done>, Broken> {
    let Some((survey, here)) = survey(&mut talk, tree, to_ask).await? else {
        return Ok(vec![None; tree.jobs.len()]);
    };
    let fates: Arc<[Fate]> = survey.fates(tree, &here).map_err(Broken::InTheWay)?.into();
    let fates = if survey.takes_stream() { fates } else { fates.iter().map(Fate::without_stream).collect() };
    let folders = new_folders(&survey, tree, &fates);
    let moves = Moves::new(tree, &fates, &folders);
    if survey.takes_stream() && !(moves.is_empty() && folders.is_empty()) {
        let owner = owner_words(&tree.attributes).ok().flatten();
        let moves = moves.script(text::STAGE, owner.as_deref());
        send(talk, tree, Arc::clone(&fates), folders, moves, landed).await?;
    }
    Ok(fates
        .iter()
        .map(|fate| match fate {
            Fate::Same => Some(false),
            Fate::Alter { .. } | Fate::Send { .. } => Some(true),
            Fate::Alone => None,
        })
        .collect())
}

/// Hears what is there, `to_ask` being what was not asked in the line, and sums up here what may be the same; nothing where the host can't say it.
async fn survey(
    talk: &mut Talk,
    tree: &Tree,
    to_ask: Vec<&Path>,
) -> Result<Option<(Survey, HashMap<usize, String>)>, Broken> {
    talk.begin().await?;
    talk.request(text::STAT, to_ask.into_iter()).await?;
    talk.noise().await?;
    let able = talk.record().await?;
    let Some((me, takes_stream)) = able_as(&able) else { return Ok(None) };
    let mut survey = Survey::new(me, takes_stream, listing::statuses(&talk.records().await?));
    if !survey.has_root() {
        return Ok(None);
    }
    let alike: Vec<_> = survey.alike(tree).map(|(n, path)| (n, path.to_owned())).collect();
    let contents =
        alike.iter().filter_map(|(n, _)| Some((*n, tree.jobs.get(*n)?.as_file()?.content.clone()))).collect();
    let (sums, here) = tokio::join!(
        talk.ask(text::SUMS, alike.iter().map(|(_, path)| path.as_path())),
        blocking(move || sums_here(contents))
    );
    survey.sums = listing::sums(&sums?);
    let here = here?;
    survey.links = listing::links(&talk.ask(text::LINKS, survey.links_there(tree)).await?);
    if tree.attributes.gives_owner() {
        let foreign = talk.ask(text::FOREIGN, survey.there()).await?;
        survey.foreign = foreign.iter().map(|path| super::talk::path(path).into()).collect();
    }
    Ok(Some((survey, here)))
}

/// Returns the places of all entries, with the folders above them, each once.
fn places(tree: &Tree) -> Vec<&Path> {
    let mut folders = HashSet::new();
    let mut places = Vec::new();
    for below in tree.jobs.iter().filter_map(|job| job.item.below.as_deref()) {
        places.push(below);
        for folder in below.ancestors().skip(1) {
            // Those above it have come with it.
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

/// Reads as whom a script runs, and whether it can take a stream.
fn able_as(record: &[u8]) -> Option<((u32, u32), bool)> {
    let mut fields = std::str::from_utf8(record).ok()?.split(' ');
    let me = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((me, fields.next()? == "0"))
}

fn sums_here(contents: Vec<(usize, Source)>) -> Result<HashMap<usize, String>> {
    let mut buffer = vec![0; PIECE];
    contents.into_iter().map(|(n, content)| Ok((n, content.sum_by(&mut buffer)?.sha256))).collect()
}

async fn send(
    mut talk: Talk,
    tree: &Arc<Tree>,
    fates: Arc<[Fate]>,
    folders: BTreeSet<PathBuf>,
    moves: Vec<u8>,
    landed: &mut usize,
) -> Result<(), Broken> {
    talk.say(text::TAKE.into()).await?;
    let (to, tree) = (talk.hush().ok_or(Over)?, Arc::clone(tree));
    let sent = blocking(move || pack::send(&tree, &fates, folders.iter(), &moves, to)).await;
    let told = talk.record().await;
    if let Ok(told) = &told {
        let said = String::from_utf8_lossy(told);
        *landed = said.strip_prefix(text::MOVED).and_then(|files| files.parse().ok()).unwrap_or_default();
    }
    sent?;
    match told {
        Ok(told) if told == text::DONE.as_bytes() => Ok(()),
        _ => Err(Broken::Over),
    }
}
