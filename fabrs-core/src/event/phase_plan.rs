//! The plan of a phase in a dry run: its operations, and equal operations of several hosts once.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard};

use crate::event::event::Event;
use crate::event::phase_lines::hosts_text;
use crate::event::style::{Style, TextRole};
use crate::host::Host;
use crate::mutex::lock;

/// The indentation of an operation.
const INDENT: &str = "      ";

/// The plan of the current phase, if any. The phases of concurrent deploys share one plan, which
/// ends with the last of them.
#[derive(Debug, Default)]
pub(super) struct CurrentPhasePlan(Mutex<ActivePlan>);

#[derive(Debug, Default)]
struct ActivePlan {
    /// The number of phases that have begun and not ended.
    active: usize,
    plan: PhasePlan,
}

/// The operations of a phase, in the order of their events.
#[derive(Debug, Default)]
pub(super) struct PhasePlan(Vec<(Option<Host>, PlannedOperation)>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct PlannedOperation {
    short: String,
    shell_line: Option<String>,
}

impl CurrentPhasePlan {
    /// Begins the plan of a phase.
    pub(super) fn begin(&self) {
        self.current().active += 1;
    }

    /// Returns whether a phase has begun and not ended.
    pub(super) fn is_active(&self) -> bool {
        self.current().active > 0
    }

    /// Adds an event to the plan of the phase. Returns `false` outside a phase. A read has no line
    /// in a plan.
    pub(super) fn add(&self, event: &Event<'_>) -> bool {
        let mut current = self.current();
        if current.active == 0 {
            return false;
        }
        if let Event::Planned { host, operation, command } = event {
            let operation = PlannedOperation {
                short: command.map_or(*operation, |command| command.short).to_owned(),
                shell_line: command.map(|command| command.shell_line.to_owned()),
            };
            current.plan.0.push((host.cloned(), operation));
        }
        true
    }

    /// Ends a phase. Returns the plan of the last phase, and an empty plan for the other phases.
    /// Returns `None` outside a phase.
    pub(super) fn end(&self) -> Option<PhasePlan> {
        let mut current = self.current();
        current.active = current.active.checked_sub(1)?;
        Some(if current.active == 0 { std::mem::take(&mut current.plan) } else { PhasePlan::default() })
    }

    fn current(&self) -> MutexGuard<'_, ActivePlan> {
        lock(&self.0)
    }
}

impl PhasePlan {
    /// Returns the lines of the plan. An operation of only some of the phase's `hosts` has these
    /// hosts in front.
    pub(super) fn lines(self, hosts: &[Host], style: Style, shows_shell_lines: bool) -> String {
        let mut text = String::new();
        for (on, operation) in self.merged(hosts, shows_shell_lines) {
            let is_on_all = on.is_empty() || on.len() == hosts.len();
            let prefix = if is_on_all { String::new() } else { format!("{}: ", hosts_text(&on)) };
            let _ = writeln!(text, "{INDENT}{prefix}{}", first_line(&operation.short));
            let shell_line = operation.shell_line.filter(|line| shows_shell_lines && *line != operation.short);
            for line in shell_line.iter().flat_map(|line| line.lines()) {
                let _ = writeln!(text, "{INDENT}  {}", style.paint(TextRole::Dimmed, line));
            }
        }
        text
    }

