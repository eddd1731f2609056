//! Exit status and signals of local processes.

use std::io;
use std::process::ExitStatus;

use crate::error::{Error, ErrorKind};
use crate::output::Signal;
use crate::transport::command_channel::ChannelMessage;

/// The size of the read buffers in bytes.
pub(super) const CHUNK_SIZE: usize = 64 << 10;

/// Returns the exit status of a child as a message, or an error if waiting failed.
pub(super) fn exit_message(status: io::Result<ExitStatus>) -> ChannelMessage {
    match status {
        Ok(status) => ChannelMessage::Exit(status.into()),
        Err(source) => {
            let error = Error::new(ErrorKind::Channel, "could not wait for a local command");
            ChannelMessage::Lost(error.caused_by(source))
        }
    }
}

/// Returns the number of a signal, or `None` if this system does not have the signal.
pub(super) fn signal_number(signal: &Signal) -> Option<rustix::process::Signal> {
    signal.number().and_then(|number| rustix::process::Signal::from_named_raw(number.into()))
}
