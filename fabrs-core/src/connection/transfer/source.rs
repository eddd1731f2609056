//! What is put on a host: files of this machine, or bytes.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// How much of a file is read at a time.
const PIECE: usize = 256 << 10;

/// What is put on a host: a file, a folder or a pattern (`conf/*.conf`) of this machine, or bytes.
///
/// A text is a path; bytes are content.
#[derive(Clone)]
#[non_exhaustive]
pub enum Source {
    /// A file, a folder with all in it, or a pattern with `*`, `?` and `[...]`. A leading `~/` is the home of who runs
    /// this program.
    Path(PathBuf),
    /// This content.
    Bytes(Bytes),
    /// This content, which nobody else may read: a new file of it has the mode `0o600`.
    Secret(Secret),
}

impl fmt::Debug for Source {
    /// Shows how much content it is and not what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Secret(_) => f.write_str("a secret"),
        }
    }
}

macro_rules! from {
    ($variant:ident($($type:ty),*)) => {$(
        impl From<$type> for Source {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from!(Path(&str, String, &String, &Path, PathBuf, &PathBuf));
from!(Bytes(Bytes, Vec<u8>, &'static [u8]));
from!(Secret(Secret, &Secret));

impl<const N: usize> From<&'static [u8; N]> for Source {
    /// Takes a literal: `b"PORT=80\n"`.
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::Bytes(Bytes::from_static(bytes))
    }
}

/// One file to put, and below which name.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) content: Source,
    /// Its path below the target, where several or a folder are put.
    pub(super) below: Option<String>,
    /// Its own name, for a target that is a folder.
    pub(super) name: String,
    /// What it is called in messages.
    pub(super) shown: String,
}

/// The size and the SHA-256 of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Source {
    /// Returns the files that it is, each once, in order; reads folders, so it belongs on a blocking thread.
    pub(super) fn items(&self) -> Result<Vec<Item>> {
        let path = match self {
            Self::Bytes(_) | Self::Secret(_) => {
                let shown = format!("{self:?}");
                return Ok(vec![Item { content: self.clone(), below: None, name: String::new(), shown }]);
            }
            Self::Path(path) => at_home(path),
        };
        let shown = path.display().to_string();
        if path.is_dir() {
            return folder(&path);
        }
        if path.exists() || !shown.contains(['*', '?', '[']) {
            if path.exists() && !path.is_file() {
                return Err(Error::new(ErrorKind::Local, format!("`{shown}` is no file that can be put")));
            }
            let name = name_of(&path)?;
            return Ok(vec![Item { content: Self::Path(path), below: None, name, shown }]);
        }
        let none = || Error::new(ErrorKind::Local, format!("no file of this machine is `{shown}`"));
        let matches = glob::glob(&shown).map_err(|source| none().caused_by(source))?;
        let mut items = Vec::new();
        for path in matches {
            let path = path.map_err(|source| none().caused_by(source))?;
            let name = name_of(&path)?;
            if path.is_dir() {
                let below = |item: Item| Item { below: item.below.map(|rest| format!("{name}/{rest}")), ..item };
                items.extend(folder(&path)?.into_iter().map(below));
            } else {
                let shown = path.display().to_string();
                items.push(Item { content: Self::Path(path), below: Some(name.clone()), name, shown });
            }
        }
        if items.is_empty() { Err(none()) } else { Ok(items) }
    }

    /// Returns the files that it is, checked that no two have the same place.
    pub(super) fn distinct_items(&self) -> Result<Vec<Item>> {
        let items = self.items()?;
        let mut places = std::collections::HashSet::new();
        match items.iter().find(|item| !places.insert(item.below.as_deref())) {
            Some(item) => {
                let text = format!("`{}` and another file of {self:?} would have the same place", item.shown);
                Err(Error::new(ErrorKind::Usage, text))
            }
            None => Ok(items),
        }
    }

    /// Reads the content once and sums it up, on a blocking thread.
    pub(super) fn sum(&self) -> Result<Sum> {
        let mut sum = Sha256::new();
        let mut size = 0;
        self.each_piece(|piece| {
            size += piece.len() as u64;
            sum.update(&piece);
            true
        })?;
        Ok(Sum { size, sha256: HEXLOWER.encode(&sum.finalize()) })
    }

    /// Returns the mode that a file has here.
    pub(super) fn mode(&self) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt;

        match self {
            Self::Path(path) => std::fs::metadata(path).ok().map(|meta| meta.permissions().mode() & 0o777),
            Self::Bytes(_) | Self::Secret(_) => None,
        }
    }

    /// Returns the mode of a new file of this content.
    pub(super) fn new_mode(&self) -> u32 {
        if self.secret().is_some() { 0o600 } else { 0o644 }
    }

    /// Returns the secret that it is.
    pub(super) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Secret(secret) => Some(secret),
            Self::Path(_) | Self::Bytes(_) => None,
        }
    }

    /// Sends the content piece by piece, as fast as it is taken, on a blocking thread. That nobody takes it any more is for
    /// the other side to tell.
    ///
    /// The last piece is held back until the sum is the `expected` one: of a file that has changed since, the host gets too
    /// little, and leaves the old one.
    pub(super) fn send(&self, expected: &Sum, to: &mpsc::Sender<Bytes>) -> Result<()> {
        let mut sum = Sha256::new();
        let mut last: Option<Bytes> = None;
        let mut is_wanted = true;
        self.each_piece(|piece| {
            sum.update(&piece);
            is_wanted = last.replace(piece).is_none_or(|before| to.blocking_send(before).is_ok());
            is_wanted
        })?;
        if !is_wanted {
            return Ok(());
        }
        if HEXLOWER.encode(&sum.finalize()) != expected.sha256 {
            return Err(Error::new(ErrorKind::Local, format!("`{self:?}` was changed while it was read")));
        }
        if let Some(last) = last {
            // Nobody who takes it is for the other side to tell.
            let _ = to.blocking_send(last);
        }
        Ok(())
    }

    /// Gives out the content piece by piece while it is taken, on a blocking thread.
    pub(super) fn each_piece(&self, mut take: impl FnMut(Bytes) -> bool) -> Result<()> {
        let path = match self {
            Self::Bytes(bytes) => {
                take(bytes.clone());
                return Ok(());
            }
            Self::Secret(secret) => {
                take(Bytes::copy_from_slice(secret.expose().as_bytes()));
                return Ok(());
            }
            Self::Path(path) => path,
        };
        let unreadable =
            |source| Error::new(ErrorKind::Local, format!("could not read `{}`", path.display())).caused_by(source);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut buffer = BytesMut::zeroed(PIECE);
        loop {
            let read = file.read(&mut buffer).map_err(unreadable)?;
            if read == 0 || !take(Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default())) {
                return Ok(());
            }
        }
    }
}

