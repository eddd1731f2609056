//! What is to be done to the database, in what order, and what of it the live release could not bear.

use std::collections::{BTreeMap, HashMap};

use fabrs::{Connection, Error, ErrorKind, Hide, Output, ShellLine};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::step::App;

use super::migrate_to;

/// What a release says of the database.
const LOOK: &str = include_str!("migrations.py");

/// What a release knows of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Known {
    /// What it would do, in order.
    pending: Vec<Migration>,
    /// What was done that it does not know.
    unknown: Vec<String>,
    /// The fields of its models, by application and model.
    models: HashMap<String, HashMap<String, Vec<String>>>,
}

/// A migration that is not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Migration {
    app: String,
    name: String,
    /// What it does, in Django's words.
    does: Vec<String>,
    /// What it takes away: application, model, and the field or all of it.
    drops: Vec<(String, String, Option<String>)>,
}

/// The migrations that a release brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Migrations {
    pending: Vec<Migration>,
    /// What each of them drops that the live release still uses, in the same order.
    still_used: Vec<Vec<String>>,
}

impl Migrations {
    /// Asks a release what it would do to the database; nothing, where it is not there since this is a dry run.
    ///
    /// # Errors
    ///
    /// As any command: where the database can't be reached.
    pub(super) async fn pending(app: &App) -> Result<Option<Self>, Error> {
        let said = look(app.connection()).await?;
        if !said.was_run() {
            return Ok(None);
        }
        Ok(Some(Self::of(read(&said)?)))
    }

    fn of(known: Known) -> Self {
        let still_used = known.pending.iter().map(|_| Vec::new()).collect();
        Self { pending: known.pending, still_used }
    }

    /// Asks the release that is live, if there is one, which of what goes it still uses.
    ///
    /// # Errors
    ///
    /// As [`pending`](Self::pending).
    pub(super) async fn ask_the_live_release(&mut self, app: &App) -> Result<(), Error> {
        if self.pending.iter().all(|migration| migration.drops.is_empty()) {
            return Ok(());
        }
        let current = format!("{}/current", app.root());
        if !app.connection().is_dir(&current).await? {
            return Ok(());
        }
        let live = app.connection().cd(&current).venv(format!("{current}/env"));
        let said = look(&live).await?;
        if said.was_run() {
            self.compare(&read(&said)?);
        }
        Ok(())
    }

