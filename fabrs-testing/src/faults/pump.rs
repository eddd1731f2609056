//! Threads of one direction: a reader, and a writer that applies the faults.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::state::{Cut, Direction, ProxiedConnection, SharedState};

/// The number of reads queued in one direction. During a delay, a connection holds at most this
/// much data.
const MAX_QUEUED_READS: usize = 256;
/// The timeout of a blocked write, after which the thread checks for a cut.
const WRITE_TIMEOUT: Duration = Duration::from_millis(20);

/// Data and its arrival time.
type TimedChunk = (Instant, Vec<u8>);

/// Starts the two threads of one direction.
pub(super) fn start(
    shared: &Arc<SharedState>,
    connection: &Arc<ProxiedConnection>,
    direction: Direction,
) -> [JoinHandle<()>; 2] {
    let (sender, receiver) = sync_channel(MAX_QUEUED_READS);
    let (_, to) = ends(connection, direction);
    // Both calls fail only on a closed socket. The first read or write reports the error.
    let _ = to.set_nodelay(true).and_then(|()| to.set_write_timeout(Some(WRITE_TIMEOUT)));
    let reading = (Arc::clone(shared), Arc::clone(connection));
    let writing = (Arc::clone(shared), Arc::clone(connection));
    [
        thread::spawn(move || read(&reading.0, &reading.1, direction, &sender)),
        thread::spawn(move || write(&writing.0, &writing.1, direction, receiver)),
    ]
}

fn ends(connection: &ProxiedConnection, direction: Direction) -> (&TcpStream, &TcpStream) {
    match direction {
        Direction::ToServer => (&connection.client, &connection.server),
        Direction::ToClient => (&connection.server, &connection.client),
    }
}

fn read(shared: &SharedState, connection: &ProxiedConnection, direction: Direction, chunks: &SyncSender<TimedChunk>) {
    let (mut from, _) = ends(connection, direction);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                shared.update(|state| state.record_read(direction));
                if chunks.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A reset on one side is passed to the other side.
            Err(_) => return connection.cut(Cut::Reset),
        }
    }
}

fn write(shared: &SharedState, connection: &ProxiedConnection, direction: Direction, chunks: Receiver<TimedChunk>) {
    let mut passed = 0;
    for (arrived, bytes) in chunks {
        if !wait_until_due(shared, connection, direction, arrived) {
            return;
        }
        // The number of bytes before the cut, if the cut applies to this connection.
        let (limit, chunk) = {
            let mut state = shared.lock();
            let chunk = state.chunk.unwrap_or(usize::MAX);
            let direction_state = state.direction(direction);
            let limit = direction_state.cut_after.filter(|(limit, _)| passed + bytes.len() as u64 >= *limit);
            if limit.is_some() {
                direction_state.cut_after = None;
            }
            (limit, chunk)
        };
        let allowed = limit
            .map_or(bytes.len(), |(limit, _)| usize::try_from(limit.saturating_sub(passed)).unwrap_or(bytes.len()));
        for chunk in bytes[..allowed].chunks(chunk) {
            // The bytes are counted before the write, because a test that has received them expects
            // the new count.
            shared.update(|state| state.direction(direction).traffic.bytes += chunk.len() as u64);
            if write_chunk(connection, direction, chunk).is_err() {
                return connection.cut(Cut::Reset);
            }
            passed += chunk.len() as u64;
        }
        if let Some((_, cut)) = limit {
            return connection.cut(cut);
        }
    }
    // The sender has closed its side, and all its data is sent.
    if !connection.is_cut() {
        let _ = ends(connection, direction).1.shutdown(Shutdown::Write);
    }
}

/// Waits for the delay and the end of a stall. Returns `false` if the connection was cut.
fn wait_until_due(
    shared: &SharedState,
    connection: &ProxiedConnection,
    direction: Direction,
    arrived: Instant,
) -> bool {
    let mut state = shared.lock();
    loop {
        if connection.is_cut() || state.closing {
            return false;
        }
        let left = (arrived + state.direction(direction).delay).saturating_duration_since(Instant::now());
        if state.stalled {
            state = shared.wait(state, None);
        } else if left.is_zero() {
            return true;
        } else {
            state = shared.wait(state, Some(left));
        }
    }
}

/// Writes all data, without a time limit. Returns an error if the connection is cut.
fn write_chunk(connection: &ProxiedConnection, direction: Direction, mut chunk: &[u8]) -> io::Result<()> {
    let (_, mut to) = ends(connection, direction);
    while !chunk.is_empty() {
        if connection.is_cut() {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        match to.write(chunk) {
            Ok(count) => chunk = &chunk[count..],
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
