//! How far transfers have come, as bars at the area of a terminal.
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

use super::bar_terminal::BarTerminal;
use super::transfer_progress::{ByteProgress, TransferProgress};

/// What a bar says, and where there is little room.
const WIDE_TEMPLATE: &str = "{prefix}{wide_msg} {bar:20} {percent:>3} % {binary_bytes_per_sec:>12} {eta:>4} left";
const NARROW_TEMPLATE: &str = "{prefix}{wide_msg} {percent:>3} % {eta:>4} left";
/// From how many columns on there is room.
const WIDE_COLUMNS: u16 = 90;
/// How often they are drawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// A bar for each host to which something is on its way, or from it, and one for all of them.
pub(super) struct ProgressBars {
    shared: Arc<BarDrawer>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct BarDrawer {
    area: BarArea,
    style: Style,
    state: Mutex<State>,
    changed: Condvar,
    cleared: Notify,
}

#[derive(Default)]
struct State {
    transfers: TransferProgress,
    /// How often they are held: then none is drawn.
    held: usize,
    is_finished: bool,
    is_drawn: bool,
}

/// The area of the terminal, where bars are drawn.
#[derive(Clone)]
pub(super) struct BarArea {
    multi: MultiProgress,
    /// Whether any bar is there.
    is_used: Arc<AtomicBool>,
}

impl BarArea {
    pub(super) fn new() -> Self {
        let target = ProgressDrawTarget::term_like(Box::new(BarTerminal::default()));
        Self { multi: MultiProgress::with_draw_target(target), is_used: Arc::default() }
    }

    /// Takes the bars away while something is written above them.
    pub(super) fn suspend(&self, write: &mut dyn FnMut()) {
        if self.is_used.load(Ordering::Acquire) { self.multi.suspend(write) } else { write() }
    }
}

impl ProgressBars {
    pub(super) fn new(area: BarArea, style: Style) -> Self {
        let (state, changed, cleared) = (Mutex::default(), Condvar::new(), Notify::new());
        Self { shared: Arc::new(BarDrawer { area, style, state, changed, cleared }), thread: Mutex::default() }
    }

    /// Has the thread begin when there is something to draw.
    fn start(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            // A process that may have no more threads shows no bars.
            *thread = thread::Builder::new().name("fabrs-bars".to_owned()).spawn(move || shared.draw()).ok();
        }
    }
}

impl Sink for ProgressBars {
    fn event(&self, event: &Event<'_>) {
        if !matches!(event, Event::Progress { .. }) {
            return;
        }
        self.shared.state().transfers.record(event);
        self.start();
        self.shared.changed.notify_one();
    }

    fn granularity(&self) -> Granularity {
        Granularity { lines: false, bytes: false }
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.shared.cleared().boxed()
    }

    fn hold(&self) {
        self.shared.state().held += 1;
        self.shared.changed.notify_one();
    }

    fn release(&self) {
        let mut state = self.shared.state();
        state.held = state.held.saturating_sub(1);
        self.shared.changed.notify_one();
    }

    fn finish(&self) {
        self.shared.state().is_finished = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // One that panicked has said so.
            drop(thread.join());
        }
    }
}

impl BarDrawer {
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
        let mut bars = DrawnBars::default();
        loop {
            let mut state = self.state();
            let is_shown = state.held == 0 && !state.is_finished;
            let wanted = if is_shown { self.wanted(&state.transfers) } else { Vec::new() };
            let is_finished = state.is_finished;
            // Set before they are drawn: a hold in between has to wait for the next turn.
            state.is_drawn |= !wanted.is_empty();
            drop(state);
            bars.show(&self.area, wanted);
            let mut state = self.state();
            state.is_drawn = !bars.0.is_empty();
            if !state.is_drawn {
                self.cleared.notify_waiters();
            }
            if is_finished {
                return;
            }
            if state.is_drawn {
                // At most so often, whatever comes meanwhile; a hold waits no longer than that.
                drop(
                    self.changed
                        .wait_timeout_while(state, REDRAW_INTERVAL, |state| state.held == 0 && !state.is_finished),
                );
            } else {
                drop(self.changed.wait(state));
            }
        }
    }

    /// Returns the bars that are to be there, in their order: what stands before each, what it is about, and how far that has come.
    fn wanted(&self, transfers: &TransferProgress) -> Vec<(String, String, ByteProgress)> {
        let of_host = |host| {
            transfers.of_host(host).map(|(what, amount)| (Prefix::Host.of(Some(host), self.style), what, amount))
        };
        let hosts = transfers.hosts().into_iter().filter_map(of_host);
        let all = transfers.of_all_hosts().map(|(count, amount)| (String::new(), format!("{count} hosts"), amount));
        hosts.chain(all).collect()
    }
}

/// The bars that are there, by what stands before them.
#[derive(Default)]
struct DrawnBars(BTreeMap<String, ProgressBar>);

impl DrawnBars {
    fn show(&mut self, area: &BarArea, wanted: Vec<(String, String, ByteProgress)>) {
        let is_wanted = |prefix: &String| wanted.iter().any(|(wanted, ..)| wanted == prefix);
        if !self.0.keys().all(is_wanted) {
            // All lines first: what stays is drawn again.
            let _ = area.multi.clear();
            self.0.retain(|prefix, bar| {
                if !is_wanted(prefix) {
                    area.multi.remove(bar);
                }
                is_wanted(prefix)
            });
        }
        for (place, (prefix, what, ByteProgress { done, total })) in wanted.into_iter().enumerate() {
            let is_new = !self.0.contains_key(&prefix);
            let bar = self.0.entry(prefix).or_insert_with_key(|prefix| {
                area.is_used.store(true, Ordering::Release);
                area.multi.insert(place, ProgressBar::new(total).with_style(style()).with_prefix(prefix.clone()))
            });
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(what);
            if is_new {
                // What had gone before is no part of its speed.
                bar.reset_eta();
            }
        }
        area.is_used.store(!self.0.is_empty(), Ordering::Release);
    }
}

fn style() -> ProgressStyle {
    let template = if BarTerminal::columns() < WIDE_COLUMNS { NARROW_TEMPLATE } else { WIDE_TEMPLATE };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

impl fmt::Debug for ProgressBars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressBars").field("style", &self.shared.style).finish_non_exhaustive()
    }
}
