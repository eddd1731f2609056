//! Cancellation: after a timeout, Ctrl-C or a dropped future, the remaining processes are counted
//! on the server.
//!
//! sshd makes each command the leader of a process group and delivers signal requests to the whole
//! group. All processes of a stopped command must end. The client reports commands that the server
//! could not stop.

mod bulk;
mod commands;
mod matrix;
mod root;
mod startup;
