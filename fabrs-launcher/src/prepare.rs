//! From a project to its up-to-date tool.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use fabrs_core::config::read_text;
use fabrs_core::{Error, ErrorKind};
use fabrs_project::{FileTrust, Project, check_project};
use sha2::{Digest, Sha256};

use crate::atomic_write;
use crate::block::Block;
use crate::cargo::Cargo;
use crate::cargo_config::CargoConfig;
use crate::dep_info;
use crate::environment::ProcessEnvironment;
use crate::inputs::{check_crate, check_settings, check_sources};
use crate::manifest::Package;
use crate::outcome::Built;
use crate::progress::{BuildEvent, BuildProgress};
use crate::project_cache::ProjectCache;
use crate::stamp::{Input, Mark, Stamp};

/// Returns the path of a project's tool, compiled now if anything it was made from has changed.
///
/// When nothing has, nothing is told and no process is started. Two that prepare one project at once compile it once.
///
/// # Errors
///
/// - [`ErrorKind::Compile`] if `tasks.rs` or something that it needs does not compile; what the compiler says was told
///   as [`BuildEvent::Diagnostic`].
/// - [`ErrorKind::Config`] if `tasks.rs` can't be read, or its manifest block or the project's cargo configuration is
///   wrong.
/// - [`ErrorKind::Local`] if there is no cargo, or the cache can't be written, or others can write to it.
/// - [`ErrorKind::Usage`] if somebody else could have written `tasks.rs`, or another file that the tool is made of.
pub fn ensure_compiled(
    project: &Project,
    environment: &ProcessEnvironment,
    progress: &mut dyn BuildProgress,
) -> Result<PathBuf, Error> {
    let trust = environment.file_trust();
    check_project(project, &trust, environment.cwd())?;
    let room = ProjectCache::of(project, environment)?;
    let fresh = || Stamp::read(&room.stamp()).filter(|stamp| stamp.is_fresh(environment));
    let check = |stamp: &Stamp| {
        // The files were accepted under the same trust, and have not changed since: any write changes their mark.
        if stamp.trust == environment.trust_text() {
            return Ok(());
        }
        check_sources(&trust, project, &room, stamp.sources())
    };
    if let Some(stamp) = fresh() {
        return check(&stamp).map(|()| room.binary());
    }

    room.create(&environment.file_trust())?;
    let _lock = room.lock(progress)?;
    // Whoever had the lock may have done the work.
    let made = match fresh() {
        Some(stamp) => check(&stamp),
        None => make(project, &room, environment, &trust, progress),
    };
    progress.report(BuildEvent::Done);
    made.map(|()| room.binary())
}

fn make(
    project: &Project,
    room: &ProjectCache,
    environment: &ProcessEnvironment,
    trust: &FileTrust,
    progress: &mut dyn BuildProgress,
) -> Result<(), Error> {
    let shown = project.shown(environment.cwd());
    let cargo = Cargo::find(room, environment)?;
    let cargo_home = environment.cargo_home();
    check_settings(trust)?;
    let config = CargoConfig::read(&project.root, cargo_home.as_deref(), trust)?;
    let old = Stamp::read(&room.stamp()).unwrap_or_default();
    let package = package(project, room, &old, environment.cwd())?;
    package.crates.iter().try_for_each(|folder| check_crate(trust, folder))?;

    atomic_write::write(&room.manifest(), package.manifest.as_bytes())?;
    atomic_write::write(&room.main(), package.main.as_bytes())?;
    atomic_write::write(&room.cargo_config(), config.settings.to_string().as_bytes())?;
    if let Some(seed) = &package.seed {
        plant(room, seed)?;
    }

    let before = Before::look(project, &old);
    progress.report(BuildEvent::Compiling { first: !room.target.join("debug").exists() });
    let built = build(&cargo, &shown, progress)?;
    let (sources, manifests) = (sources(&built, room)?, manifests(&built));
    check_sources(trust, project, room, sources.iter().chain(&manifests))?;

    atomic_write::copy(&built.executable, &room.binary())?;
    let (program, trust) = (cargo.program().to_owned(), environment.trust_text());
    let mut stamp = Stamp { cargo: program, trust, ..Stamp::default() };
    for name in ProcessEnvironment::choose_compiler() {
        stamp.add_variable(name, environment);
    }
    for text in built.dep_infos.iter().filter_map(|file| fs::read_to_string(file).ok()) {
        dep_info::variables(&text).for_each(|name| stamp.add_variable(name, environment));
    }

    let uses = cargo.compiler().into_iter().chain(environment.rustup_settings());
    for file in manifests.into_iter().chain(config.files).chain(package.seed).chain(uses) {
        before.add(&mut stamp, file, false);
    }
    for file in sources {
        before.add(&mut stamp, file, true);
    }
    // These were written by cargo and by us, after the look at what was there before.
    for file in [room.binary(), room.dependency_lock()] {
        let mark = Mark::of(&file);
        stamp.files.insert(file, Input { source: false, mark });
    }
    atomic_write::write(&room.stamp(), stamp.text().as_bytes())
}

