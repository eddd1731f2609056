//! Lines of a phase: ` 2/7 build           web1 web2 web3      41.0 s   slowest web3`.

use std::time::Duration;

use crate::controls::escape_controls;
use crate::event::event::Event;
use crate::event::format::elapsed_time;
use crate::event::map_texts::map_texts;
use crate::event::outcome_kind::OutcomeKind;
use crate::event::style::{HostOrLocal, Style, TextRole};
use crate::host::Host;

/// The minimum width of the name, in columns.
const NAME_WIDTH: usize = 15;
/// The width of the hosts, in columns. More names are shown as a number of hosts.
const HOSTS_WIDTH: usize = 17;
/// The minimum width of the duration, in columns.
const TIME_WIDTH: usize = 9;

/// A phase of a task, to be formatted as a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseLine<'a> {
    pub(super) number: Option<usize>,
    pub(super) total: usize,
    pub(super) name: &'a str,
    pub(super) hosts: &'a [Host],
    pub(super) style: Style,
}

impl PhaseLine<'_> {
    /// Returns the line for the start of a phase.
    pub(super) fn started(self) -> String {
        self.line(Some("..."))
    }

    /// Returns the heading of a phase in a plan.
    pub(super) fn planned(self) -> String {
        self.line(None)
    }

    /// Returns the line of a running phase, without a line end.
    fn running(self, elapsed: Duration) -> String {
        self.line(Some(&elapsed_time(elapsed))).trim_end().to_owned()
    }

    /// Returns the line for the end of a phase.
    pub(super) fn ended(self, outcome: OutcomeKind, elapsed: Duration, slowest: Option<&Host>, detail: &str) -> String {
        let outcome_text = match outcome {
            OutcomeKind::Ok => None,
            OutcomeKind::Cancelled => Some(self.style.paint(TextRole::Warning, outcome.as_str())),
            _ => Some(self.style.paint(TextRole::Error, outcome.as_str())),
        };
        let slowest = slowest.map(|host| format!("slowest {}", HostOrLocal(Some(host))));
        let detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
        let result: Vec<String> = outcome_text.into_iter().chain(detail).chain(slowest).collect();
        let line = self.line(Some(&elapsed_time(elapsed)));
        if result.is_empty() { line } else { format!("{}   {}\n", line.trim_end(), result.join(", ")) }
    }

    fn line(self, time: Option<&str>) -> String {
        let width = self.total.to_string().len();
        let number = match self.number {
            Some(number) => format!(" {number:>width$}/{}", self.total),
            None => " ".repeat(2 + 2 * width),
        };
        // The escape sequences of a colour have no width.
        let padding = " ".repeat(NAME_WIDTH.saturating_sub(self.name.chars().count()));
        let name = self.style.paint(TextRole::Command, self.name);
        let hosts = hosts_text(self.hosts);
        let time = time.map(|time| format!(" {time:>TIME_WIDTH$}")).unwrap_or_default();
        format!("{}\n", format!("{number} {name}{padding} {hosts:<HOSTS_WIDTH$}{time}").trim_end())
    }
}

/// Returns the line of a running phase, with the time since its start, or `None` for another event
/// or a phase of a dry run. The line has no line end.
pub fn running_phase_line(started: &Event<'_>, elapsed: Duration, style: Style) -> Option<String> {
    map_texts(started, escape_controls, |started| match started {
        Event::PhaseStarted { number, total, name, hosts, is_dry_run: false } => {
            let line = PhaseLine { number: *number, total: *total, name, hosts, style };
            Some(line.running(elapsed))
        }
        _ => None,
    })
}

/// Returns the names of hosts, or the number of hosts if the names are too long.
pub(super) fn hosts_text(hosts: &[Host]) -> String {
    let names: Vec<String> = hosts.iter().map(|host| HostOrLocal(Some(host)).to_string()).collect();
    let text = names.join(" ");
    if names.len() > 1 && text.chars().count() > HOSTS_WIDTH { format!("{} hosts", names.len()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(count: usize) -> Vec<Host> {
        (1..=count).map(|number| format!("web{number}").parse().unwrap()).collect()
    }

    fn line<'a>(number: Option<usize>, total: usize, name: &'a str, hosts: &'a [Host]) -> PhaseLine<'a> {
        PhaseLine { number, total, name, hosts, style: Style::Plain }
    }

    #[test]
    fn the_columns_of_all_phases_are_aligned() {
        let (three, many) = (hosts(3), hosts(12));
        let seconds = Duration::from_millis;
        let lines = [
            line(Some(1), 7, "lock", &many).ended(OutcomeKind::Ok, seconds(210), None, ""),
            line(Some(2), 7, "build", &three).ended(OutcomeKind::Ok, seconds(41_000), Some(&three[2]), ""),
            line(Some(3), 7, "migrate", &three[..1]).started(),
            line(Some(3), 7, "migrate", &three[..1]).ended(OutcomeKind::Ok, seconds(125_000), None, "shop.dump"),
            line(None, 7, "revert", &three).ended(OutcomeKind::Failed, seconds(2000), Some(&three[0]), ""),
        ];
        let expected = " 1/7 lock            12 hosts              0.2 s\n \
                        2/7 build           web1 web2 web3       41.0 s   slowest web3\n \
                        3/7 migrate         web1                    ...\n \
                        3/7 migrate         web1              2 min 5 s   shop.dump\n     \
                        revert          web1 web2 web3        2.0 s   failed, slowest web1\n";
        assert_eq!(lines.concat(), expected);
    }

    #[test]
    fn a_long_plan_has_aligned_numbers() {
        let one = hosts(1);
        assert_eq!(line(Some(3), 12, "build", &one).planned(), "  3/12 build           web1\n");
        assert_eq!(line(None, 12, "revert", &one).planned(), "       revert          web1\n");
    }

    #[test]
    fn a_line_of_three_hosts_has_at_most_80_columns() {
        let three = hosts(3);
        let detail = "20261202093000.dump, verified";
        let text = line(Some(3), 7, "migrate", &three).ended(OutcomeKind::Ok, Duration::ZERO, None, detail);
        assert!(text.trim_end().chars().count() <= 80, "{text}");
    }
}