    /// Merges the operations of the hosts. Each host keeps the order of its operations.
    fn merged(self, hosts: &[Host], shows_shell_lines: bool) -> Vec<(Vec<Host>, PlannedOperation)> {
        let mut all: Vec<Option<Host>> = vec![None];
        all.extend(hosts.iter().cloned().map(Some));
        for (host, _) in &self.0 {
            if !all.contains(host) {
                all.push(host.clone());
            }
        }
        let mut merged: Vec<(Vec<Host>, PlannedOperation)> = Vec::new();
        for host in all {
            let mut next = 0;
            // The operations since the last match, inserted before the next match.
            let mut unmatched = Vec::new();
            for (_, operation) in self.0.iter().filter(|(on, _)| *on == host) {
                let is_equal = |(on, other): &(Vec<Host>, PlannedOperation)| {
                    let has_equal_line = !shows_shell_lines || other.shell_line == operation.shell_line;
                    other.short == operation.short && has_equal_line && on.is_empty() == host.is_none()
                };
                let Some(found) = merged.iter().skip(next).position(is_equal) else {
                    unmatched.push((Vec::from_iter(host.clone()), operation.clone()));
                    continue;
                };
                let index = next + found;
                if let Some((on, _)) = merged.get_mut(index) {
                    on.extend(host.clone());
                }
                next = index + unmatched.len() + 1;
                merged.splice(index..index, unmatched.drain(..));
            }
            merged.append(&mut unmatched);
        }
        merged
    }
}

/// Returns the first line of a text, with a mark for further lines.
fn first_line(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} ...") } else { first.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event::PlannedCommand;

    /// Returns the lines of a plan for web1, web2 and web3, from pairs of host and short text.
    fn lines(operations: &[(&str, &str)], shows_shell_lines: bool) -> String {
        let plans = CurrentPhasePlan::default();
        plans.begin();
        for (host, short) in operations {
            let shell_line = format!("cd /srv && {short}");
            let command = Some(PlannedCommand { short, shell_line: &shell_line });
            let host: Option<Host> = (!host.is_empty()).then(|| host.parse().unwrap());
            assert!(plans.add(&Event::Planned { host: host.as_ref(), operation: &shell_line, command }));
        }
        let hosts = ["web1", "web2", "web3"].map(|host| host.parse().unwrap());
        plans.end().unwrap().lines(&hosts, Style::Plain, shows_shell_lines)
    }

    #[test]
    fn equal_operations_of_all_hosts_are_one_line() {
        let all = [("web1", "a"), ("web2", "a"), ("web3", "a"), ("web1", "b"), ("web3", "b"), ("web2", "b")];
        assert_eq!(lines(&all, false), "      a\n      b\n");
        let shell_lines = "      a\n        cd /srv && a\n      b\n        cd /srv && b\n";
        assert_eq!(lines(&all, true), shell_lines);
    }

    #[test]
    fn an_operation_of_some_hosts_keeps_its_place_and_names_the_hosts() {
        let some = [
            ("web1", "a"),
            ("web2", "a"),
            ("web3", "a"),
            ("web2", "only"),
            ("web3", "only"),
            ("web1", "b"),
            ("web2", "b"),
            ("web3", "b"),
            ("db1", "elsewhere"),
        ];
        let text = "      a\n      web2 web3: only\n      b\n      db1: elsewhere\n";
        assert_eq!(lines(&some, false), text);
    }

    #[test]
    fn a_repeated_operation_and_an_effect_keep_their_lines() {
        assert_eq!(lines(&[("web1", "a"), ("web1", "a")], false), "      web1: a\n      web1: a\n");
        assert_eq!(lines(&[("", "lock 3 hosts")], false), "      lock 3 hosts\n");
    }

    #[test]
    fn concurrent_phases_lose_no_operation() {
        let plans = CurrentPhasePlan::default();
        let add = |operation| assert!(plans.add(&Event::Planned { host: None, operation, command: None }));
        plans.begin();
        add("first deploy");
        plans.begin();
        add("second deploy");
        let texts = [plans.end(), plans.end()].map(|plan| plan.unwrap().lines(&[], Style::Plain, false));
        assert_eq!(texts, ["", "      first deploy\n      second deploy\n"]);
        assert!(plans.end().is_none());
    }

    #[test]
    fn operations_outside_a_phase_are_not_collected() {
        let plans = CurrentPhasePlan::default();
        assert!(!plans.add(&Event::Planned { host: None, operation: "mail", command: None }));
        plans.begin();
        assert!(plans.end().is_some() && plans.end().is_none());
    }
}
