//! The stdin of this program. A thread reads the stdin while a command needs the input.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, ErrorKind, Result};
use crate::state::RunState;
use crate::transport::wait_for_open_prompts;

/// The maximum number of bytes of a read.
const READ_CHUNK_SIZE: usize = 64 << 10;

/// True if a command reads the stdin. Two readers would each receive a part of the input.
static IS_IN_USE: AtomicBool = AtomicBool::new(false);

/// Starts a thread to read the stdin until the receiver is dropped. At most `capacity` chunks are
/// read ahead. The rest stays for the next reader.
///
/// The descriptor stays in blocking mode, since the parent shell shares the descriptor. The thread
/// therefore polls, and reads only if input or the end of file is available.
pub(super) fn read_chunks(capacity: usize, run: &RunState) -> Result<mpsc::Receiver<io::Result<Bytes>>> {
    if IS_IN_USE.swap(true, Ordering::AcqRel) {
        let error = Error::new(ErrorKind::Usage, "the stdin of this program is in use by another command");
        return Err(error.hint("use `--serial` to run the hosts one after the other"));
    }
    spawn_reader(capacity, run).map_err(|source| {
        IS_IN_USE.store(false, Ordering::Release);
        Error::new(ErrorKind::Local, "could not read the stdin of this program").caused_by(source)
    })
}

fn spawn_reader(capacity: usize, run: &RunState) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (cancelled, cancel) = rustix::pipe::pipe()?;
    let (sender, chunks) = mpsc::channel(capacity);
    let (running, ended) = oneshot::channel::<()>();
    let receiver_closed = sender.clone();
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        read(stdin, &cancelled, &sender);
        IS_IN_USE.store(false, Ordering::Release);
        drop(running);
    })?;
    run.tasks().spawn(async move {
        tokio::select! {
            () = receiver_closed.closed() => {}
            _ = ended => {}
        }
        // Closing this pipe wakes the thread.
        drop(cancel);
    });
    Ok(chunks)
}

fn read(mut stdin: File, cancelled: &OwnedFd, chunks: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; READ_CHUNK_SIZE];
    loop {
        let mut ready = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(cancelled, PollFlags::IN)];
        let polled = poll(&mut ready, None);
        let [is_readable, is_cancelled] = ready.map(|fd| !fd.revents().is_empty());
        match polled {
            Err(rustix::io::Errno::INTR) => continue,
            // A prompt may have read the input in the meantime.
            Ok(_) if is_readable && !is_cancelled && wait_for_open_prompts() => continue,
            Ok(_) if is_readable && !is_cancelled => {}
            _ => return,
        }
        match stdin.read(&mut buffer) {
            Ok(read @ 1..) => {
                let chunk = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                if chunks.blocking_send(Ok(chunk)).is_err() {
                    return;
                }
            }
            Ok(_) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                // A dropped receiver no longer needs the error.
                let _ = chunks.blocking_send(Err(error));
                return;
            }
        }
    }
}