    fn compare(&mut self, live: &Known) {
        let uses = |(app, model, field): &(String, String, Option<String>)| {
            let fields = live.models.get(app)?.get(&model.to_lowercase())?;
            match field {
                None => Some(format!("{app}.{model}")),
                Some(field) => fields.contains(field).then(|| format!("{app}.{model}.{field}")),
            }
        };
        self.still_used =
            self.pending.iter().map(|migration| migration.drops.iter().filter_map(uses).collect()).collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns how many of them are done before the switch: all, up to the first that the live release could not bear, where
    /// only such ones follow.
    fn bearable(&self) -> usize {
        let first = self.still_used.iter().position(|used| !used.is_empty());
        let first = first.unwrap_or(self.pending.len());
        // What the new release needs can't wait behind what the old one still uses.
        let only_drops = self.pending.iter().skip(first).all(|migration| !migration.drops.is_empty());
        if only_drops { first } else { self.pending.len() }
    }

    /// Returns the plan, as a person is shown it.
    pub(super) fn plan(&self) -> String {
        if self.pending.is_empty() {
            return "migrations: none".to_owned();
        }
        let bearable = self.bearable();
        let mut lines = vec!["migrations:".to_owned()];
        for (n, migration) in self.pending.iter().enumerate() {
            let when = if n < bearable { "" } else { " (when the new release is live)" };
            lines.push(format!("  {}.{}{when}", migration.app, migration.name));
            lines.extend(migration.does.iter().map(|does| format!("    {does}")));
        }
        lines.join("\n")
    }

    /// Returns what a person is warned of.
    pub(super) fn warnings(&self) -> Vec<String> {
        let bearable = self.bearable();
        let used = self.pending.iter().zip(&self.still_used).enumerate().filter(|(_, (_, used))| !used.is_empty());
        used.map(|(n, (migration, used))| {
            let used = used.join(", ");
            let (app, name) = (&migration.app, &migration.name);
            if n < bearable {
                format!(
                    "{app}.{name} drops {used}, which the live release still uses: its requests will fail until the switch, since a later \
                     migration can't wait for it; ship the code that stops using it first, and drop in a deploy of its own"
                )
            } else {
                format!(
                    "{app}.{name} drops {used}, which the live release still uses: it is done when the new one is live everywhere, and \
                     there is no way back from then on; ship the code that stops using it first, and drop in a deploy of its own"
                )
            }
        })
        .collect()
    }

    /// Returns the lines that migrate as far as the live release can bear.
    pub(super) fn before_the_switch(&self) -> Vec<ShellLine> {
        let bearable = self.bearable();
        if bearable == self.pending.len() {
            return vec![ShellLine::raw("python manage.py migrate --noinput")];
        }
        // For each application as far as it goes; in the order of the plan, so that what one needs of another is there.
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for (n, migration) in self.pending.iter().take(bearable).enumerate() {
            last.insert(&migration.app, n);
        }
        let mut ends: Vec<usize> = last.into_values().collect();
        ends.sort_unstable();
        let ends = ends.into_iter().filter_map(|n| self.pending.get(n));
        ends.map(|migration| migrate_to(&migration.app, &migration.name)).collect()
    }

    /// Returns what was done to the database that a release does not know, and the one that is live does.
    ///
    /// # Errors
    ///
    /// As [`pending`](Self::pending).
    pub(super) async fn unknown_to(app: &App) -> Result<Vec<String>, Error> {
        let current = format!("{}/current", app.root());
        let live = app.connection().cd(&current).venv(format!("{current}/env"));
        let target: Known = read(&look(app.connection()).probe().await?)?;
        // A release that can't even be loaded is what one goes back from: it knows nothing.
        let live = look(&live).probe().warn().hide(Hide::Both).await?;
        let live = if live.ok()? { read::<Known>(&live)?.unknown } else { Vec::new() };
        Ok(target.unknown.into_iter().filter(|unknown| !live.contains(unknown)).collect())
    }
}

/// Asks a release; a change as far as a dry run goes, where that release is not there.
fn look(release: &Connection) -> fabrs::Command {
    release.v_run("python manage.py shell --verbosity 0").stdin(LOOK).hide(Hide::Stdout)
}

/// Reads the last migration of each application that a release brings.
///
/// # Errors
///
/// [`ErrorKind::Task`] where Django did not say so.
pub(super) fn heads(said: &Output) -> Result<Vec<String>, Error> {
    read(said)
}

/// Reads the line that is for us: whatever else a project prints while it is loaded is not.
fn read<T: DeserializeOwned>(said: &Output) -> Result<T, Error> {
    let text = said.stdout()?;
    let line = text.lines().find_map(|line| line.strip_prefix("fabrs:"));
    let known = line.and_then(|line| serde_json::from_str(line).ok());
    known.ok_or_else(|| Error::new(ErrorKind::Task, "Django did not say what it knows of migrations").on(said.host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a migration; what it drops as `model.field`, or a model.
    fn migration(app: &str, name: &str, drops: &[&str]) -> Migration {
        let drops = drops.iter().map(|drop| match drop.split_once('.') {
            Some((model, field)) => (app.to_owned(), model.to_owned(), Some(field.to_owned())),
            None => (app.to_owned(), (*drop).to_owned(), None),
        });
        Migration { app: app.to_owned(), name: name.to_owned(), does: Vec::new(), drops: drops.collect() }
    }

    /// Compares with a live release that has `shop.order` with `id` and `notes`.
    fn compared(pending: Vec<Migration>) -> Migrations {
        let mut migrations = Migrations::of(Known { pending, ..Known::default() });
        let order = HashMap::from([("order".to_owned(), vec!["id".to_owned(), "notes".to_owned()])]);
        migrations.compare(&Known { models: HashMap::from([("shop".to_owned(), order)]), ..Known::default() });
        migrations
    }

    fn lines(migrations: &Migrations) -> Vec<String> {
        migrations.before_the_switch().iter().map(|line| line.as_str().to_owned()).collect()
    }

    #[test]
    fn what_only_adds_is_done_at_once() {
        let migrations = compared(vec![migration("shop", "0002_total", &[])]);
        assert_eq!(lines(&migrations), ["python manage.py migrate --noinput"]);
        assert_eq!(migrations.warnings(), Vec::<String>::new());
    }

    #[test]
    fn what_nobody_uses_any_more_may_be_dropped_before_the_switch() {
        let migrations =
            compared(vec![migration("shop", "0003_drop", &["Order.old"]), migration("shop", "0004", &["Cart"])]);
        assert_eq!(lines(&migrations), ["python manage.py migrate --noinput"]);
        assert_eq!(migrations.warnings(), Vec::<String>::new());
    }

    #[test]
    fn what_the_live_release_uses_is_dropped_when_it_is_gone_and_warned_of() {
        let migrations = compared(vec![
            migration("mail", "0001", &[]),
            migration("shop", "0002_total", &[]),
            migration("shop", "0003_drop", &["Order.notes"]),
        ]);
        let to = |end| format!("python manage.py migrate --noinput {end}");
        assert_eq!(lines(&migrations), [to("mail 0001"), to("shop 0002_total")]);
        let warnings = migrations.warnings();
        assert!(warnings[0].contains("shop.0003_drop drops shop.Order.notes") && warnings.len() == 1, "{warnings:?}");
        assert!(migrations.plan().contains("shop.0003_drop (when the new release is live)"), "{}", migrations.plan());
    }

    #[test]
    fn what_the_new_release_needs_does_not_wait_behind_a_drop() {
        let migrations = compared(vec![migration("shop", "0002", &["Order"]), migration("shop", "0003_total", &[])]);
        assert_eq!(lines(&migrations), ["python manage.py migrate --noinput"]);
        assert!(migrations.warnings()[0].contains("will fail until the switch"), "{:?}", migrations.warnings());
    }

    #[test]
    fn a_drop_and_nothing_else_leaves_nothing_to_do_before() {
        let migrations = compared(vec![migration("shop", "0002", &["Order.notes"])]);
        assert_eq!(lines(&migrations), Vec::<String>::new());
    }
}
