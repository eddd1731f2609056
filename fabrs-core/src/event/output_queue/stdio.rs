//! The stdout and stderr of the process, without the buffer and the lock of std.

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

/// A function that performs a write by calling its argument.
pub(super) type WriteWrapper = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Returns a stream that performs each write within `wrapper`.
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

/// A file descriptor with writes that poll after `EAGAIN`.
///
/// The nonblocking flag of a terminal or a pipe is shared by all programs with the same open file,
/// and some programs set the flag. A write then fails with `EAGAIN` in the middle of a large
/// output.
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
                // A closed terminal has no reader, like a closed pipe.
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
    fn a_nonblocking_descriptor_is_polled() {
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
