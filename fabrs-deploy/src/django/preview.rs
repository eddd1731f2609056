//! The migrations of a build that is not on any host yet: read from the repository, and never run.

use std::collections::{HashMap, HashSet};

use fabrs::{Connection, Error, Hide, cmd};
use serde::Deserialize;

use super::plan::{LiveCode, Migrations};
use super::state::{self, Migration, MigrationState, parse_json_line};
use crate::database::inspector::{BuildSource, MigrationPlan};
use crate::source::CommitFile;
use crate::step::App;

/// Reads migrations without running them.
const PREVIEW_SCRIPT: &str = include_str!("preview.py");

/// What a migration does, by its source.
#[derive(Debug, Deserialize)]
struct MigrationSummary {
    does: Vec<String>,
    /// Model and field, or all of a model.
    drops: Vec<(String, Option<String>)>,
    renames: Vec<(String, Option<String>)>,
    adds: Vec<(String, Option<String>)>,
    /// The fields that must not be empty afterwards.
    alters: Vec<(String, Option<String>)>,
    is_removal: bool,
}

/// Makes the plan of migrations that can't be known before the build.
fn unknown_plan(why: &str) -> MigrationPlan {
    let text = format!(
        "migrations: unknown until the build ({why}); in a protected environment they need a second approval\n"
    );
    MigrationPlan { text, ..MigrationPlan::default() }
}

/// Returns the migrations that a build would bring.
///
/// # Errors
///
/// As any command.
pub(super) async fn plan(live: Option<App>, build: BuildSource<'_>) -> Result<MigrationPlan, Error> {
    let known = match &live {
        None => None,
        Some(app) => match state::probe(app.connection()).await? {
            Some(known) => Some(known),
            None => return Ok(unknown_plan("the live release can't be loaded")),
        },
    };
    let Some(files) = build.source.migration_files(build.host, build.layout, build.commit).await? else {
        return Ok(unknown_plan("the commit is in no repository that can be read"));
    };
    let python = live.as_ref().map_or_else(|| build.host.clone(), |app| app.connection().clone());
    planned(known.as_ref(), &files, &python, live.is_some()).await
}

async fn planned(
    known: Option<&MigrationState>,
    files: &[CommitFile],
    python: &Connection,
    has_live: bool,
) -> Result<MigrationPlan, Error> {
    let no_folders = HashMap::new();
    let folders = known.map_or(&no_folders, |known| &known.folders);
    let named: Vec<(&CommitFile, String, String)> = files
        .iter()
        .filter_map(|file| {
            let (app, name) = migration_label(&file.path, folders)?;
            Some((file, app, name))
        })
        .collect();
    let all: HashSet<String> = named.iter().map(|(_, app, name)| format!("{app}.{name}")).collect();
    let no_applied = HashSet::new();
    let applied = known.map_or(&no_applied, |known| &known.applied);
    let mut new: Vec<_> = named.iter().filter(|(_, app, name)| !applied.contains(&format!("{app}.{name}"))).collect();
    new.sort_by(|(_, app, name), (_, other_app, other)| (app, name).cmp(&(other_app, other)));
    // Of an application without a migration in the repository, only the build can tell.
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
        let said = line.probe().named("read the migrations").stdin(input).warn().hide(Hide::Both).capture_all().await?;
        if !said.ok()? {
            return Ok(unknown_plan("the host has no Python that can read them"));
        }
        parse_json_line(&said)?
    };
    let pending =
        new.iter().zip(summaries).map(|((_, app, name), summary)| build_migration(app, name, summary, known)).collect();
    let live = known.map_or(LiveCode::Absent, |known| LiveCode::Models(known.models.clone()));
    let migrations = Migrations::compare(pending, &live);
    let mut text = migrations.plan() + "\n";
    text.extend(migrations.warnings().iter().map(|warning| format!("warning: {warning}\n")));
    if !unknown.is_empty() {
        text.extend(["the database has migrations unknown to this build: ", &unknown.join(", "), "\n"]);
    }
    Ok(MigrationPlan { text, names: Some(migrations.names()), unknown })
}

fn build_migration(app: &str, name: &str, mut summary: MigrationSummary, known: Option<&MigrationState>) -> Migration {
    // Of a field that the database lets be empty now.
    let is_new = |(model, field): &(String, Option<String>)| {
        let name = format!("{app}.{}.{}", model.to_lowercase(), field.as_deref().unwrap_or_default());
        known.is_some_and(|known| known.nullable.contains(&name))
    };
    summary.adds.extend(summary.alters.into_iter().filter(is_new));
    let column = |(model, field): (String, Option<String>)| (app.to_owned(), model, field, false);
    let columns = |all: Vec<(String, Option<String>)>| all.into_iter().map(column).collect();
    Migration {
        app: app.to_owned(),
        name: name.to_owned(),
        does: summary.does,
        drops: columns(summary.drops),
        renames: columns(summary.renames),
        adds: columns(summary.adds),
        is_removal: summary.is_removal,
    }
}

/// Returns the application and the name of a migration by its path; nothing, where a file is none.
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
    fn an_application_is_named_as_django_does() {
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
    async fn a_migration_is_read_and_not_run() {
        let source = "from django.db import migrations, models\nraise SystemExit('it was run')\n\
            class Migration(migrations.Migration):\n    operations = [\n\
            migrations.AddField('Booking', 'seat', models.CharField(default='')),\n\
            migrations.AddField(model_name='Booking', name='row', field=models.IntegerField(null=True)),\n\
            migrations.RemoveField('Booking', 'note'),\n migrations.RunPython(forwards)]\n";
        let files = [CommitFile { path: "events/migrations/0003_seat.py".to_owned(), text: source.to_owned() }];
        let fields = vec!["id".to_owned(), "note".to_owned()];
        let known = MigrationState {
            applied: HashSet::from(["events.0002".to_owned(), "auth.0001".to_owned()]),
            models: HashMap::from([("events".to_owned(), HashMap::from([("booking".to_owned(), fields)]))]),
            ..MigrationState::default()
        };
        let here = fabrs::Client::builder().build().local().unwrap();
        let plan = planned(Some(&known), &files, &here, false).await.unwrap();
        assert_eq!(plan.names.as_deref(), Some(&["events.0003_seat".to_owned()][..]));
        assert_eq!(plan.unknown, ["events.0002"], "that of a package is not of the project");
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
