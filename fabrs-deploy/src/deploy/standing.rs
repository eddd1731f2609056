//! Where each host stands in a deploy: what is told when it fails.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use fabrs::{Connection, Host};

use super::site_hosts::SiteHosts;

/// Where a host stands: what it goes to, or comes from, is named for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It is about to be switched: until that is confirmed it may be, or may not.
    Switching(String),
    /// It is switched.
    Switched(String),
    /// It works with what it was switched to.
    Live(String),
    /// It is switched back, and its services are told so.
    Returning(String),
    /// It works with what it had.
    Back(String),
    /// Nothing is live on it, as before.
    BackOnNothing,
}

/// Where all hosts stand; who is not mentioned is where it was.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    places: Mutex<HashMap<Host, Place>>,
    is_final: AtomicBool,
}

impl Standing {
    pub(super) fn set(&self, host: &Connection, place: Place) {
        if let Some(host) = host.host() {
            self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), place);
        }
    }

    /// Returns where a host stands, where that is not where it was.
    pub(super) fn of(&self, host: &Connection) -> Option<Place> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(host.host()?).cloned()
    }

    /// Says that all hosts work with what they were switched to: from now on nothing goes back.
    pub(super) fn settle(&self) {
        self.is_final.store(true, Ordering::Release);
    }

    /// Tells whether nothing goes back any more.
    pub(super) fn is_settled(&self) -> bool {
        self.is_final.load(Ordering::Acquire)
    }

    /// Tells whether a host may have another release live than before.
    pub(super) fn is_changed(&self, host: &Connection) -> bool {
        matches!(self.of(host), Some(Place::Switching(_) | Place::Switched(_) | Place::Live(_)))
    }

    /// Tells whether all of a host, its services too, is as it was.
    pub(super) fn is_as_before(&self, host: &Connection) -> bool {
        matches!(self.of(host), None | Some(Place::Back(_)))
    }

    /// Returns where a host stands, for people.
    pub(super) fn says(&self, host: &Connection) -> String {
        match self.of(host) {
            None => "as it was".to_owned(),
            Some(Place::Switching(to)) => format!("may be on {to}, or as it was"),
            Some(Place::Switched(to)) => format!("on {to}, which its services may not have taken up"),
            Some(Place::Live(to)) => format!("on {to}"),
            Some(Place::Returning(to)) => format!("back on {to}, which its services may not have taken up"),
            Some(Place::Back(to)) => format!("back on {to}"),
            Some(Place::BackOnNothing) => "nothing is live, as before; what was started is not stopped".to_owned(),
        }
    }

    /// Returns a line for each host.
    pub(super) fn table(&self, fleet: &SiteHosts) -> String {
        let names = |host: &Connection| host.host().map_or_else(String::new, |host| host.label().to_string());
        let width = fleet.hosts.connections().iter().map(|host| names(host).len()).max().unwrap_or(0);
        let lines =
            fleet.hosts.connections().iter().map(|host| format!("{:width$}  {}\n", names(host), self.says(host)));
        lines.collect()
    }
}
