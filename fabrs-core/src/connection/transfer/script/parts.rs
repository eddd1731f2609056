//! A large file in parts, over several channels at once: a server lets each have only so much on its way in a round trip.
//!
//! Every channel is that of a script which writes parts into the file that one of them has made. There may be fewer than
//! are wanted, down to that one, where a server has no room for more; and what one of them could not carry another does.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::blocking;
use super::super::gauge::Gauge;
use super::super::job::FileJob;
use super::super::place::Place;
use super::broken::{Broken, Over};
use super::talk::Talk;
use super::{Script, Undone, text};
use crate::error::Result;
use crate::transport::Effect;

/// How many scripts carry parts of one file, with the first.
const CARRIERS: usize = 6;
/// The block that all parts begin at.
pub(super) const BLOCK: u64 = 1 << 20;
/// The longest part: each is acknowledged, for which its channel waits a round trip.
const LONGEST: u64 = 32 * BLOCK;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    start: u64,
    length: u64,
}

impl Part {
    /// Returns the line that announces it: from which block on, how many blocks, how many bytes behind them.
    fn line(self) -> String {
        format!("{} {} {}\n", self.start / BLOCK, self.length / BLOCK, self.length % BLOCK)
    }
}

/// Returns the parts that are to be carried of a file: without the blocks that are `kept`, and about as many for each carrier.
fn wanted(size: u64, kept: &[bool]) -> VecDeque<Part> {
    let is_kept = |start: u64| {
        let number = usize::try_from(start / BLOCK).unwrap_or(usize::MAX);
        kept.get(number).copied().unwrap_or(false)
    };
    let blocks = (0..size).step_by(usize::try_from(BLOCK).unwrap_or(usize::MAX)).filter(|start| !is_kept(*start));
    let left = blocks.clone().count() as u64 * BLOCK;
    let each = (left / CARRIERS as u64).next_multiple_of(BLOCK).clamp(BLOCK, LONGEST);
    let mut parts: VecDeque<Part> = VecDeque::new();
    for start in blocks {
        let length = BLOCK.min(size - start);
        match parts.back_mut() {
            Some(last) if last.start + last.length == start && last.length < each => last.length += length,
            _ => parts.push_back(Part { start, length }),
        }
    }
    parts
}

/// The parts of a file that are still to be carried, or are on their way.
#[derive(Debug)]
struct Parts<'a> {
    file: FileJob<'a>,
    gauge: Arc<Gauge>,
    left: Mutex<Left>,
    /// Told when a part has arrived, or has come back.
    news: Notify,
    /// Raised when no more are to be carried.
    over: CancellationToken,
}

#[derive(Debug)]
struct Left {
    waiting: VecDeque<Part>,
    on_their_way: usize,
}

/// Carries a file in parts, by the script of `talk` and others beside it, which work in its `folder`.
///
/// Of the blocks that are `kept` there already nothing is carried.
pub(super) async fn carry(
    place: &Place,
    file: FileJob<'_>,
    folder: &str,
    talk: &mut Talk,
    kept: &[bool],
) -> Result<(), Broken> {
    let waiting = wanted(file.stamp.size, kept);
    let size = waiting.iter().map(|part| part.length).sum();
    let parts = Parts::new(file, waiting, Gauge::new(place, &file.job.what(place), size));
    let helpers = (1..CARRIERS.min(parts.counts().0)).map(|_| help(place, folder, &parts));
    let mut helpers: FuturesUnordered<_> = helpers.collect();
    let mut first = pin!(parts.carry_all(talk));
    let carried = loop {
        tokio::select! {
            carried = &mut first => break carried,
            Some(()) = helpers.next() => {}
        }
    };
    parts.over.cancel();
    while helpers.next().await.is_some() {}
    carried?;
    let (content, before) = (file.content.clone(), file.stamp.clone());
    blocking(move || if content.stamp()? == before { Ok(()) } else { Err(content.changed()) }).await?;
    Ok(())
}

