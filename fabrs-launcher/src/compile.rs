//! Compiles the tool of a project if an input has changed.

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
use crate::build_record::{BuildRecord, FileStat, Input};
use crate::cargo_command::CargoCommand;
use crate::cargo_config::CargoConfig;
use crate::cargo_output::BuildArtifacts;
use crate::dep_info;
use crate::environment::ProcessEnvironment;
use crate::generated_package::GeneratedPackage;
use crate::input_checks::{check_crate, check_sources, check_system_settings};
use crate::manifest_block::ManifestBlock;
use crate::progress::{BuildEvent, BuildProgress};
use crate::project_cache::ProjectCache;

/// Returns the path of the project's tool, and compiles the tool first if an input has changed.
///
/// If no input has changed, this function starts no process and reports no event. If two processes
/// call this function for the same project, only one of them compiles.
///
/// # Errors
///
/// - [`ErrorKind::Compile`] if `tasks.rs` or a dependency does not compile. The messages of the
///   compiler were reported as [`BuildEvent::Diagnostic`].
/// - [`ErrorKind::Config`] if `tasks.rs` can't be read, or if its manifest block or the project's
///   cargo configuration is invalid.
/// - [`ErrorKind::Local`] if cargo is missing, or if the cache can't be written or is not private.
/// - [`ErrorKind::Usage`] if another user owns or can write to `tasks.rs` or another input.
pub fn ensure_compiled(
    project: &Project,
    environment: &ProcessEnvironment,
    progress: &mut dyn BuildProgress,
) -> Result<PathBuf, Error> {
    let trust = environment.file_trust();
    check_project(project, &trust, environment.cwd())?;
    let cache = ProjectCache::for_project(project, environment)?;
    let load_fresh = || BuildRecord::read(&cache.build_record()).filter(|record| record.is_fresh(environment));
    let check = |record: &BuildRecord| {
        // These files passed the check with the same trust settings. Each later write changes the
        // recorded metadata, so the check is still valid.
        if record.trust == environment.trust_key() {
            return Ok(());
        }
        check_sources(&trust, project, &cache, record.sources())
    };
    if let Some(record) = load_fresh() {
        return check(&record).map(|()| cache.binary());
    }

    cache.create(&environment.file_trust())?;
    let _lock = cache.lock(progress)?;
    // Another process may have compiled the tool while this process waited for the lock.
    let result = match load_fresh() {
        Some(record) => check(&record),
        None => compile(project, &cache, environment, &trust, progress),
    };
    progress.report(BuildEvent::Done);
    result.map(|()| cache.binary())
}

fn compile(
    project: &Project,
    cache: &ProjectCache,
    environment: &ProcessEnvironment,
    trust: &FileTrust,
    progress: &mut dyn BuildProgress,
) -> Result<(), Error> {
    let shown_path = project.display_path(environment.cwd());
    let cargo = CargoCommand::find(cache, environment)?;
    let cargo_home = environment.cargo_home();
    check_system_settings(trust)?;
    let config = CargoConfig::read(&project.root, cargo_home.as_deref(), trust)?;
    let old = BuildRecord::read(&cache.build_record()).unwrap_or_default();
    let package = generate_package(project, cache, &old, environment.cwd())?;
    package.crates.iter().try_for_each(|folder| check_crate(trust, folder))?;

    atomic_write::write(&cache.manifest(), package.manifest.as_bytes())?;
    atomic_write::write(&cache.main_rs(), package.main_rs.as_bytes())?;
    atomic_write::write(&cache.cargo_config(), config.settings.to_string().as_bytes())?;
    if let Some(seed) = &package.cargo_lock_seed {
        seed_cargo_lock(cache, seed)?;
    }

    let initial_stats = InitialStats::capture(project, &old);
    progress.report(BuildEvent::Compiling { first: !cache.target_folder.join("debug").exists() });
    let built = build_or_retry_offline(&cargo, &shown_path, progress)?;
    let (sources, manifests) = (source_files(&built, cache)?, local_manifests(&built));
    check_sources(trust, project, cache, sources.iter().chain(&manifests))?;

    atomic_write::copy(&built.executable, &cache.binary())?;
    let (program, trust) = (cargo.program().to_owned(), environment.trust_key());
    let mut record = BuildRecord { cargo: program, trust, ..BuildRecord::default() };
    for name in ProcessEnvironment::compiler_variables() {
        record.add_variable(name, environment);
    }
    for text in built.dep_infos.iter().filter_map(|file| fs::read_to_string(file).ok()) {
        dep_info::env_variables(&text).for_each(|name| record.add_variable(name, environment));
    }

    let toolchain = cargo.compiler().into_iter().chain(environment.rustup_settings());
    for file in manifests.into_iter().chain(config.files).chain(package.cargo_lock_seed).chain(toolchain) {
        initial_stats.add(&mut record, file, false);
    }
    for file in sources {
        initial_stats.add(&mut record, file, true);
    }
    // Cargo and the launcher wrote these files after the initial metadata was read.
    for file in [cache.binary(), cache.cargo_lock()] {
        let stat = FileStat::read(&file);
        record.files.insert(file, Input { is_source: false, stat });
    }
    atomic_write::write(&cache.build_record(), record.to_text().as_bytes())
}

