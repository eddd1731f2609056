//! The check of the database for migrations unknown to the live releases, for the status of a site.

use std::collections::HashSet;

use fabrs::{Client, Connection};
use serde::Serialize;

use crate::database::{ReleaseAge, UnknownMigrations};
use crate::deploy::connected_site::Surveys;
use crate::deploy::unknown_migrations::{database_hosts_first, migration_log};
use crate::release::ReleaseId;
use crate::site::Site;
use crate::step::App;

/// The check of the database for migrations unknown to a live release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LiveMigrations {
    /// The live release.
    pub release: ReleaseId,
    /// The unknown migrations, with the snapshot made before them. `None` if there are none, or if
    /// the check failed.
    pub unknown: Option<UnknownMigrations>,
    /// The reason for a failed check.
    pub error: Option<String>,
}

impl LiveMigrations {
    /// Masks the secrets of the run: a restore command may contain a password.
    pub(crate) fn redacted(self, client: &Client) -> Self {
        Self {
            unknown: self.unknown.map(|unknown| unknown.redacted(client)),
            error: self.error.map(|error| client.redact(&error)),
            ..self
        }
    }

    /// Returns a text for people about unknown migrations or a failed check.
    pub(crate) fn describe(&self) -> Option<String> {
        let Self { release, unknown, error } = self;
        let failed =
            error.as_ref().map(|error| format!("could not check the migrations of release {release}: {error}"));
        unknown.as_ref().map(ToString::to_string).or(failed)
    }
}

/// Checks each live release once, on a database host with this release if possible.
pub(crate) async fn check_live_releases(site: &Site, hosts: &[Connection], surveys: &Surveys) -> Vec<LiveMigrations> {
    let Some((_, database)) = &site.database else { return Vec::new() };
    let (mut seen, mut checked) = (HashSet::new(), Vec::new());
    for host in database_hosts_first(site, hosts) {
        let Some(survey) = host.host().and_then(|name| surveys.get(name)) else { continue };
        let Some(live) = survey.live().filter(|live| seen.insert(*live)) else { continue };
        let app = App::new(host, survey.layout.root(), survey.layout.release(live), live.clone());
        let (unknown, error) = match database.unknown_to(app, ReleaseAge::Existing).await {
            Ok(Some(unknown)) => {
                let accepted = survey.accepted_by_live().iter().map(String::as_str).collect();
                (UnknownMigrations::of(live, unknown, &accepted, &migration_log(surveys)), None)
            }
            Ok(None) => (None, Some("the application cannot be loaded".to_owned())),
            Err(error) => (None, Some(error.message().to_owned())),
        };
        checked.push(LiveMigrations { release: live.clone(), unknown, error });
    }
    checked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Snapshot;

    #[test]
    fn unknown_migrations_are_json_and_text_with_masked_secrets() {
        let client = Client::builder().dial(fabrs::transport::Fake::new()).build();
        client.add_secret(&fabrs::Secret::new("hunter2-hunter2"));
        let release: ReleaseId = "20261103140211".parse().unwrap();
        let snapshot = Snapshot::new("/srv/a.dump").restore_command("restore --password hunter2-hunter2");
        let unknown = UnknownMigrations {
            release: release.clone(),
            migrations: vec!["shop.0003_seat".to_owned()],
            snapshot: Some(snapshot),
        };
        let checked =
            LiveMigrations { release: release.clone(), unknown: Some(unknown), error: None }.redacted(&client);
        let json = serde_json::to_value(&checked).unwrap();
        assert_eq!(json["release"], "20261103140211");
        assert_eq!(json["unknown"]["migrations"][0], "shop.0003_seat");
        assert_eq!(json["unknown"]["snapshot"]["file"], "/srv/a.dump");
        assert_eq!(json["error"], serde_json::Value::Null);
        assert!(!json.to_string().contains("hunter2"), "{json}");
        let text = checked.describe().unwrap();
        assert!(text.starts_with("the database has migrations unknown to 20261103140211: shop.0003_seat\n"), "{text}");

        let failed = LiveMigrations { release, unknown: None, error: Some("no such table".to_owned()) };
        assert_eq!(
            failed.describe().unwrap(),
            "could not check the migrations of release 20261103140211: no such table"
        );
        assert_eq!(LiveMigrations { error: None, ..failed }.describe(), None);
    }
}
