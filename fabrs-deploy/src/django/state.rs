//! The migration state of a release: pending, applied and unknown migrations, and its models.

use std::collections::{HashMap, HashSet};

use fabrs::{Connection, Error, ErrorKind, Hide, Output};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Prints the migration state as JSON.
const STATE_SCRIPT: &str = include_str!("migration_state.py");

/// The migration state of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct MigrationState {
    /// The pending migrations, in order.
    pub(super) pending: Vec<Migration>,
    /// The applied migrations that are unknown to the release.
    pub(super) unknown: Vec<String>,
    /// All applied migrations.
    #[serde(default)]
    pub(super) applied: HashSet<String>,
    /// The fields of the models, by application and model.
    pub(super) models: Models,
    /// The nullable fields, such as `shop.order.notes`.
    #[serde(default)]
    pub(super) nullable: HashSet<String>,
    /// The labels of the project's own applications, by directory.
    #[serde(default)]
    pub(super) folders: HashMap<String, String>,
}

/// The fields of models, by application and model.
pub(super) type Models = HashMap<String, HashMap<String, Vec<String>>>;

/// A column or a table: application, model, field (`None` for the table), and `true` if an insert
/// without this column fails.
pub(super) type Column = (String, String, Option<String>, bool);

/// A pending migration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Migration {
    pub(super) app: String,
    pub(super) name: String,
    /// The descriptions of the operations, from Django.
    pub(super) descriptions: Vec<String>,
    /// The dropped columns and tables.
    pub(super) drops: Vec<Column>,
    /// The renamed columns and tables, with their old names.
    #[serde(default)]
    pub(super) renames: Vec<Column>,
    /// The columns required in an insert: new columns, and columns that become NOT NULL.
    #[serde(default)]
    pub(super) adds: Vec<Column>,
    /// `true` if all operations are removals.
    #[serde(default)]
    pub(super) is_removal: bool,
}

impl Migration {
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.app, self.name)
    }
}

/// Reads the migration state of a release. Returns `None` in a dry run, since the release may not
/// exist.
///
/// # Errors
///
/// The errors of a command, for example if the database is unreachable.
pub(super) async fn read(release: &Connection) -> Result<Option<MigrationState>, Error> {
    let output = state_command(release).await?;
    if output.was_run() { Ok(Some(parse_json_line(&output)?)) } else { Ok(None) }
}

/// Reads the migration state of an existing release, also in a dry run. Returns `None` if the
/// project cannot be loaded.
///
/// # Errors
///
/// The errors of a command, except for its exit status.
pub(super) async fn probe(release: &Connection) -> Result<Option<MigrationState>, Error> {
    let output = state_command(release).probe().warn().hide(Hide::Both).capture_all().await?;
    if output.ok()? { Ok(Some(parse_json_line(&output)?)) } else { Ok(None) }
}

/// Returns the command that prints the migration state. The command counts as a change: in a dry
/// run, a new release does not exist.
fn state_command(release: &Connection) -> fabrs::Command {
    let command = release.v_run("python manage.py shell --verbosity 0").stdin(STATE_SCRIPT);
    command.named("read the state of the migrations").hide(Hide::Stdout)
}

/// Parses the last migration of each application.
///
/// # Errors
///
/// [`ErrorKind::Task`] if the output has no line marked with `fabrs:`.
pub(super) fn parse_heads(output: &Output) -> Result<Vec<String>, Error> {
    parse_json_line(output)
}

/// Parses the JSON line of a script, marked with `fabrs:`. A project may print other lines while
/// Django loads.
pub(super) fn parse_json_line<T: DeserializeOwned>(output: &Output) -> Result<T, Error> {
    let text = output.stdout()?;
    let line = text.lines().find_map(|line| line.strip_prefix("fabrs:"));
    let known = line.and_then(|line| serde_json::from_str(line).ok());
    known.ok_or_else(|| Error::new(ErrorKind::Task, "Django printed no migration state").on(output.host()))
}
