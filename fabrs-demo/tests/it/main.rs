//! Demo hosts as any SSH client meets them: OpenSSH's own, and fabrs'.

mod access;
mod commands;
mod files;
mod fixtures;
mod isolation;
mod refusals;
mod shutdown;
mod sudo;
mod users;
