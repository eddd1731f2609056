//! The pieces of a file that some of its hosts have had and others have not.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use bytes::Bytes;

/// Which host, and which of its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) host: u64,
    pub(super) channel: u64,
}

/// Keeps a few pieces, and knows how far everybody is.
#[derive(Debug)]
pub(super) struct Window {
    room: usize,
    pieces: BTreeMap<u64, Bytes>,
    hosts: HashMap<u64, Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Of each piece whether the host has had it.
    had: Vec<bool>,
    /// Which piece each of its channels wants next.
    next: HashMap<u64, u64>,
}

impl Progress {
    fn has_had(&self, number: u64) -> bool {
        usize::try_from(number).ok().and_then(|number| self.had.get(number)).copied().unwrap_or_default()
    }

    fn note(&mut self, numbers: Range<u64>, has_had: bool) {
        for number in numbers.filter_map(|number| usize::try_from(number).ok()) {
            if self.had.len() <= number {
                self.had.resize(number + 1, false);
            }
            if let Some(had) = self.had.get_mut(number) {
                *had = has_had;
            }
        }
    }
}

impl Window {
    /// Makes one that has room for so many pieces.
    pub(super) fn new(room: usize) -> Self {
        Self { room, pieces: BTreeMap::new(), hosts: HashMap::new() }
    }

    pub(super) fn enter(&mut self, host: u64) {
        self.hosts.entry(host).or_default();
    }

    pub(super) fn leave(&mut self, host: u64) {
        self.hosts.remove(&host);
        if self.is_of_one() {
            // Who is alone reads past them.
            self.pieces.clear();
        }
        self.drop_unwanted();
    }

    /// Tells whether there is nobody to share with.
    pub(super) fn is_of_one(&self) -> bool {
        self.hosts.len() < 2
    }

    /// Notes that a channel is going to want these pieces.
    pub(super) fn begin(&mut self, lane: Lane, numbers: Range<u64>) {
        let host = self.hosts.entry(lane.host).or_default();
        host.next.insert(lane.channel, numbers.start);
        host.note(numbers, false);
    }

    /// Notes that it wants no more.
    pub(super) fn end(&mut self, lane: Lane) {
        if let Some(host) = self.hosts.get_mut(&lane.host) {
            host.next.remove(&lane.channel);
        }
    }

    /// Takes a piece that is kept.
    pub(super) fn take(&mut self, lane: Lane, number: u64) -> Option<Bytes> {
        let piece = self.pieces.get(&number).cloned()?;
        self.has_had(lane, number);
        if !self.is_wanted(number) {
            self.pieces.remove(&number);
        }
        Some(piece)
    }

    /// Gives in a piece that a channel has read for itself, as long as others want it.
    pub(super) fn give(&mut self, lane: Lane, number: u64, piece: &Bytes) {
        self.has_had(lane, number);
        if self.is_wanted(number) && self.pieces.len() < self.room {
            self.pieces.insert(number, piece.clone());
        }
    }

    /// Makes room for one more piece, and tells whether there is any.
    ///
    /// What nobody wants soon is given up. Where somebody wants each soon there is no room for who `can_wait`; for others
    /// that one is given up which is wanted last.
    pub(super) fn make_room(&mut self, can_wait: bool) -> bool {
        if self.pieces.len() < self.room {
            return true;
        }
        let unwanted = self.pieces.keys().rev().copied().find(|number| !self.is_wanted_soon(*number));
        let last = || self.pieces.keys().copied().max_by_key(|number| self.distance(*number));
        match unwanted.or_else(|| if can_wait { None } else { last() }) {
            Some(number) => self.pieces.remove(&number).is_some(),
            None => false,
        }
    }

    /// Returns how many pieces are kept.
    pub(super) fn kept(&self) -> usize {
        self.pieces.len()
    }

    fn has_had(&mut self, lane: Lane, number: u64) {
        if let Some(host) = self.hosts.get_mut(&lane.host) {
            host.note(number..number + 1, true);
            host.next.insert(lane.channel, number + 1);
        }
    }

    fn is_wanted(&self, number: u64) -> bool {
        self.hosts.values().any(|host| !host.has_had(number))
    }

    /// Tells whether somebody who wants this piece wants few before.
    fn is_wanted_soon(&self, number: u64) -> bool {
        self.distances(number).any(|distance| distance < self.room as u64)
    }

    /// Returns how many pieces whoever wants this one, and is next to it, wants before.
    fn distance(&self, number: u64) -> Option<u64> {
        self.distances(number).min()
    }

    fn distances(&self, number: u64) -> impl Iterator<Item = u64> {
        let wanting = self.hosts.values().filter(move |host| !host.has_had(number));
        wanting.flat_map(|host| host.next.values()).filter_map(move |next| number.checked_sub(*next))
    }

    fn drop_unwanted(&mut self) {
        let unwanted: Vec<_> = self.pieces.keys().copied().filter(|number| !self.is_wanted(*number)).collect();
        for number in unwanted {
            self.pieces.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Lane = Lane { host: 1, channel: 0 };
    const OTHER: Lane = Lane { host: 2, channel: 0 };

    fn window(room: usize) -> Window {
        let mut window = Window::new(room);
        for lane in [ONE, OTHER] {
            window.enter(lane.host);
            window.begin(lane, 0..100);
        }
        window
    }

    fn read(window: &mut Window, lane: Lane, numbers: Range<u64>) {
        for number in numbers {
            assert_eq!(window.take(lane, number), None, "{number}");
            window.give(lane, number, &Bytes::from(vec![u8::try_from(number).unwrap()]));
        }
    }

    #[test]
    fn a_block_is_kept_until_everybody_has_had_it() {
        let mut window = window(4);
        read(&mut window, ONE, 0..2);
        assert_eq!(window.take(OTHER, 0).as_deref(), Some(&[0][..]));
        assert_eq!(window.pieces.keys().collect::<Vec<_>>(), [&1]);
        window.leave(OTHER.host);
        assert!(window.pieces.is_empty() && window.is_of_one());
    }

    #[test]
    fn who_is_ahead_waits_for_who_is_near_and_gives_up_what_is_wanted_last() {
        let mut window = window(4);
        read(&mut window, ONE, 0..4);
        assert!(!window.make_room(true));
        assert!(window.make_room(false));
        assert_eq!(window.pieces.keys().collect::<Vec<_>>(), [&0, &1, &2]);
        assert!(window.make_room(true), "there is some");
    }

    #[test]
    fn nobody_waits_for_who_is_far_behind_or_not_there_yet() {
        let mut window = window(4);
        window.end(OTHER);
        read(&mut window, ONE, 0..4);
        assert!(window.make_room(true), "who wants no more as yet");
        window.begin(OTHER, 0..100);
        window.begin(ONE, 50..100);
        read(&mut window, ONE, 50..51);
        assert!(window.make_room(true), "who is far behind");
        assert_eq!(window.pieces.keys().collect::<Vec<_>>(), [&0, &1, &2]);
    }

    #[test]
    fn what_is_read_once_more_is_wanted_once_more() {
        let mut window = window(4);
        read(&mut window, ONE, 0..1);
        assert!(window.take(OTHER, 0).is_some());
        window.begin(ONE, 0..100);
        read(&mut window, OTHER, 0..1);
        assert!(window.take(ONE, 0).is_some());
    }
}
