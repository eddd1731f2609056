//! How far transfers have come, as bars at the foot of a terminal.
//!
//! They are drawn by a thread of their own, so that a terminal which takes nothing keeps nobody else waiting.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fabrs_core::event::{Event, Granularity, Prefix, Sink, Style};
use futures::future::{BoxFuture, FutureExt};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::Notify;

use super::terminal::Terminal;
use super::transfers::{Amount, Transfers};

/// What a bar says, and where there is little room.
const WIDE: &str = "{prefix}{wide_msg} {bar:20} {percent:>3} % {binary_bytes_per_sec:>12} {eta:>4} left";
const NARROW: &str = "{prefix}{wide_msg} {percent:>3} % {eta:>4} left";
/// From how many columns on there is room.
const ROOM: u16 = 90;
/// How often they are drawn.
const EVERY: Duration = Duration::from_millis(100);

/// A bar for each host to which something is on its way, or from it, and one for all of them.
pub(super) struct Bars {
    shared: Arc<Shared>,
    drawer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    foot: Foot,
    style: Style,
    state: Mutex<State>,
    news: Condvar,
    cleared: Notify,
}

#[derive(Default)]
struct State {
    transfers: Transfers,
    /// How often they are held: then none is drawn.
    held: usize,
    is_over: bool,
    is_drawn: bool,
}

/// The foot of the terminal, where bars are drawn.
#[derive(Clone)]
pub(super) struct Foot {
    multi: MultiProgress,
    /// Whether any bar is there.
    is_used: Arc<AtomicBool>,
}

impl Foot {
    pub(super) fn new() -> Self {
        let target = ProgressDrawTarget::term_like(Box::new(Terminal::default()));
        Self { multi: MultiProgress::with_draw_target(target), is_used: Arc::default() }
    }

    /// Takes the bars away while something is written above them.
    pub(super) fn around(&self, write: &mut dyn FnMut()) {
        if self.is_used.load(Ordering::Acquire) { self.multi.suspend(write) } else { write() }
    }
}

impl Bars {
    pub(super) fn new(foot: Foot, style: Style) -> Self {
        let (state, news, cleared) = (Mutex::default(), Condvar::new(), Notify::new());
        Self { shared: Arc::new(Shared { foot, style, state, news, cleared }), drawer: Mutex::default() }
    }

    /// Has the thread begin when there is something to draw.
    fn start(&self) {
        let mut drawer = self.drawer.lock().unwrap_or_else(PoisonError::into_inner);
        if drawer.is_none() {
            let shared = Arc::clone(&self.shared);
            // A process that may have no more threads shows no bars.
            *drawer = thread::Builder::new().name("fabrs-bars".to_owned()).spawn(move || shared.draw()).ok();
        }
    }
}

impl Sink for Bars {
    fn event(&self, event: &Event<'_>) {
        if !matches!(event, Event::Progress { .. }) {
            return;
        }
        self.shared.state().transfers.note(event);
        self.start();
        self.shared.news.notify_one();
    }

    fn granularity(&self) -> Granularity {
        Granularity { lines: false, bytes: false }
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.shared.cleared().boxed()
    }

    fn hold(&self) {
        self.shared.state().held += 1;
        self.shared.news.notify_one();
    }

    fn release(&self) {
        let mut state = self.shared.state();
        state.held = state.held.saturating_sub(1);
        self.shared.news.notify_one();
    }

    fn finish(&self) {
        self.shared.state().is_over = true;
        self.shared.news.notify_one();
        let drawer = self.drawer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(drawer) = drawer {
            // One that panicked has said so.
            drop(drawer.join());
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until held bars are erased. Returns at once if the bars are not held.
    async fn cleared(&self) {
        loop {
            let mut cleared = pin!(self.cleared.notified());
            cleared.as_mut().enable();
            let is_drawn = {
                let state = self.state();
                state.held > 0 && state.is_drawn
            };
            if !is_drawn {
                return;
            }
            cleared.await;
        }
    }

    /// Draws until it is over: the life of the thread.
    fn draw(&self) {
        let mut bars = Drawn::default();
        loop {
            let mut state = self.state();
            let is_shown = state.held == 0 && !state.is_over;
            let wanted = if is_shown { self.wanted(&state.transfers) } else { Vec::new() };
            let is_over = state.is_over;
            // Set before they are drawn: a hold in between has to wait for the next turn.
            state.is_drawn |= !wanted.is_empty();
            drop(state);
            bars.show(&self.foot, wanted);
            let mut state = self.state();
            state.is_drawn = !bars.0.is_empty();
            if !state.is_drawn {
                self.cleared.notify_waiters();
            }
            if is_over {
                return;
            }
            if state.is_drawn {
                // At most so often, whatever comes meanwhile; a hold waits no longer than that.
                drop(self.news.wait_timeout_while(state, EVERY, |state| state.held == 0 && !state.is_over));
            } else {
                drop(self.news.wait(state));
            }
        }
    }

    /// Returns the bars that are to be there, in their order: what stands before each, what it is about, and how far that has come.
    fn wanted(&self, transfers: &Transfers) -> Vec<(String, String, Amount)> {
        let of_host =
            |host| transfers.of(host).map(|(what, amount)| (Prefix::Host.of(Some(host), self.style), what, amount));
        let hosts = transfers.hosts().into_iter().filter_map(of_host);
        let all = transfers.of_all().map(|(count, amount)| (String::new(), format!("{count} hosts"), amount));
        hosts.chain(all).collect()
    }
}

/// The bars that are there, by what stands before them.
#[derive(Default)]
struct Drawn(BTreeMap<String, ProgressBar>);

impl Drawn {
    fn show(&mut self, foot: &Foot, wanted: Vec<(String, String, Amount)>) {
        let is_wanted = |prefix: &String| wanted.iter().any(|(wanted, ..)| wanted == prefix);
        if !self.0.keys().all(is_wanted) {
            // All lines first: what stays is drawn again.
            let _ = foot.multi.clear();
            self.0.retain(|prefix, bar| {
                if !is_wanted(prefix) {
                    foot.multi.remove(bar);
                }
                is_wanted(prefix)
            });
        }
        for (place, (prefix, what, Amount { done, total })) in wanted.into_iter().enumerate() {
            let is_new = !self.0.contains_key(&prefix);
            let bar = self.0.entry(prefix).or_insert_with_key(|prefix| {
                foot.is_used.store(true, Ordering::Release);
                foot.multi.insert(place, ProgressBar::new(total).with_style(style()).with_prefix(prefix.clone()))
            });
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(what);
            if is_new {
                // What had gone before is no part of its speed.
                bar.reset_eta();
            }
        }
        foot.is_used.store(!self.0.is_empty(), Ordering::Release);
    }
}

fn style() -> ProgressStyle {
    let template = if Terminal::columns() < ROOM { NARROW } else { WIDE };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bars").field("style", &self.shared.style).finish_non_exhaustive()
    }
}
