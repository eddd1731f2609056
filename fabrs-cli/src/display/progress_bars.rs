//! Progress bars for transfers, and the line of the running phase, at the bottom of a terminal.
//!
//! A separate thread draws the bars, because a blocked terminal must not delay the run.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fabrs_core::event::{Event, Granularity, Prefix, Sink, Style};
use futures::future::{BoxFuture, FutureExt};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::Notify;

use super::bar_terminal::BarTerminal;
use super::live_phase::LivePhase;
use super::mutex::lock;
use super::transfer_progress::{ByteProgress, TransferProgress};

/// Template of a bar on a wide terminal.
const WIDE_TEMPLATE: &str = "{prefix}{wide_msg} {bar:20} {percent:>3} % {binary_bytes_per_sec:>12} {eta:>4} left";
/// Template of a bar on a narrow terminal.
const NARROW_TEMPLATE: &str = "{prefix}{wide_msg} {percent:>3} % {eta:>4} left";
/// Minimum number of columns for the wide template.
const WIDE_COLUMNS: u16 = 90;
/// Minimum time between two redraws.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// An event sink: shows a bar for each host with a running transfer, and a bar for all hosts. If
/// required, the running phase of a deploy is the line above.
pub(super) struct ProgressBars {
    shared: Arc<BarDrawer>,
    shows_phases: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// State shared by the sink and the drawing thread.
struct BarDrawer {
    area: BarArea,
    style: Style,
    state: Mutex<BarState>,
    /// Wakes the thread after a change of the state.
    state_changed: Condvar,
    /// Wakes `flush` after the bars are erased.
    cleared: Notify,
}

#[derive(Default)]
struct BarState {
    transfers: TransferProgress,
    phase: Option<LivePhase>,
    /// True after the start or the end of a phase, until the next redraw.
    is_phase_changed: bool,
    /// Number of current pauses. Bars are hidden while this is not 0.
    pauses: usize,
    is_finished: bool,
    is_drawn: bool,
}

/// The lines of the terminal used by the bars.
#[derive(Clone)]
pub(super) struct BarArea {
    multi: MultiProgress,
    /// True while a bar exists.
    is_used: Arc<AtomicBool>,
}

impl BarArea {
    pub(super) fn new() -> Self {
        let target = ProgressDrawTarget::term_like(Box::new(BarTerminal::default()));
        Self { multi: MultiProgress::with_draw_target(target), is_used: Arc::default() }
    }

    /// Hides the bars during `write`.
    pub(super) fn suspend(&self, write: &mut dyn FnMut()) {
        if self.is_used.load(Ordering::Acquire) { self.multi.suspend(write) } else { write() }
    }
}

impl ProgressBars {
    pub(super) fn new(area: BarArea, style: Style) -> Self {
        let (state, state_changed, cleared) = (Mutex::default(), Condvar::new(), Notify::new());
        let shared = Arc::new(BarDrawer { area, style, state, state_changed, cleared });
        Self { shared, shows_phases: false, thread: Mutex::default() }
    }

    /// Shows running phases as well.
    pub(super) fn with_phases(self) -> Self {
        Self { shows_phases: true, ..self }
    }

    /// Starts the thread at the first event to draw.
    fn start(&self) {
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            // Without permission for another thread, the run has no bars.
            *thread = thread::Builder::new().name("fabrs-bars".to_owned()).spawn(move || shared.draw()).ok();
        }
    }
}

impl Sink for ProgressBars {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Progress { .. } => self.shared.state().transfers.record(event),
            Event::PhaseStarted { .. } | Event::PhaseEnded { .. } if self.shows_phases => {
                let mut state = self.shared.state();
                state.phase = LivePhase::started_by(event);
                state.is_phase_changed = true;
            }
            _ => return,
        }
        self.start();
        self.shared.state_changed.notify_one();
    }

    fn granularity(&self) -> Granularity {
        Granularity::NONE
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.shared.cleared().boxed()
    }

    fn pause(&self) {
        self.shared.state().pauses += 1;
        self.shared.state_changed.notify_one();
    }

    fn resume(&self) {
        let mut state = self.shared.state();
        state.pauses = state.pauses.saturating_sub(1);
        self.shared.state_changed.notify_one();
    }

    fn finish(&self) {
        self.shared.state().is_finished = true;
        self.shared.state_changed.notify_one();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // The panic hook has already reported a panic of the thread.
            drop(thread.join());
        }
    }
}

