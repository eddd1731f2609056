//! Where each host stands in a deploy: what is told when it fails.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fabrs::{Connection, Error, Host};

use super::fleet::Fleet;
use crate::release::ReleaseId;

/// Where a host stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Its `current` is about to lead to the new release: until that is confirmed it may, or may not.
    Switching(ReleaseId),
    /// Its `current` leads to the new release.
    Switched(ReleaseId),
    /// It works with the new release.
    Live(ReleaseId),
    /// It is back on the release that it had; on none, where that was the first.
    Back(Option<ReleaseId>),
}

/// Where all hosts stand; who is not mentioned is where it was.
#[derive(Debug, Default)]
pub(crate) struct Standing(Mutex<HashMap<Host, Place>>);

impl Standing {
    pub(super) fn set(&self, host: &Connection, place: Place) {
        if let Some(host) = host.host() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), place);
        }
    }

    /// Returns where a host stands, where that is not where it was.
    pub(super) fn of(&self, host: &Connection) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host.host()?).cloned()
    }

    /// Tells whether a host may have another release live than before.
    pub(super) fn is_changed(&self, host: &Connection) -> bool {
        matches!(self.of(host), Some(Place::Switching(_) | Place::Switched(_) | Place::Live(_)))
    }

    /// Returns where a host stands, for people.
    pub(super) fn says(&self, host: &Connection) -> String {
        match self.of(host) {
            None => "as it was".to_owned(),
            Some(Place::Back(Some(release))) => format!("back on {release}"),
            Some(Place::Back(None)) => "nothing is live, as before".to_owned(),
            Some(Place::Switching(release)) => format!("may be on {release}, or as it was"),
            Some(Place::Switched(release)) => format!("on {release}, which its services may not have taken up"),
            Some(Place::Live(release)) => format!("on {release}"),
        }
    }

    /// Returns a line for each host.
    pub(super) fn table(&self, fleet: &Fleet) -> String {
        let names = |host: &Connection| host.host().map_or_else(String::new, |host| host.label().to_string());
        let width = fleet.hosts.connections().iter().map(|host| names(host).len()).max().unwrap_or(0);
        let lines =
            fleet.hosts.connections().iter().map(|host| format!("{:width$}  {}\n", names(host), self.says(host)));
        lines.collect()
    }

    /// Tells where all hosts stand when nothing more may be changed on them.
    pub(super) fn left_as_they_are(&self, fleet: &Fleet, lost: Error) -> Error {
        fleet.client().note(None, self.table(fleet));
        lost.hint("see to the host, then deploy again: that mends what is half done")
    }
}
