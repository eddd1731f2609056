//! The migration preview: parses the migrations of a build, without running them.

use std::collections::{HashMap, HashSet};

use fabrs::{Connection, Error, Hide, cmd};
use serde::Deserialize;

use super::plan::{LiveCode, Migrations};
use super::state::{self, Migration, MigrationState, parse_json_line};
use crate::database::inspector::{BuildSource, MigrationPlan};
use crate::source::CommitFile;
use crate::step::App;

/// Parses migration files and prints their operations as JSON.
const PREVIEW_SCRIPT: &str = include_str!("preview.py");

/// The operations of a migration, parsed from its source.
#[derive(Debug, Deserialize)]
struct MigrationSummary {
    descriptions: Vec<String>,
    /// The dropped columns and tables: the model, and the field (`None` for the table).
    drops: Vec<(String, Option<String>)>,
    renames: Vec<(String, Option<String>)>,
    adds: Vec<(String, Option<String>)>,
    /// The altered fields that are NOT NULL afterwards.
    alters: Vec<(String, Option<String>)>,
    is_removal: bool,
}

/// Returns a plan without names, for migrations that cannot be read before the build.
fn unknown_plan(why: &str) -> MigrationPlan {
    let text = format!(
        "migrations: unknown until the build ({why}); in a protected environment they need a second approval\n"
    );
    MigrationPlan { text, ..MigrationPlan::default() }
}

/// Returns the pending migrations of a build.
///
/// # Errors
///
/// The errors of a command.
pub(super) async fn plan(live: Option<App>, build: BuildSource<'_>) -> Result<MigrationPlan, Error> {
    let state = match &live {
        None => None,
        Some(app) => match state::probe(app.connection()).await? {
            Some(state) => Some(state),
            None => return Ok(unknown_plan("the live release cannot be loaded")),
        },
    };
    let Some(files) = build.source.migration_files(build.host, build.layout, build.commit).await? else {
        return Ok(unknown_plan("no readable repository has the commit"));
    };
    let python = live.as_ref().map_or_else(|| build.host.clone(), |app| app.connection().clone());
    planned(state.as_ref(), &files, &python, live.is_some()).await
}

async fn planned(
    state: Option<&MigrationState>,
    files: &[CommitFile],
    python: &Connection,
    has_live: bool,
) -> Result<MigrationPlan, Error> {
    let no_folders = HashMap::new();
    let folders = state.map_or(&no_folders, |state| &state.folders);
    let named: Vec<(&CommitFile, String, String)> = files
        .iter()
        .filter_map(|file| {
            let (app, name) = migration_label(&file.path, folders)?;
            Some((file, app, name))
        })
        .collect();
    let all: HashSet<String> = named.iter().map(|(_, app, name)| format!("{app}.{name}")).collect();
    let no_applied = HashSet::new();
    let applied = state.map_or(&no_applied, |state| &state.applied);
    let mut new: Vec<_> = named.iter().filter(|(_, app, name)| !applied.contains(&format!("{app}.{name}"))).collect();
    new.sort_by(|(_, app, name), (_, other_app, other)| (app, name).cmp(&(other_app, other)));
    // The migrations of an installed package are unknown before the build. Only applications with
    // migrations in the repository count.
    let own: HashSet<&str> = named.iter().map(|(_, app, _)| app.as_str()).collect();
    let is_own = |full: &&String| full.split_once('.').is_some_and(|(app, _)| own.contains(app));
    let mut unknown: Vec<String> = applied.iter().filter(|full| !all.contains(*full)).filter(is_own).cloned().collect();
    unknown.sort();

    let sources: Vec<(&str, &str)> = new.iter().map(|(file, ..)| (file.path.as_str(), file.text.as_str())).collect();
    let summaries: Vec<MigrationSummary> = if sources.is_empty() {
        Vec::new()
    } else {
        let input = serde_json::to_string(&sources).unwrap_or_default();
        let line = if has_live {
            python.v_run(cmd!("python -c {PREVIEW_SCRIPT}"))
        } else {
            python.run(cmd!("python3 -c {PREVIEW_SCRIPT}"))
        };
        let output =
            line.probe().named("read the migrations").stdin(input).warn().hide(Hide::Both).capture_all().await?;
        if !output.ok()? {
            return Ok(unknown_plan("the Python of the host cannot parse them"));
        }
        parse_json_line(&output)?
    };
    let pending =
        new.iter().zip(summaries).map(|((_, app, name), summary)| build_migration(app, name, summary, state)).collect();
    let live = state.map_or(LiveCode::Absent, |state| LiveCode::Models(state.models.clone()));
    let migrations = Migrations::compare(pending, &live);
    let mut text = migrations.plan() + "\n";
    text.extend(migrations.warnings().iter().map(|warning| format!("warning: {warning}\n")));
    if !unknown.is_empty() {
        text.extend(["the database has migrations unknown to this build: ", &unknown.join(", "), "\n"]);
    }
    Ok(MigrationPlan { text, names: Some(migrations.names()), unknown })
}