/// Carries parts by a script of its own; where it can't, others do.
async fn help(place: &Place, folder: &str, parts: &Parts<'_>) {
    let what = format!("{} (a part)", parts.file.job.what(place));
    let script = Script { place, effect: Effect::Changes, what: &what };
    let Ok((mut talk, command)) = script.talk(text::help(folder), folder) else { return };
    let carry = async {
        talk.begin().await?;
        talk.noise().await?;
        while let Some(part) = parts.take() {
            parts.carry(part, &mut talk).await?;
        }
        talk.hush();
        Ok::<_, Broken>(())
    };
    let carried = async {
        let (_, _): (Result<_, Undone>, _) = tokio::join!(script.run(command), carry);
    };
    tokio::select! {
        // One that has not begun when all is done is not needed any more.
        () = parts.over.cancelled() => {}
        () = carried => {}
    }
}

impl<'a> Parts<'a> {
    fn new(file: FileJob<'a>, waiting: VecDeque<Part>, gauge: Arc<Gauge>) -> Self {
        let left = Mutex::new(Left { waiting, on_their_way: 0 });
        Self { file, gauge, left, news: Notify::new(), over: CancellationToken::new() }
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many wait, and how many are on their way.
    fn counts(&self) -> (usize, usize) {
        let left = self.left();
        (left.waiting.len(), left.on_their_way)
    }

    /// Takes the next part to carry it.
    fn take(&self) -> Option<Taken<'_, 'a>> {
        let mut left = self.left();
        let part = left.waiting.pop_front()?;
        left.on_their_way += 1;
        Some(Taken { parts: self, part, has_arrived: false })
    }

    /// Carries parts until all have arrived, whoever carried them.
    async fn carry_all(&self, talk: &mut Talk) -> Result<(), Broken> {
        loop {
            while let Some(part) = self.take() {
                self.carry(part, talk).await?;
            }
            let news = self.news.notified();
            match self.counts() {
                (0, 0) => return Ok(()),
                (0, _) => news.await,
                _ => {}
            }
        }
    }

    async fn carry(&self, mut taken: Taken<'_, '_>, talk: &mut Talk) -> Result<(), Broken> {
        let Part { start, length } = taken.part;
        talk.say(taken.part.line().into()).await?;
        let (content, to) = (self.file.content.clone(), talk.sender().ok_or(Over)?);
        let gauge = Arc::clone(&self.gauge);
        blocking(move || content.send_part(start, length, &to, &gauge)).await?;
        if talk.record().await? != text::PART.as_bytes() {
            return Err(Broken::Over);
        }
        taken.has_arrived = true;
        Ok(())
    }
}

/// A part on its way; dropped, it has arrived or waits for another carrier.
struct Taken<'p, 'a> {
    parts: &'p Parts<'a>,
    part: Part,
    has_arrived: bool,
}

impl Drop for Taken<'_, '_> {
    fn drop(&mut self) {
        let mut left = self.parts.left();
        left.on_their_way -= 1;
        if !self.has_arrived {
            left.waiting.push_back(self.part);
        }
        drop(left);
        self.parts.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(size: u64, kept: &[u64], expected: &[(u64, u64)]) {
        let kept: Vec<_> = (0..size.div_ceil(BLOCK)).map(|number| kept.contains(&number)).collect();
        let parts: Vec<_> = wanted(size, &kept).into_iter().map(|part| (part.start, part.length)).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn what_is_kept_is_in_no_part() {
        const MIB: u64 = BLOCK;
        let of_two = [(0, 2 * MIB), (2 * MIB, 2 * MIB), (4 * MIB, 2 * MIB), (6 * MIB, 2 * MIB), (8 * MIB, 2 * MIB)];
        case(10 * MIB, &[], &of_two);
        case(3 * MIB + 7, &[0, 2], &[(MIB, MIB), (3 * MIB, 7)]);
        case(2 * MIB, &[0, 1], &[]);
        case(0, &[], &[]);
    }
}
