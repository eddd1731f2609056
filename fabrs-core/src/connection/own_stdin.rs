//! This program's own standard input, read only while a command wants it.

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

/// How much is read at a time.
const PIECE: usize = 64 << 10;

/// Whether a command reads it: several would each get a part.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Has a thread read the standard input for as long as anybody takes it; a few pieces are read ahead, and the
/// rest is left to who comes next.
///
/// It is not made non-blocking, since it is shared with the shell that started this program: it is read when there is
/// something to read, or its end.
pub(super) fn pieces(room: usize, run: &RunState) -> Result<mpsc::Receiver<io::Result<Bytes>>> {
    if TAKEN.swap(true, Ordering::AcqRel) {
        let error = Error::new(ErrorKind::Usage, "another command reads this program's input, which is for one alone");
        return Err(error.hint("`--serial` takes one host after the other"));
    }
    read_by_thread(room, run).map_err(|source| {
        TAKEN.store(false, Ordering::Release);
        Error::new(ErrorKind::Local, "could not read the input of this program").caused_by(source)
    })
}

fn read_by_thread(room: usize, run: &RunState) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let own = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (over, is_wanted) = rustix::pipe::pipe()?;
    let (sender, pieces) = mpsc::channel(room);
    let (reads, ended) = oneshot::channel::<()>();
    let taken = sender.clone();
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        read(own, &over, &sender);
        TAKEN.store(false, Ordering::Release);
        drop(reads);
    })?;
    run.tasks().spawn(async move {
        tokio::select! {
            () = taken.closed() => {}
            _ = ended => {}
        }
        // The thread wakes up at the end of this pipe.
        drop(is_wanted);
    });
    Ok(pieces)
}

fn read(mut own: File, over: &OwnedFd, to: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let mut ready = [PollFd::new(&own, PollFlags::IN), PollFd::new(over, PollFlags::IN)];
        let polled = poll(&mut ready, None);
        let [has_something, is_over] = ready.map(|fd| !fd.revents().is_empty());
        match polled {
            Err(rustix::io::Errno::INTR) => continue,
            // It may have been read by then.
            Ok(_) if has_something && !is_over && wait_for_open_prompts() => continue,
            Ok(_) if has_something && !is_over => {}
            _ => return,
        }
        match own.read(&mut buffer) {
            Ok(read @ 1..) => {
                let piece = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                if to.blocking_send(Ok(piece)).is_err() {
                    return;
                }
            }
            Ok(_) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                // Whoever does not take it any more needs no reason.
                let _ = to.blocking_send(Err(error));
                return;
            }
        }
    }
}
