//! [`Outcomes`]: the outcome of each host of a group, in plan order.

use std::fmt;

use super::outcome::Outcome;
use crate::error::{Error, ErrorKind, GroupedErrors, Result};
use crate::event::OutcomeKind;
use crate::host::Host;

/// The outcome of each host, in plan order. Every host is listed, also after failures.
#[derive(Debug, Clone)]
#[must_use = "outcomes can contain failures; `.all_ok()?` turns failures into an error"]
pub struct Outcomes<T> {
    all: Vec<(Host, Outcome<T>)>,
}

impl<T> Outcomes<T> {
    pub(crate) fn new(all: Vec<(Host, Outcome<T>)>) -> Self {
        Self { all }
    }

    /// Returns the number of hosts.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns whether the list has no host.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns each host with its outcome, in plan order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Host, Outcome<T>)> {
        self.all.iter()
    }

    /// Returns the outcome of one host.
    pub fn get(&self, host: &Host) -> Option<&Outcome<T>> {
        self.all.iter().find(|(name, _)| name == host).map(|(_, outcome)| outcome)
    }

    /// Returns the successful hosts, with their values.
    pub fn succeeded(&self) -> impl Iterator<Item = (&Host, &T)> {
        self.all.iter().filter_map(|(host, outcome)| Some((host, outcome.value()?)))
    }

    /// Returns the hosts with a failure. Skipped hosts are not included.
    pub fn failed(&self) -> impl Iterator<Item = (&Host, &Outcome<T>)> {
        self.all.iter().filter(|(_, outcome)| outcome.is_failure()).map(|(host, outcome)| (host, outcome))
    }

    /// Returns the values of all hosts, or one error with all failures. Skipped hosts are not
    /// included.
    ///
    /// # Errors
    ///
    /// An error of the kind of the first failed host, with [`HostFailures`] as the source. In a dry
    /// run without failures, [`ErrorKind::NotRun`] if the plan of a host is incomplete. If all
    /// hosts were skipped, an error of the kind of the first host.
    pub fn all_ok(self) -> Result<Vec<(Host, T)>> {
        let incomplete = self.all.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Incomplete(error) => Some(error.clone()),
            _ => None,
        });
        if let (Some(error), None) = (incomplete, self.failed().next()) {
            return Err(error);
        }
        if let Some(error) = self.all_skipped() {
            return Err(error);
        }
        let Some(kind) = self.failed().map(|(_, outcome)| outcome.error().map(Error::kind)).next() else {
            let values = self.all.into_iter();
            return Ok(values.filter_map(|(host, outcome)| Some((host, into_value(outcome)?))).collect());
        };
        let failures = HostFailures {
            succeeded: self.succeeded().map(|(host, _)| host.clone()).collect(),
            failed: self
                .failed()
                .map(|(host, outcome)| (host.clone(), outcome.kind(), outcome.error().cloned()))
                .collect(),
        };
        let text = format!("{} of {} hosts failed", failures.failed.len(), self.len());
        Err(Error::new(kind.unwrap_or(ErrorKind::Cancelled), text).caused_by(failures))
    }
}

impl<T> Outcomes<T> {
    /// Returns the error of a group with only skipped hosts.
    pub(crate) fn all_skipped(&self) -> Option<Error> {
        let mut reasons = self.all.iter().map(|(_, outcome)| match outcome {
            Outcome::Skipped(error) => Some(error),
            _ => None,
        });
        let first = reasons.next()??;
        reasons.all(|reason| reason.is_some()).then(|| {
            let text = format!("all {} hosts were skipped", self.len());
            let text = if self.len() == 1 { "the only host was skipped".to_owned() } else { text };
            let error = Error::new(first.kind(), text).caused_by(first.clone());
            // With a host, so that callers do not attach the host of the calling task.
            if let Some(host) = first.host() { error.on(host) } else { error }
        })
    }
}

fn into_value<T>(outcome: Outcome<T>) -> Option<T> {
    match outcome {
        Outcome::Ok(value) => Some(value),
        _ => None,
    }
}

impl<'a, T> IntoIterator for &'a Outcomes<T> {
    type Item = &'a (Host, Outcome<T>);
    type IntoIter = std::slice::Iter<'a, (Host, Outcome<T>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> IntoIterator for Outcomes<T> {
    type Item = (Host, Outcome<T>);
    type IntoIter = std::vec::IntoIter<(Host, Outcome<T>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

/// The failed and the successful hosts of a group: the source of the error of
/// [`Outcomes::all_ok`].
#[derive(Debug, Clone)]
pub struct HostFailures {
    succeeded: Vec<Host>,
    failed: Vec<(Host, OutcomeKind, Option<Error>)>,
}

impl HostFailures {
    /// Returns the successful hosts.
    pub fn succeeded(&self) -> &[Host] {
        &self.succeeded
    }

    /// Returns the failed hosts, each with the kind of its outcome, and its error if there is one.
    pub fn failed(&self) -> &[(Host, OutcomeKind, Option<Error>)] {
        &self.failed
    }
}

impl fmt::Display for HostFailures {
    /// Writes one line for each distinct error with its hosts, and one line for each outcome
    /// without an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = GroupedErrors::default();
        let mut others: Vec<(OutcomeKind, Vec<String>)> = Vec::new();
        for (host, kind, error) in &self.failed {
            match (error, others.iter_mut().find(|(known, _)| known == kind)) {
                (Some(error), _) => drop(errors.add(host, &error.clone().or_on(Some(host)))),
                (None, Some((_, hosts))) => hosts.push(host.label().to_string()),
                (None, None) => others.push((*kind, vec![host.label().to_string()])),
            }
        }
        let others = others.iter().map(|(kind, hosts)| format!("{}: {}", hosts.join(", "), kind.as_str()));
        let lines: Vec<String> = errors.lines().into_iter().chain(others).collect();
        f.write_str(&lines.join("\n"))?;
        // The output of one host is enough: in a group, the outputs are usually equal.
        for (host, _, error) in &self.failed {
            let Some(error) = error else { continue };
            let outputs = ["stdout", "stderr"].map(|stream| (stream, error.block().unshown_output(stream)));
            for (stream, text) in outputs.iter().filter_map(|(stream, text)| Some((stream, text.as_deref()?))) {
                write!(f, "\n{stream} of {}:", host.label())?;
                text.lines().try_for_each(|line| write!(f, "\n  {line}"))?;
            }
            if outputs.iter().any(|(_, text)| text.is_some()) {
                break;
            }
        }
        Ok(())
    }
}

impl std::error::Error for HostFailures {}
