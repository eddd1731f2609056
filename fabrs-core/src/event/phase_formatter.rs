//! [`PhaseFormatter`]: the phases of a deploy as lines, or as a plan in a dry run.

use crate::event::event::Event;
use crate::event::phase_lines::PhaseLine;
use crate::event::phase_plan::CurrentPhasePlan;
use crate::event::style::Style;

/// A formatter of phases.
#[derive(Debug)]
pub(super) struct PhaseFormatter {
    style: Style,
    /// The operations of the current phase of a dry run.
    plan: CurrentPhasePlan,
    /// If true, a plan has the shell lines of commands.
    shows_shell_lines: bool,
    /// If true, another sink shows running phases, so a phase has no line for its start.
    omits_starts: bool,
}

impl PhaseFormatter {
    pub(super) fn new(style: Style) -> Self {
        Self { style, plan: CurrentPhasePlan::default(), shows_shell_lines: false, omits_starts: false }
    }

    /// Adds the shell lines of commands to a plan.
    pub(super) fn with_shell_lines(self, shows_shell_lines: bool) -> Self {
        Self { shows_shell_lines, ..self }
    }

    /// Omits the lines for the start of a phase.
    pub(super) fn without_starts(self) -> Self {
        Self { omits_starts: true, ..self }
    }

    /// Returns the lines for the start or the end of a phase. The end of a phase in a dry run has
    /// its operations.
    pub(super) fn text(&self, event: &Event<'_>) -> String {
        let style = self.style;
        match *event {
            Event::PhaseStarted { number, total, name, hosts, is_dry_run } => {
                let line = PhaseLine { number, total, name, hosts, style };
                match (is_dry_run, self.omits_starts) {
                    (true, _) => {
                        self.plan.begin();
                        line.planned()
                    }
                    (false, true) => String::new(),
                    (false, false) => line.started(),
                }
            }
            Event::PhaseEnded { number, total, name, hosts, outcome, elapsed, slowest, detail } => {
                match self.plan.end() {
                    Some(plan) => plan.lines(hosts, style, self.shows_shell_lines),
                    None => {
                        let line = PhaseLine { number, total, name, hosts, style };
                        line.ended(outcome, elapsed, slowest, detail)
                    }
                }
            }
            _ => String::new(),
        }
    }

    /// Adds an operation to the plan. Returns `false` outside a phase of a dry run.
    pub(super) fn add(&self, event: &Event<'_>) -> bool {
        self.plan.add(event)
    }

    /// Returns `true` inside a phase of a dry run.
    pub(super) fn is_in_plan(&self) -> bool {
        self.plan.is_active()
    }
}
