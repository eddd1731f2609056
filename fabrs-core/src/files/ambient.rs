//! The file functions of the prelude: methods of the connection of the calling task.

use std::path::PathBuf;

use super::get::GetRequest;
use super::put::PutRequest;
use super::sync::SyncRequest;
use crate::connection::current;
use crate::transfer::source::Source;

/// Uploads files to the host of the task.
///
/// See [`Connection::put`](crate::connection::Connection::put).
#[track_caller]
pub fn put(source: impl Into<Source>, target: impl Into<String>) -> PutRequest {
    current().put(source, target)
}

/// Downloads files from the host of the task.
///
/// See [`Connection::get`](crate::connection::Connection::get).
#[track_caller]
pub fn get(path: impl Into<String>, to: impl Into<String>) -> GetRequest {
    current().get(path, to)
}

/// Makes a directory of the host equal to a local directory.
///
/// See [`Connection::sync`](crate::connection::Connection::sync).
#[track_caller]
pub fn sync(from: impl Into<PathBuf>, to: impl Into<String>) -> SyncRequest {
    current().sync(from, to)
}