fn build_migration(app: &str, name: &str, mut summary: MigrationSummary, state: Option<&MigrationState>) -> Migration {
    // An altered field matters only if the column is nullable now.
    let is_new = |(model, field): &(String, Option<String>)| {
        let name = format!("{app}.{}.{}", model.to_lowercase(), field.as_deref().unwrap_or_default());
        state.is_some_and(|state| state.nullable.contains(&name))
    };
    summary.adds.extend(summary.alters.into_iter().filter(is_new));
    let column = |(model, field): (String, Option<String>)| (app.to_owned(), model, field, false);
    let columns = |all: Vec<(String, Option<String>)>| all.into_iter().map(column).collect();
    Migration {
        app: app.to_owned(),
        name: name.to_owned(),
        descriptions: summary.descriptions,
        drops: columns(summary.drops),
        renames: columns(summary.renames),
        adds: columns(summary.adds),
        is_removal: summary.is_removal,
    }
}

/// Returns the application and the name of a migration from its path, or `None` for another file.
fn migration_label(path: &str, folders: &HashMap<String, String>) -> Option<(String, String)> {
    let (folder, file) = path.rsplit_once('/')?;
    let app = folder.strip_suffix("/migrations").or_else(|| (folder == "migrations").then_some(""))?;
    let name = file.strip_suffix(".py").filter(|name| !name.starts_with(['_', '~']))?;
    let label = folders.get(app).cloned().or_else(|| app.rsplit('/').next().map(str::to_owned))?;
    Some((label, name.to_owned())).filter(|(label, _)| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_the_application_label_of_django() {
        let folders = HashMap::from([("apps/tickets".to_owned(), "events".to_owned())]);
        let case = |path, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(app, name)| (app.to_owned(), name.to_owned()));
            assert_eq!(migration_label(path, &folders), expected, "{path}");
        };
        case("apps/tickets/migrations/0001_initial.py", Some(("events", "0001_initial")));
        case("orders/migrations/0002_x.py", Some(("orders", "0002_x")));
        case("orders/migrations/__init__.py", None);
        case("orders/views.py", None);
    }

    #[tokio::test]
    async fn a_migration_is_parsed_and_not_run() {
        let source = "from django.db import migrations, models\nraise SystemExit('it was run')\n\
            class Migration(migrations.Migration):\n    operations = [\n\
            migrations.AddField('Booking', 'seat', models.CharField(default='')),\n\
            migrations.AddField(model_name='Booking', name='row', field=models.IntegerField(null=True)),\n\
            migrations.RemoveField('Booking', 'note'),\n migrations.RunPython(forwards)]\n";
        let files = [CommitFile { path: "events/migrations/0003_seat.py".to_owned(), text: source.to_owned() }];
        let fields = vec!["id".to_owned(), "note".to_owned()];
        let state = MigrationState {
            applied: HashSet::from(["events.0002".to_owned(), "auth.0001".to_owned()]),
            models: HashMap::from([("events".to_owned(), HashMap::from([("booking".to_owned(), fields)]))]),
            ..MigrationState::default()
        };
        let here = fabrs::Client::builder().build().local().unwrap();
        let plan = planned(Some(&state), &files, &here, false).await.unwrap();
        assert_eq!(plan.names.as_deref(), Some(&["events.0003_seat".to_owned()][..]));
        assert_eq!(plan.unknown, ["events.0002"], "migrations of packages are ignored");
        for part in [
            "    Add field seat to Booking\n",
            "    RunPython\n",
            "warning: events.0003_seat makes events.Booking.seat NOT NULL",
            "warning: events.0003_seat drops events.Booking.note",
            "unknown to this build: events.0002\n",
        ] {
            assert!(plan.text.contains(part), "{part}: {}", plan.text);
        }
        assert!(!plan.text.contains("Booking.row"), "{}", plan.text);
    }
}