/// Reads `tasks.rs` and generates the package around it.
fn generate_package(
    project: &Project,
    cache: &ProjectCache,
    old: &BuildRecord,
    cwd: &Path,
) -> Result<GeneratedPackage, Error> {
    let source = read_text(&project.tasks_file).map_err(|error| project.read_error(cwd, error))?;
    let block = ManifestBlock::read(&source).map_err(|error| {
        Error::new(ErrorKind::Config, format!("{}:{}: {}", project.display_path(cwd), error.line, error.message))
    })?;

    let mut digest = Sha256::new();
    for path in old.sources().chain([&project.tasks_file]) {
        digest.update(path.as_os_str().as_encoded_bytes());
        digest.update([0]);
        // Cargo reports a missing file. The check also skips a FIFO, because opening a FIFO blocks
        // until another process writes to it.
        let content = if path.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
        digest.update(Sha256::digest(content));
    }
    Ok(GeneratedPackage::new(project, &cache.package_name, block, &HEXLOWER.encode(&digest.finalize()[..16])))
}

/// Copies the lock file of `fabrs` to the cache. Repeats the copy after each change of the
/// original.
fn seed_cargo_lock(cache: &ProjectCache, seed: &Path) -> Result<(), Error> {
    let unreadable =
        |error| Error::new(ErrorKind::Local, format!("could not read `{}`", seed.display())).caused_by(error);
    let lock = fs::read(seed).map_err(unreadable)?;
    let digest = HEXLOWER.encode(&Sha256::digest(&lock));
    let is_current = fs::read_to_string(cache.cargo_lock_digest()).is_ok_and(|old| old == digest);
    if !is_current || !cache.cargo_lock().exists() {
        atomic_write::write(&cache.cargo_lock(), &lock)?;
        atomic_write::write(&cache.cargo_lock_digest(), digest.as_bytes())?;
    }
    Ok(())
}

/// Builds the package. After a network error, builds again with `--offline`: an index from an
/// earlier download may be sufficient.
fn build_or_retry_offline(
    cargo: &CargoCommand<'_>,
    shown_path: &str,
    progress: &mut dyn BuildProgress,
) -> Result<BuildArtifacts, Error> {
    let (succeeded, output) = cargo.build(false, progress)?;
    if succeeded {
        return output.into_artifacts();
    }
    if !output.is_network_error() {
        return Err(output.error(shown_path));
    }
    match cargo.build(true, progress)? {
        (true, again) => again.into_artifacts(),
        (false, again) if again.has_compiler_error() => Err(again.error(shown_path)),
        (false, _) => Err(output.error(shown_path)),
    }
}

/// Returns all manifests that can affect the build: the manifests of local packages, and manifests
/// in the folders above, because a package may inherit from a workspace.
fn local_manifests(built: &BuildArtifacts) -> Vec<PathBuf> {
    let above = |manifest: &PathBuf| -> Vec<_> {
        manifest.ancestors().skip(1).map(|folder| folder.join("Cargo.toml")).filter(|file| file.is_file()).collect()
    };
    built.manifests.iter().flat_map(above).collect()
}

/// Returns all source files listed by cargo.
fn source_files(built: &BuildArtifacts, cache: &ProjectCache) -> Result<Vec<PathBuf>, Error> {
    let dep_info = built.executable.with_file_name(format!("{}.d", cache.package_name));
    let text = fs::read_to_string(&dep_info).map_err(|error| {
        Error::new(ErrorKind::Local, format!("could not read `{}`", dep_info.display())).caused_by(error)
    })?;
    Ok(dep_info::source_files(&text))
}

/// Metadata of the inputs, read before cargo reads the files.
///
/// A file edited during the build must not count as compiled. For an input of the last build, the
/// metadata from before the build is recorded. A new input has no such metadata. If a new input
/// changed after the start of the build, its metadata is recorded as unknown.
struct InitialStats {
    known: BTreeMap<PathBuf, Option<FileStat>>,
    captured_at: i128,
}

impl InitialStats {
    fn capture(project: &Project, old: &BuildRecord) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let known =
            old.files.keys().chain([&project.tasks_file]).map(|path| (path.clone(), FileStat::read(path))).collect();
        Self { known, captured_at: now.as_nanos().cast_signed() }
    }

    fn add(&self, record: &mut BuildRecord, path: PathBuf, is_source: bool) {
        let stat = match self.known.get(&path) {
            Some(stat) => *stat,
            None => FileStat::read(&path).filter(|stat| stat.is_before(self.captured_at)),
        };
        record.files.insert(path, Input { is_source, stat });
    }
}
