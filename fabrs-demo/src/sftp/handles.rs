//! Open files and directories of a client, by handle.

use std::collections::HashMap;
use std::fs::{File, ReadDir};

/// The maximum number of open handles, as in OpenSSH.
const MAX_HANDLES: usize = 1000;

/// An open file or directory.
#[derive(Debug)]
pub(super) enum OpenHandle {
    File(File),
    Directory(ReadDir),
}

/// The table of open handles.
#[derive(Debug, Default)]
pub(super) struct HandleTable {
    all: HashMap<String, OpenHandle>,
    last: u64,
}

impl HandleTable {
    /// Adds a file or directory and returns its handle, or `None` if the table is full.
    pub(super) fn add(&mut self, open: OpenHandle) -> Option<String> {
        if self.all.len() >= MAX_HANDLES {
            return None;
        }
        self.last += 1;
        let name = self.last.to_string();
        self.all.insert(name.clone(), open);
        Some(name)
    }

    /// Returns the open file of a handle.
    pub(super) fn file(&self, name: &str) -> Option<&File> {
        match self.all.get(name)? {
            OpenHandle::File(file) => Some(file),
            OpenHandle::Directory(_) => None,
        }
    }

    /// Returns the open directory of a handle.
    pub(super) fn directory(&mut self, name: &str) -> Option<&mut ReadDir> {
        match self.all.get_mut(name)? {
            OpenHandle::Directory(directory) => Some(directory),
            OpenHandle::File(_) => None,
        }
    }

    /// Closes a handle. Returns `false` if the handle is unknown.
    pub(super) fn close(&mut self, name: &str) -> bool {
        self.all.remove(name).is_some()
    }
}
