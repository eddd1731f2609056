//! The free functions of the prelude for files: the same methods, on the connection of the calling task.

use std::path::PathBuf;

use super::get::GetRequest;
use super::put::PutRequest;
use super::source::Source;
use super::sync::SyncRequest;
use crate::connection::current;

/// Puts files on the task's host: [`Connection::put`].
#[track_caller]
pub fn put(source: impl Into<Source>, target: impl Into<String>) -> PutRequest {
    current().put(source, target)
}

/// Gets files of the task's host: [`Connection::get`].
#[track_caller]
pub fn get(path: impl Into<String>, to: impl Into<String>) -> GetRequest {
    current().get(path, to)
}

/// Makes a folder of the task's host the equal of one here: [`Connection::sync`].
#[track_caller]
pub fn sync(from: impl Into<PathBuf>, to: impl Into<String>) -> SyncRequest {
    current().sync(from, to)
}
