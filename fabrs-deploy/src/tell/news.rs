//! What is told of a deploy: what came of it, on which host, and what it brought.

use std::time::{Duration, SystemTime};

use fabrs::event::escape_controls;
use serde::Serialize;

use crate::database::UnknownMigrations;
use crate::release::ReleaseId;
use crate::source::{Changes, Revision};
use crate::who::{RunId, Who};

/// What is told of a deploy or a rollback, when it is over.
///
/// Serialised it is what a [`Webhook`](super::Webhook) is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct News {
    /// What was done.
    pub event: Happened,
    /// What came of it.
    pub outcome: Went,
    /// Why, where it is not live.
    pub error: Option<String>,
    /// The folder of the site.
    pub site: String,
    /// The environment, where there is one.
    pub environment: Option<String>,
    /// The migrations that the live release does not know, and the database from before them.
    pub unknown_migrations: Option<UnknownMigrations>,
    /// The release.
    pub release: ReleaseId,
    /// What it was made from.
    pub revision: Revision,
    /// Who did it.
    pub by: Who,
    /// The run that did.
    pub run: RunId,
    /// When it began: RFC 3339, UTC, by the clock of this machine.
    pub started: String,
    /// When it ended.
    pub finished: String,
    /// Each host, with where it stands.
    pub hosts: Vec<Stands>,
    /// What it brought, since each of the revisions that were live before.
    pub changes: Vec<Since>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    #[serde(skip)]
    pub(crate) at: SystemTime,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// A deploy.
    Deploy,
    /// A rollback.
    Rollback,
}

impl Happened {
    /// Returns it as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Went {
    /// The release is live on all hosts.
    Live,
    /// It failed: what is live on each host stands with it.
    Failed,
}

impl Went {
    /// Returns it as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Failed => "failed",
        }
    }
}

/// Where a host stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stands {
    /// The host.
    pub host: String,
    /// Where it stands, for people.
    pub stands: String,
}

/// What lies between a revision that was live before and this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Since {
    /// The revision that was live.
    pub since: Revision,
    /// What lies between.
    #[serde(flatten)]
    pub changes: Changes,
}

impl News {
    /// Returns the news in a line: `deploy live: deployable-314 (1a2b3c4d5e) on production`.
    pub fn subject(&self) -> String {
        let place = self.environment.as_deref().unwrap_or(&self.site);
        format!("{} {}: {} on {place}", self.event.as_str(), self.outcome.as_str(), self.revision)
    }

    /// Returns the news as a text: the line, why, the hosts, and the commits.
    pub fn text(&self) -> String {
        let mut lines = vec![self.subject()];
        lines.extend(self.error.iter().map(|error| format!("\n{error}")));
        lines.push(String::new());
        let width = self.hosts.iter().map(|host| host.host.len()).max().unwrap_or(0);
        lines.extend(self.hosts.iter().map(|host| format!("{:width$}  {}", host.host, host.stands)));
        lines.extend(self.unknown_migrations.iter().map(|ahead| format!("\n{ahead}")));
        for Since { since, changes } in &self.changes {
            lines.push(format!("\ncommits since {since}:"));
            lines.extend(if changes.is_empty() { vec!["  none".to_owned()] } else { changes.lines() });
        }
        let took = humantime::format_duration(Duration::from_secs(self.elapsed.as_secs()));
        lines.push(format!("\nrelease {}, by {}, in {took}, run {}", self.release, self.by, self.run));
        escape_controls(&lines.join("\n")).into_owned() + "\n"
    }

    /// Returns the seconds from 1970 to when it ended.
    pub(super) fn unix_time(&self) -> u64 {
        self.at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
