//! Parts that all commands of this machine share.

use std::io;
use std::process::ExitStatus;

use crate::error::{Error, ErrorKind};
use crate::output::Signal;
use crate::transport::command_channel::Message;

/// How much is read at a time.
pub(super) const PIECE: usize = 64 << 10;

/// Returns how a child has ended, or that nobody knows.
pub(super) fn exited(status: io::Result<ExitStatus>) -> Message {
    match status {
        Ok(status) => Message::Exit(status.into()),
        Err(source) => {
            let error = Error::new(ErrorKind::Channel, "could not wait for a command of this machine");
            Message::Lost(error.caused_by(source))
        }
    }
}

/// Returns the number of a signal, where this system has it.
pub(super) fn number(signal: &Signal) -> Option<rustix::process::Signal> {
    signal.number().and_then(|number| rustix::process::Signal::from_named_raw(number.into()))
}
