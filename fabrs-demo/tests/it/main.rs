//! Demo hosts as any SSH client meets them: OpenSSH's own, and fabrs'.

mod commands;
mod contained;
mod doors;
mod files;
mod gone;
mod place;
mod refused;
mod sudo;
mod users;
