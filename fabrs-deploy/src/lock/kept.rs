//! A lock that a person keeps: until it is opened by hand no run begins.

use std::fmt;
use std::time::SystemTime;

use fabrs::{Connection, Error, ErrorKind, Group, Hide, Host, Outcomes, cmd};
use serde::{Deserialize, Serialize};

use super::script::KEPT;
use crate::hosts::all_ok;
use crate::release::Layouts;
use crate::who::Who;

/// A lock that a person keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Kept {
    /// Who locked it.
    pub by: Who,
    /// Since when: RFC 3339, UTC, by the clock of who locked it.
    pub since: String,
    /// Why.
    pub reason: String,
}

impl Kept {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        let since = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { by: Who::here(), since, reason: reason.into() }
    }
}

impl Kept {
    /// Makes what somebody has left by hand who does not say who.
    pub(crate) fn unknown(reason: &str) -> Self {
        Self { by: Who::unknown(), since: "some time".to_owned(), reason: reason.trim().to_owned() }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "locked by {} since {}: {}", self.by, self.since, self.reason)
    }
}

/// Locks a site on all hosts of a group by hand; where it is locked so already, that stays and is an error.
pub(crate) async fn keep(hosts: &Group, layouts: &Layouts, kept: &Kept) -> Outcomes<()> {
    let says = &serde_json::to_string(kept).unwrap_or_default();
    // With `noclobber` the shell makes a file only where there is none: two people never both think it is theirs.
    let keep = |host: Connection| async move {
        let root = layouts.of(&host)?.own();
        let said = host.run(cmd!(
            "mkdir -p {root} && cd {root} && {{ (set -C; printf '%s\\n' {says} > {KEPT}) 2> /dev/null || cat {KEPT}; }}"
        ));
        let said = said.hide(Hide::Stdout).await?;
        let before = if said.was_run() { said.stdout()?.into_owned() } else { String::new() };
        if before.is_empty() {
            return Ok(());
        }
        let before = serde_json::from_str(&before).unwrap_or_else(|_| Kept::unknown(&before));
        Err(Error::new(ErrorKind::Task, format!("is locked already: {before}")).on(said.host()))
    };
    hosts.each(keep).await
}

/// Opens what was locked by hand; returns what each host had of it.
pub(crate) async fn let_go(hosts: &Group, layouts: &Layouts) -> Result<Vec<(Host, Option<Kept>)>, Error> {
    let open = |host: Connection| async move {
        let root = layouts.of(&host)?.own();
        let line = cmd!("cd {root} 2> /dev/null && [ -e {KEPT} ] || exit 0; cat {KEPT} && rm -f {KEPT}");
        let said = host.run(line).hide(Hide::Stdout).await?;
        // In a dry run nobody knows what it would have said.
        let kept = if said.was_run() { serde_json::from_str(&said.stdout()?).ok() } else { None };
        Ok::<_, Error>(kept)
    };
    all_ok(hosts.each(open).await)
}
