//! Demo hosts, tested with the SSH clients of OpenSSH and fabrs.

mod access;
mod commands;
mod files;
mod fixtures;
mod isolation;
mod refusals;
mod shutdown;
mod sudo;
mod users;
