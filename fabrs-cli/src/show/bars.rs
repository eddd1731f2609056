//! How far transfers have come, as bars at the foot of a terminal.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fabrs_core::Host;
use fabrs_core::event::{Event, Granularity, Prefix, Sink, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::transfers::{Amount, Transfers};

/// What a bar says.
const TEMPLATE: &str = "{prefix}{wide_msg} {bar:20} {percent:>3} % {binary_bytes_per_sec:>12} {eta:>4} left";

/// A bar for each host to which something is on its way, or from it, and one for all of them.
pub(super) struct Bars {
    foot: Foot,
    style: Style,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    transfers: Transfers,
    hosts: HashMap<Host, ProgressBar>,
    all: Option<ProgressBar>,
    /// How often they are held: then none is drawn.
    held: usize,
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
        Self { multi: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), is_used: Arc::default() }
    }

    /// Takes the bars away while something is written above them.
    pub(super) fn around(&self, write: &mut dyn FnMut()) {
        if self.is_used.load(Ordering::Acquire) { self.multi.suspend(write) } else { write() }
    }
}

impl Bars {
    pub(super) fn new(foot: Foot, style: Style) -> Self {
        Self { foot, style, state: Mutex::default() }
    }

    fn bar(&self, prefix: String, amount: Amount) -> ProgressBar {
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_prefix(prefix);
        self.foot.is_used.store(true, Ordering::Release);
        let bar = self.foot.multi.add(bar);
        show(&bar, amount);
        // What had gone before is no part of its speed.
        bar.reset_eta();
        bar
    }
}

impl Sink for Bars {
    fn event(&self, event: &Event<'_>) {
        let Event::Progress { host, .. } = event else { return };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { transfers, hosts, all, held } = &mut *state;
        transfers.note(event);
        if *held > 0 {
            return;
        }
        match transfers.of(host) {
            Some((what, amount)) => {
                let bar = hosts
                    .entry((*host).clone())
                    .or_insert_with(|| self.bar(Prefix::Host.of(Some(host), self.style), amount));
                bar.set_message(what);
                show(bar, amount);
            }
            None => {
                if let Some(bar) = hosts.remove(*host) {
                    bar.finish_and_clear();
                    self.foot.multi.remove(&bar);
                }
            }
        }
        match transfers.of_all() {
            Some((count, amount)) => {
                let bar = all.get_or_insert_with(|| self.bar(String::new(), amount));
                bar.set_message(format!("{count} hosts"));
                show(bar, amount);
            }
            None => {
                if let Some(bar) = all.take() {
                    bar.finish_and_clear();
                    self.foot.multi.remove(&bar);
                }
            }
        }
        self.foot.is_used.store(!hosts.is_empty() || all.is_some(), Ordering::Release);
    }

    fn granularity(&self) -> Granularity {
        Granularity { lines: false, bytes: false }
    }

    fn hold(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { hosts, all, held, .. } = &mut *state;
        *held += 1;
        for bar in hosts.drain().map(|(_, bar)| bar).chain(all.take()) {
            bar.finish_and_clear();
            self.foot.multi.remove(&bar);
        }
        self.foot.is_used.store(false, Ordering::Release);
    }

    fn release(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held = state.held.saturating_sub(1);
    }

    fn finish(&self) {
        self.hold();
    }
}

fn show(bar: &ProgressBar, Amount { done, total }: Amount) {
    bar.set_length(total);
    bar.set_position(done);
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bars").field("style", &self.style).finish_non_exhaustive()
    }
}
