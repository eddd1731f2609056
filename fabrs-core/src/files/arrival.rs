//! A file that arrives: taken down beside its place, and put there when all of it has come; or in memory, to be looked at.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::gauge::Gauge;
use super::local_file::{LocalFile, NewMode};
use super::local_path::LocalPath;
use crate::error::{Error, ErrorKind, Result};

/// The mode of a file whose mode the host does not report.
const UNKNOWN_MODE: u32 = 0o644;

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
    File { path: LocalPath, mode: Option<u32> },
    Memory { limit: u64 },
}

/// What has come of it.
#[derive(Debug)]
enum Taken {
    File(LocalFile),
    Bytes(Vec<u8>),
}

impl Arrival {
    /// Prepares for a file; nothing is made until it comes.
    pub(super) fn new(path: LocalPath, mode: Option<u32>) -> Self {
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
                let of_host = NewMode::OfHost(mode.unwrap_or(UNKNOWN_MODE));
                Taken::File(LocalFile::create(path, given.map_or(of_host, NewMode::Exact))?)
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
        match &mut state.taken {
            Some(Taken::File(file)) => file.write(bytes),
            Some(Taken::Bytes(taken)) => {
                taken.extend_from_slice(bytes);
                Ok(())
            }
            None => Ok(()),
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
        match self.state().whole()? {
            Taken::File(file) => file.place(),
            Taken::Bytes(_) => Ok(true),
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
