//! What a client has open, by the names it was given for it.

use std::collections::HashMap;
use std::fs::{File, ReadDir};

/// How much may be open at a time, as in OpenSSH's server.
const MAX_HANDLES: usize = 1000;

/// Something that is open.
#[derive(Debug)]
pub(super) enum OpenHandle {
    File(File),
    Directory(ReadDir),
}

/// All that is open.
#[derive(Debug, Default)]
pub(super) struct HandleTable {
    all: HashMap<String, OpenHandle>,
    last: u64,
}

impl HandleTable {
    /// Keeps something and names it; `None` where too much is open already.
    pub(super) fn add(&mut self, open: OpenHandle) -> Option<String> {
        if self.all.len() >= MAX_HANDLES {
            return None;
        }
        self.last += 1;
        let name = self.last.to_string();
        self.all.insert(name.clone(), open);
        Some(name)
    }

    /// Returns an open file.
    pub(super) fn file(&self, name: &str) -> Option<&File> {
        match self.all.get(name)? {
            OpenHandle::File(file) => Some(file),
            OpenHandle::Directory(_) => None,
        }
    }

    /// Returns an open folder.
    pub(super) fn directory(&mut self, name: &str) -> Option<&mut ReadDir> {
        match self.all.get_mut(name)? {
            OpenHandle::Directory(directory) => Some(directory),
            OpenHandle::File(_) => None,
        }
    }

    /// Closes something, and tells whether it was open.
    pub(super) fn close(&mut self, name: &str) -> bool {
        self.all.remove(name).is_some()
    }
}
