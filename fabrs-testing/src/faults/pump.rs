//! Threads of one direction: a reader, and a writer that applies the faults.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::state::{Cut, Direction, Link, Shared};

/// The number of reads queued in one direction. A delayed connection holds this much data.
const QUEUE: usize = 256;
/// The timeout of a blocked write, after which the thread checks for a cut.
const WRITE_PATIENCE: Duration = Duration::from_millis(20);

/// Data and its arrival time.
type Parcel = (Instant, Vec<u8>);

/// Starts the two threads of one direction.
pub(super) fn start(shared: &Arc<Shared>, link: &Arc<Link>, direction: Direction) -> [JoinHandle<()>; 2] {
    let (sender, receiver) = sync_channel(QUEUE);
    let (_, to) = ends(link, direction);
    // Both calls fail only on a closed socket. The first read or write reports the error.
    let _gone = to.set_nodelay(true).and_then(|()| to.set_write_timeout(Some(WRITE_PATIENCE)));
    let reading = (Arc::clone(shared), Arc::clone(link));
    let writing = (Arc::clone(shared), Arc::clone(link));
    [
        thread::spawn(move || read(&reading.0, &reading.1, direction, &sender)),
        thread::spawn(move || write(&writing.0, &writing.1, direction, receiver)),
    ]
}

fn ends(link: &Link, direction: Direction) -> (&TcpStream, &TcpStream) {
    match direction {
        Direction::ToServer => (&link.client, &link.server),
        Direction::ToClient => (&link.server, &link.client),
    }
}

fn read(shared: &Shared, link: &Link, direction: Direction, parcels: &SyncSender<Parcel>) {
    let (mut from, _) = ends(link, direction);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                shared.change(|state| state.arrived(direction));
                if parcels.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A reset on one side is passed to the other side.
            Err(_) => return link.cut(Cut::Reset),
        }
    }
}

fn write(shared: &Shared, link: &Link, direction: Direction, parcels: Receiver<Parcel>) {
    let mut passed = 0;
    for (arrived, bytes) in parcels {
        if !wait_until_due(shared, link, direction, arrived) {
            return;
        }
        // The number of bytes before the cut, if the cut applies to this connection.
        let (limit, chunk) = {
            let mut state = shared.look();
            let chunk = state.chunk.unwrap_or(usize::MAX);
            let way = state.way(direction);
            let limit = way.cut_after.filter(|(limit, _)| passed + bytes.len() as u64 >= *limit);
            if limit.is_some() {
                way.cut_after = None;
            }
            (limit, chunk)
        };
        let allowed = limit
            .map_or(bytes.len(), |(limit, _)| usize::try_from(limit.saturating_sub(passed)).unwrap_or(bytes.len()));
        for piece in bytes[..allowed].chunks(chunk) {
            // Counted before the write: a reader of the bytes must see them in the count.
            shared.change(|state| state.way(direction).traffic.bytes += piece.len() as u64);
            if write_piece(link, direction, piece).is_err() {
                return link.cut(Cut::Reset);
            }
            passed += piece.len() as u64;
        }
        if let Some((_, how)) = limit {
            return link.cut(how);
        }
    }
    // The sender has closed its side, and all its data is sent.
    if !link.is_cut() {
        let _gone = ends(link, direction).1.shutdown(Shutdown::Write);
    }
}

/// Waits for the delay and the end of a stall. Returns `false` if the connection was cut.
fn wait_until_due(shared: &Shared, link: &Link, direction: Direction, arrived: Instant) -> bool {
    let mut state = shared.look();
    loop {
        if link.is_cut() || state.closing {
            return false;
        }
        let left = (arrived + state.way(direction).delay).saturating_duration_since(Instant::now());
        if state.stalled {
            state = shared.wait(state, None);
        } else if left.is_zero() {
            return true;
        } else {
            state = shared.wait(state, Some(left));
        }
    }
}

/// Writes all data, without a time limit. Fails if the connection is cut.
fn write_piece(link: &Link, direction: Direction, mut piece: &[u8]) -> io::Result<()> {
    let (_, mut to) = ends(link, direction);
    while !piece.is_empty() {
        if link.is_cut() {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        match to.write(piece) {
            Ok(count) => piece = &piece[count..],
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