/// Returns the files in a folder and in all folders of it, by their paths below it.
fn folder(root: &Path) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    let mut folders = vec![root.to_owned()];
    let mut seen = std::collections::HashSet::new();
    while let Some(folder) = folders.pop() {
        // A link may lead back, and then there would be no end.
        let real = folder.canonicalize();
        if real.is_ok_and(|real| !seen.insert(real)) {
            let text = format!("`{}` leads to a folder that is put already", folder.display());
            return Err(Error::new(ErrorKind::Local, text).hint("put its folders one by one"));
        }
        let unreadable =
            |source| Error::new(ErrorKind::Local, format!("could not read `{}`", folder.display())).caused_by(source);
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if !path.is_file() {
                return Err(Error::new(ErrorKind::Local, format!("`{}` is no file that can be put", path.display())));
            }
            let below = path.strip_prefix(root).unwrap_or(&path).to_str().map(str::to_owned);
            let below = below.ok_or_else(|| not_utf8(&path))?;
            let (name, shown) = (name_of(&path)?, path.display().to_string());
            items.push(Item { content: Source::Path(path), below: Some(below), name, shown });
        }
    }
    items.sort_by(|one, other| one.below.cmp(&other.below));
    Ok(items)
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| not_utf8(path))
}

fn not_utf8(path: &Path) -> Error {
    Error::new(ErrorKind::Local, format!("the name of `{}` can't be sent: it is not UTF-8", path.display()))
}

/// Puts the home of who runs this program in the place of a leading `~`.
pub(super) fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), crate::config::Variables::from_env().home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