/// Reads `tasks.rs` and makes the package around it.
fn package(project: &Project, room: &ProjectCache, old: &Stamp, cwd: &Path) -> Result<Package, Error> {
    let source = read_text(&project.tasks_file).map_err(|error| project.unreadable(cwd, error))?;
    let block = Block::read(&source).map_err(|error| {
        Error::new(ErrorKind::Config, format!("{}:{}: {}", project.shown(cwd), error.line, error.what))
    })?;

    let mut digest = Sha256::new();
    for path in old.sources().chain([&project.tasks_file]) {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update([0]);
        // One that vanished is found missing by cargo. A FIFO in its place would never end.
        let content = if path.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
        digest.update(Sha256::digest(content));
    }
    Ok(Package::new(project, &room.name, block, &HEXLOWER.encode(&digest.finalize()[..16])))
}

/// Starts the room's lock file as a copy of the one that `fabrs` has, again whenever that has changed.
fn plant(room: &ProjectCache, seed: &Path) -> Result<(), Error> {
    let unreadable =
        |error| Error::new(ErrorKind::Local, format!("could not read `{}`", seed.display())).caused_by(error);
    let lock = fs::read(seed).map_err(unreadable)?;
    let digest = HEXLOWER.encode(&Sha256::digest(&lock));
    let planted = fs::read_to_string(room.seed()).is_ok_and(|planted| planted == digest);
    if !planted || !room.dependency_lock().exists() {
        atomic_write::write(&room.dependency_lock(), &lock)?;
        atomic_write::write(&room.seed(), digest.as_bytes())?;
    }
    Ok(())
}

/// Builds, and once more without the network if that is what was missing: an index that was fetched before may do.
fn build(cargo: &Cargo<'_>, shown: &str, progress: &mut dyn BuildProgress) -> Result<Built, Error> {
    let (succeeded, outcome) = cargo.build(false, progress)?;
    if succeeded {
        return outcome.built();
    }
    if !outcome.wants_network() {
        return Err(outcome.failure(shown));
    }
    match cargo.build(true, progress)? {
        (true, again) => again.built(),
        (false, again) if again.is_explained() => Err(again.failure(shown)),
        (false, _) => Err(outcome.failure(shown)),
    }
}

/// Returns the manifests that may change what is compiled: those of all packages that are no download, and those above
/// them, from which they may inherit.
fn manifests(built: &Built) -> Vec<PathBuf> {
    let above = |manifest: &PathBuf| -> Vec<_> {
        manifest.ancestors().skip(1).map(|folder| folder.join("Cargo.toml")).filter(|file| file.is_file()).collect()
    };
    built.manifests.iter().flat_map(above).collect()
}

/// Returns all sources that cargo names.
fn sources(built: &Built, room: &ProjectCache) -> Result<Vec<PathBuf>, Error> {
    let dep_info = built.executable.with_file_name(format!("{}.d", room.name));
    let text = fs::read_to_string(&dep_info).map_err(|error| {
        Error::new(ErrorKind::Local, format!("could not read `{}`", dep_info.display())).caused_by(error)
    })?;
    Ok(dep_info::inputs(&text))
}

/// What the inputs looked like before cargo read them.
///
/// A file that is edited while cargo runs must not be taken for compiled: for those that were known before, the look
/// was taken before; others are left unsure if they changed since.
struct Before {
    known: BTreeMap<PathBuf, Option<Mark>>,
    moment: i128,
}

impl Before {
    fn look(project: &Project, old: &Stamp) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let known = old.files.keys().chain([&project.tasks_file]).map(|path| (path.clone(), Mark::of(path))).collect();
        Self { known, moment: now.as_nanos().cast_signed() }
    }

    fn add(&self, stamp: &mut Stamp, path: PathBuf, source: bool) {
        let mark = match self.known.get(&path) {
            Some(mark) => *mark,
            None => Mark::of(&path).filter(|mark| mark.is_before(self.moment)),
        };
        stamp.files.insert(path, Input { source, mark });
    }
}
