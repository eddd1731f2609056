//! A command that runs while something else is done.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::Command;
use crate::error::Result;
use crate::output::Output;

/// The handle of a command that was started by [`Command::spawn`]: a future of its [`Output`].
///
/// # Cancel safety
///
/// Dropping it ends the command, as for [`Command`].
#[derive(Debug)]
#[must_use = "dropping it ends the command"]
pub struct Spawned(Command);

impl Spawned {
    pub(super) fn new(command: Command) -> Self {
        Self(command)
    }
}

impl Future for Spawned {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}
