//! The process's own stdout and stderr, without the buffer and the lock that std puts around them.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Opens stdout for large writes.
pub(super) fn stdout() -> Box<dyn Write + Send> {
    duplicate(&io::stdout()).unwrap_or_else(|_| Box::new(io::stdout()))
}

/// Opens stderr for large writes.
pub(super) fn stderr() -> Box<dyn Write + Send> {
    duplicate(&io::stderr()).unwrap_or_else(|_| Box::new(io::stderr()))
}

/// What does each write.
pub(super) type WriteWrapper = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Has `around` do each write to a stream.
pub(super) fn wrap_writes(stream: Box<dyn Write + Send>, wrapper: WriteWrapper) -> Box<dyn Write + Send> {
    Box::new(WrappedWriter { stream, wrapper })
}

struct WrappedWriter {
    stream: Box<dyn Write + Send>,
    wrapper: WriteWrapper,
}

impl Write for WrappedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = Ok(0);
        (self.wrapper)(&mut || written = self.stream.write(bytes));
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn duplicate(stream: &impl AsFd) -> io::Result<Box<dyn Write + Send>> {
    let file = File::from(stream.as_fd().try_clone_to_owned()?);
    Ok(Box::new(Descriptor { is_terminal: file.is_terminal(), file }))
}

/// A descriptor that is waited for where it does not block.
///
/// Whether a terminal or a pipe blocks belongs to all programs that have it open, and some of them switch it: a write
/// then fails with `EAGAIN` in the middle of a large output.
struct Descriptor {
    file: File,
    is_terminal: bool,
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None)?;
                }
                // A terminal that was closed has no reader any more, as a pipe has not.
                Err(error) if self.is_terminal && error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    #[test]
    fn a_descriptor_that_does_not_block_is_waited_for() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut descriptor = Descriptor { file: File::from(OwnedFd::from(near)), is_terminal: false };
        let writer = thread::spawn(move || descriptor.write_all(&vec![7; 1 << 20]).unwrap());
        let mut read = Vec::new();
        far.read_to_end(&mut read).unwrap();
        writer.join().unwrap();
        assert!(read == vec![7; 1 << 20]);
    }
}
