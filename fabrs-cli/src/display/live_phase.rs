//! The running phase of a deploy: a line with a running clock, at the bottom of a terminal.

use std::time::Instant;

use fabrs_core::Host;
use fabrs_core::event::{Event, Style, running_phase_line};

/// A running phase.
#[derive(Debug)]
pub(super) struct LivePhase {
    number: Option<usize>,
    total: usize,
    name: String,
    hosts: Vec<Host>,
    start: Instant,
}

impl LivePhase {
    /// Returns the phase started by an event. A phase of a dry run does not run.
    pub(super) fn started_by(event: &Event<'_>) -> Option<Self> {
        match event {
            Event::PhaseStarted { number, total, name, hosts, is_dry_run: false } => Some(Self {
                number: *number,
                total: *total,
                name: (*name).to_owned(),
                hosts: hosts.to_vec(),
                start: Instant::now(),
            }),
            _ => None,
        }
    }

    /// Returns the line to draw now.
    pub(super) fn line(&self, style: Style) -> String {
        let Self { number, total, name, hosts, start } = self;
        let started = Event::PhaseStarted { number: *number, total: *total, name, hosts, is_dry_run: false };
        running_phase_line(&started, start.elapsed(), style).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_phase_has_a_line_and_a_planned_phase_has_none() {
        let hosts = ["web1", "web2"].map(|host| host.parse().unwrap());
        let started = |is_dry_run| {
            let event = Event::PhaseStarted { number: Some(2), total: 7, name: "build", hosts: &hosts, is_dry_run };
            LivePhase::started_by(&event)
        };
        let line = started(false).unwrap().line(Style::Plain);
        assert!(line.starts_with(" 2/7 build           web1 web2 ") && line.ends_with(" s"), "{line}");
        assert!(started(true).is_none());
    }
}
