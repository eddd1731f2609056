//! Cancel means cancel: what a timeout, Ctrl-C or a dropped future ends is counted on the server.
//!
//! sshd makes each command the leader of a process group and sends a signal request to all of it. What is told to end
//! must be gone, whatever it was made of; what the server would not end is named.

mod hundred;
mod lines;
mod matrix;
mod opening;
mod root;
