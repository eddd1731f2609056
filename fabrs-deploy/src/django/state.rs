//! What a release knows of the database, by Django's own account.

use std::collections::{HashMap, HashSet};

use fabrs::{Connection, Error, ErrorKind, Hide, Output};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a release says of the database.
const STATE_SCRIPT: &str = include_str!("migration_state.py");

/// What a release knows of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct MigrationState {
    /// What it would do, in order.
    pub(super) pending: Vec<Migration>,
    /// What was done that it does not know.
    pub(super) unknown: Vec<String>,
    /// All that was done.
    #[serde(default)]
    pub(super) applied: HashSet<String>,
    /// The fields of its models, by application and model.
    pub(super) models: Models,
    /// The fields that may be empty: `shop.order.notes`.
    #[serde(default)]
    pub(super) nullable: HashSet<String>,
    /// The labels of the project's own applications, by their folders.
    #[serde(default)]
    pub(super) folders: HashMap<String, String>,
}

/// The fields of models, by application and model.
pub(super) type Models = HashMap<String, HashMap<String, Vec<String>>>;

/// A column or a table: application, model, the field or all of it, and whether an insert fails that does not name it.
pub(super) type Column = (String, String, Option<String>, bool);

/// A migration that is not done yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Migration {
    pub(super) app: String,
    pub(super) name: String,
    /// What it does, in Django's words.
    pub(super) does: Vec<String>,
    /// The columns and tables that it removes.
    pub(super) drops: Vec<Column>,
    /// Those that have another name afterwards.
    #[serde(default)]
    pub(super) renames: Vec<Column>,
    /// The columns that it adds, or makes NOT NULL, and that an insert has to name.
    #[serde(default)]
    pub(super) adds: Vec<Column>,
    /// Whether it only removes.
    #[serde(default)]
    pub(super) is_removal: bool,
}

impl Migration {
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.app, self.name)
    }
}

/// Asks a release what it knows of the database; nothing in a dry run, in which the release is not there.
///
/// # Errors
///
/// As any command: where the database can't be reached.
pub(super) async fn read(release: &Connection) -> Result<Option<MigrationState>, Error> {
    let said = state_command(release).await?;
    if said.was_run() { Ok(Some(parse_json_line(&said)?)) } else { Ok(None) }
}

/// Asks a release that is there, in a dry run too; nothing, where it can't even be loaded.
///
/// # Errors
///
/// As any command, except for its status.
pub(super) async fn probe(release: &Connection) -> Result<Option<MigrationState>, Error> {
    let said = state_command(release).probe().warn().hide(Hide::Both).capture_all().await?;
    if said.ok()? { Ok(Some(parse_json_line(&said)?)) } else { Ok(None) }
}

/// Makes the question; a change as far as a dry run goes, where that release is not there.
fn state_command(release: &Connection) -> fabrs::Command {
    let look = release.v_run("python manage.py shell --verbosity 0").stdin(STATE_SCRIPT);
    look.named("read the state of the migrations").hide(Hide::Stdout)
}

/// Reads the last migration of each application that a release brings.
///
/// # Errors
///
/// [`ErrorKind::Task`] where Django did not say so.
pub(super) fn parse_heads(said: &Output) -> Result<Vec<String>, Error> {
    parse_json_line(said)
}

/// Reads the line that is for us: whatever else a project prints while it is loaded is not.
pub(super) fn parse_json_line<T: DeserializeOwned>(said: &Output) -> Result<T, Error> {
    let text = said.stdout()?;
    let line = text.lines().find_map(|line| line.strip_prefix("fabrs:"));
    let known = line.and_then(|line| serde_json::from_str(line).ok());
    known.ok_or_else(|| Error::new(ErrorKind::Task, "Django did not say what it knows of migrations").on(said.host()))
}
