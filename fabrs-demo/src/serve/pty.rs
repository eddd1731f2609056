//! Pseudo-terminals.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The master side of a pseudo-terminal.
#[derive(Debug)]
pub(super) struct ServerPty {
    master: AsyncFd<OwnedFd>,
    name: String,
}

impl ServerPty {
    /// Opens a pseudo-terminal.
    pub(super) fn open() -> io::Result<Self> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?.to_string_lossy().into_owned();
        rustix::fs::fcntl_setfl(&master, rustix::fs::fcntl_getfl(&master)? | OFlags::NONBLOCK)?;
        #[expect(deprecated, reason = "the replacement is `unsafe`, and this descriptor is owned and never replaced")]
        let master = AsyncFd::new(master)?;
        Ok(Self { master, name })
    }

    /// Returns the path of the terminal, `/dev/pts/N`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Opens the terminal for a command, and makes the user `uid` its owner.
    pub(super) fn open_terminal(&self, uid: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = File::from(rustix::fs::open(self.name.as_str(), flags, Mode::empty())?);
        if uid != rustix::process::geteuid().as_raw() {
            std::os::unix::fs::fchown(&terminal, Some(uid), None)?;
        }
        Ok(terminal)
    }

    /// Sets the size in characters.
    pub(super) fn resize(&self, columns: u32, rows: u32) -> io::Result<()> {
        let cut = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        let size = Winsize { ws_row: cut(rows), ws_col: cut(columns), ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(self.master.as_fd(), size)?)
    }

    /// Waits for output. Returns `None` after all processes have closed the terminal.
    pub(super) async fn read(&self, max_len: usize) -> Option<Bytes> {
        let mut buffer = vec![0; max_len];
        let read = self.master.async_io(Interest::READABLE, |master| Ok(rustix::io::read(master, &mut buffer)?)).await;
        to_bytes(read, &buffer)
    }

    /// Returns output without waiting, or `None` if there is none.
    pub(super) fn try_read(&self, max_len: usize) -> Option<Bytes> {
        let mut buffer = vec![0; max_len];
        let read = rustix::io::read(self.master.as_fd(), &mut buffer).map_err(io::Error::from);
        to_bytes(read, &buffer)
    }

    /// Writes input.
    pub(super) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count =
                self.master.async_io(Interest::WRITABLE, |master| Ok(rustix::io::write(master, bytes)?)).await?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Converts a read. The read fails with `EIO` after all processes have closed the terminal.
fn to_bytes(read: io::Result<usize>, buffer: &[u8]) -> Option<Bytes> {
    let count = read.ok().filter(|count| *count > 0)?;
    Some(Bytes::copy_from_slice(buffer.get(..count)?))
}
