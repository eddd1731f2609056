//! A file that arrives: taken down beside its place, and put there when all of it has come; or in memory, to be looked at.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::gauge::Gauge;
use crate::error::{Error, ErrorKind, Result};

/// How much of two files is compared at a time.
const COMPARED: usize = 64 << 10;

/// One file on its way to its place on this machine.
#[derive(Debug, Clone)]
pub(super) struct Arrival(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    place: Place,
    /// The mode that it has on the host.
    mode: Option<u32>,
    taken: Option<Taken>,
    expected: u64,
    arrived: u64,
    make_gauge: Option<MakeGauge>,
    gauge: Option<Arc<Gauge>>,
}

/// Makes the gauge of a content when its size is known.
struct MakeGauge(Box<dyn FnOnce(u64) -> Arc<Gauge> + Send>);

impl fmt::Debug for MakeGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MakeGauge")
    }
}

/// Where it is to come.
#[derive(Debug)]
enum Place {
    File { path: PathBuf, mode: Option<u32> },
    Memory { limit: u64 },
}

/// What has come of it.
#[derive(Debug)]
enum Taken {
    File(NamedTempFile),
    Bytes(Vec<u8>),
}

impl Arrival {
    /// Prepares for a file; nothing is made until it comes.
    pub(super) fn new(path: PathBuf, mode: Option<u32>) -> Self {
        Self::at(Place::File { path, mode })
    }

    /// Has it be told how far it has come, by what that `gauge` makes of its size.
    pub(super) fn gauged(self, gauge: impl FnOnce(u64) -> Arc<Gauge> + Send + 'static) -> Self {
        self.state().make_gauge = Some(MakeGauge(Box::new(gauge)));
        self
    }

    /// Prepares for a content of at most `limit` bytes; of a larger one nothing is taken.
    pub(super) fn in_memory(limit: u64) -> Self {
        Self::at(Place::Memory { limit })
    }

    fn at(place: Place) -> Self {
        Self(Arc::new(Mutex::new(State {
            place,
            mode: None,
            taken: None,
            expected: 0,
            arrived: 0,
            make_gauge: None,
            gauge: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for as much as is expected: a file beside its place, with the `mode` that it has on the host.
    pub(super) fn begin(&self, mode: Option<u32>, size: u64) -> Result<()> {
        let mut state = self.state();
        (state.mode, state.expected) = (mode, size);
        state.gauge = state.make_gauge.take().map(|make| make.0(size));
        state.taken = Some(match &state.place {
            Place::File { path, mode: given } => {
                let mode = given.or(mode).unwrap_or(0o644) & 0o777;
                Taken::File(beside(path, mode).map_err(|source| not_written(path, source))?)
            }
            Place::Memory { limit } if size <= *limit => Taken::Bytes(Vec::new()),
            Place::Memory { limit } => {
                return Err(Error::new(ErrorKind::File, format!("{size} bytes are more than {limit}")));
            }
        });
        Ok(())
    }

    /// Takes a piece of the content down; what comes after a failure is nothing to it.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.arrived += bytes.len() as u64;
        if let Some(gauge) = &state.gauge {
            gauge.add(bytes.len());
        }
        if state.taken.is_some() && state.arrived > state.expected {
            return Err(Error::new(ErrorKind::File, "more has come than was announced"));
        }
        match &mut *state {
            State { taken: Some(Taken::File(file)), place: Place::File { path, .. }, .. } => {
                file.write_all(bytes).map_err(|source| not_written(path, source))
            }
            State { taken: Some(Taken::Bytes(taken)), .. } => {
                taken.extend_from_slice(bytes);
                Ok(())
            }
            State { .. } => Ok(()),
        }
    }

    /// Tells whether the content has begun to come.
    pub(super) fn has_begun(&self) -> bool {
        self.state().taken.is_some()
    }

    /// Tells whether not everybody on the host may read it, as far as that said so.
    pub(super) fn is_private(&self) -> bool {
        const READ_BY_OTHERS: u32 = 0o004;
        self.state().mode.is_none_or(|mode| mode & READ_BY_OTHERS == 0)
    }

    /// Tells whether there was more of it than may be taken.
    pub(super) fn is_too_large(&self) -> bool {
        let state = self.state();
        matches!(state.place, Place::Memory { limit } if state.expected > limit)
    }

    /// Removes what has come so far.
    pub(super) fn give_up(&self) {
        self.state().taken = None;
    }

    /// Puts the file into its place, if all of it has come; tells whether it was not there before.
    pub(super) fn land(&self) -> Result<bool> {
        let mut state = self.state();
        let taken = state.whole()?;
        match (taken, &state.place) {
            (Taken::File(file), Place::File { path, .. }) => {
                land(file, path).map_err(|source| not_written(path, source))
            }
            _ => Ok(true),
        }
    }

    /// Returns the content, if it came into memory and is whole.
    pub(super) fn into_bytes(self) -> Result<Vec<u8>> {
        match self.state().whole()? {
            Taken::Bytes(bytes) => Ok(bytes),
            Taken::File(_) => Ok(Vec::new()),
        }
    }
}

impl State {
    /// Gives out what has come, unless some is missing.
    fn whole(&mut self) -> Result<Taken> {
        self.gauge = None;
        let (arrived, expected) = (self.arrived, self.expected);
        let Some(taken) = self.taken.take() else {
            return Err(Error::new(ErrorKind::File, "nothing of it has come"));
        };
        if arrived == expected {
            Ok(taken)
        } else {
            Err(Error::new(ErrorKind::File, format!("{arrived} of {expected} bytes have come")))
        }
    }
}

/// Puts a file into its place, unless the same is there already, and tells which.
pub(super) fn land(file: NamedTempFile, place: &Path) -> std::io::Result<bool> {
    // A host without a program for checksums can't tell.
    if is_same(file.as_file(), place).unwrap_or(false) {
        return Ok(false);
    }
    file.persist(place).map(|_| true).map_err(|failed| failed.error)
}

/// Tells whether a file has the same content as the one at a place.
fn is_same(file: &File, place: &Path) -> std::io::Result<bool> {
    let there = File::open(place)?;
    let (size, meta) = (file.metadata()?.len(), there.metadata()?);
    if !meta.is_file() || meta.len() != size {
        return Ok(false);
    }
    let (mut one, mut other) = (vec![0; COMPARED], vec![0; COMPARED]);
    let mut at = 0;
    while at < size {
        let length = usize::try_from(size - at).unwrap_or(COMPARED).min(COMPARED);
        let (Some(one), Some(other)) = (one.get_mut(..length), other.get_mut(..length)) else { return Ok(false) };
        file.read_exact_at(one, at)?;
        there.read_exact_at(other, at)?;
        if one != other {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}

/// Makes a symlink at a place, in one step where something is there.
pub(super) fn link(content: &Path, place: &Path) -> std::io::Result<()> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let beside =
        tempfile::Builder::new().prefix(".fabrs.").make_in(folder, |path| std::os::unix::fs::symlink(content, path))?;
    beside.into_temp_path().persist(place).map_err(|failed| failed.error)
}

/// Makes a temporary file beside a place, with the folders around it.
pub(super) fn beside(place: &Path, mode: u32) -> std::io::Result<NamedTempFile> {
    let folder = match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    let file = tempfile::Builder::new().prefix(".fabrs.").tempfile_in(folder)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(file)
}

fn not_written(place: &Path, source: std::io::Error) -> Error {
    Error::new(ErrorKind::Local, format!("could not write `{}`", place.display())).caused_by(source)
}