impl BarDrawer {
    fn state(&self) -> MutexGuard<'_, BarState> {
        lock(&self.state)
    }

    /// Waits until paused bars are erased. Returns at once if the bars are not paused.
    async fn cleared(&self) {
        loop {
            let mut cleared = pin!(self.cleared.notified());
            cleared.as_mut().enable();
            let is_drawn = {
                let state = self.state();
                state.pauses > 0 && state.is_drawn
            };
            if !is_drawn {
                return;
            }
            cleared.await;
        }
    }

    /// Redraws the bars until the end of the run. The thread runs this function.
    fn draw(&self) {
        let mut drawn = DrawnBars::default();
        loop {
            let mut state = self.state();
            let is_shown = state.pauses == 0 && !state.is_finished;
            let bars = if is_shown { self.visible_bars(&state.transfers) } else { Vec::new() };
            let phase = state.phase.as_ref().filter(|_| is_shown).map(|phase| phase.line(self.style));
            state.is_phase_changed = false;
            let is_finished = state.is_finished;
            // Set before the bars are drawn: a pause in between must wait until the next redraw
            // erases them.
            state.is_drawn |= !bars.is_empty() || phase.is_some();
            drop(state);
            drawn.show(&self.area, phase, bars);
            let mut state = self.state();
            state.is_drawn = !drawn.is_empty();
            if !state.is_drawn {
                self.cleared.notify_waiters();
            }
            if is_finished {
                return;
            }
            if state.is_drawn {
                // Limits the rate of redraws. A pause or another phase ends the wait at once.
                drop(self.state_changed.wait_timeout_while(state, REDRAW_INTERVAL, |state| {
                    state.pauses == 0 && !state.is_finished && !state.is_phase_changed
                }));
            } else if !state.is_phase_changed {
                drop(self.state_changed.wait(state));
            }
        }
    }

    /// Returns the bars to show, in order.
    fn visible_bars(&self, transfers: &TransferProgress) -> Vec<Bar> {
        let of_host = |host| {
            let (label, progress) = transfers.of_host(host)?;
            Some(Bar { prefix: Prefix::Host.of(Some(host), self.style), label, progress })
        };
        let hosts = transfers.hosts().into_iter().filter_map(of_host);
        let all_hosts = transfers.of_all_hosts().map(|(count, progress)| Bar {
            prefix: String::new(),
            label: format!("{count} hosts"),
            progress,
        });
        hosts.chain(all_hosts).collect()
    }
}

/// A bar to draw.
struct Bar {
    prefix: String,
    label: String,
    progress: ByteProgress,
}

/// The drawn line of a phase, and the drawn bars by prefix.
#[derive(Default)]
struct DrawnBars {
    phase: Option<ProgressBar>,
    bars: BTreeMap<String, ProgressBar>,
}

impl DrawnBars {
    fn is_empty(&self) -> bool {
        self.phase.is_none() && self.bars.is_empty()
    }

    fn show(&mut self, area: &BarArea, phase: Option<String>, bars: Vec<Bar>) {
        self.show_phase(area, phase);
        self.show_bars(area, bars);
        area.is_used.store(!self.is_empty(), Ordering::Release);
    }

    /// Draws the line of the phase above the bars.
    fn show_phase(&mut self, area: &BarArea, phase: Option<String>) {
        match (phase, &self.phase) {
            (Some(line), Some(drawn)) => drawn.set_message(line),
            (Some(line), None) => {
                area.is_used.store(true, Ordering::Release);
                let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
                let bar = area.multi.insert(0, ProgressBar::new(1).with_style(style));
                bar.set_message(line);
                self.phase = Some(bar);
            }
            (None, Some(drawn)) => {
                // The line must be erased in the same step: a write of output in between would
                // draw it again.
                drawn.finish_and_clear();
                area.multi.remove(drawn);
                self.phase = None;
            }
            (None, None) => {}
        }
    }

    fn show_bars(&mut self, area: &BarArea, bars: Vec<Bar>) {
        let is_visible = |prefix: &String| bars.iter().any(|bar| bar.prefix == *prefix);
        if !self.bars.keys().all(is_visible) {
            // Clear all lines first. The remaining bars are drawn again.
            let _ = area.multi.clear();
            self.bars.retain(|prefix, bar| {
                if !is_visible(prefix) {
                    area.multi.remove(bar);
                }
                is_visible(prefix)
            });
        }
        for (index, Bar { prefix, label, progress: ByteProgress { done, total } }) in bars.into_iter().enumerate() {
            let is_new = !self.bars.contains_key(&prefix);
            let index = index + usize::from(self.phase.is_some());
            let bar = self.bars.entry(prefix).or_insert_with_key(|prefix| {
                area.is_used.store(true, Ordering::Release);
                area.multi.insert(index, ProgressBar::new(total).with_style(style()).with_prefix(prefix.clone()))
            });
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(label);
            if is_new {
                // Bytes transferred before the first drawing must not count towards the speed.
                bar.reset_eta();
            }
        }
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
