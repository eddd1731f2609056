//! The migration plan: migrations before and after the switch, with warnings.

use std::collections::BTreeMap;

use fabrs::ShellLine;

use super::manage::migrate_to;
use super::state::{Column, Migration, Models};

/// The code that is live while a release is migrated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LiveCode {
    /// No release is live.
    Absent,
    /// A release with these models.
    Models(Models),
    /// A release that cannot be loaded. It may use all columns and tables.
    Unknown,
}

/// The pending migrations of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Migrations {
    pending: Vec<Migration>,
    /// For each migration, the dropped or renamed columns and tables used by the live release.
    still_used: Vec<Vec<String>>,
    /// For each migration, the new required columns missing in inserts by the live release.
    new_required_columns: Vec<Vec<String>>,
}

impl Migrations {
    /// Compares pending migrations with the models of the live code.
    pub(super) fn compare(pending: Vec<Migration>, live: &LiveCode) -> Self {
        let name = |(app, model, field, _): &Column| match field {
            None => format!("{app}.{model}"),
            Some(field) => format!("{app}.{model}.{field}"),
        };
        let has = |(app, model, ..): &Column, field: Option<&String>| match live {
            LiveCode::Absent => false,
            LiveCode::Unknown => true,
            LiveCode::Models(models) => models
                .get(app)
                .and_then(|models| models.get(&model.to_lowercase()))
                .is_some_and(|fields| field.is_none_or(|field| fields.contains(field))),
        };
        let is_used = |column: &&Column| has(column, column.2.as_ref());
        // The live release inserts no rows into an unknown table.
        let has_table = |column: &&Column| has(column, None);
        let names = |columns: Vec<&Column>| columns.into_iter().map(name).collect();
        let still_used = pending
            .iter()
            .map(|migration| names(migration.drops.iter().chain(&migration.renames).filter(is_used).collect()))
            .collect();
        let new_required_columns =
            pending.iter().map(|migration| names(migration.adds.iter().filter(has_table).collect())).collect();
        Self { pending, still_used, new_required_columns }
    }

    /// Returns the full names in the order of the migrations.
    pub(super) fn names(&self) -> Vec<String> {
        self.pending.iter().map(Migration::full_name).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns the number of migrations before the switch: the migrations before the first removal
    /// of a column or table of the live release, if only removals follow. Otherwise all migrations.
    fn count_before_switch(&self) -> usize {
        let first = self.still_used.iter().position(|used| !used.is_empty()).unwrap_or(self.pending.len());
        // The new release needs its additions at the switch, so they cannot wait behind a removal.
        let only_removals = self.pending.iter().skip(first).all(|migration| migration.is_removal);
        if only_removals { first } else { self.pending.len() }
    }

    /// Returns the columns to make nullable until their deferred drop, as JSON for the script. The
    /// new release no longer writes these columns, so its inserts would fail.
    pub(super) fn columns_to_relax(&self) -> Option<String> {
        let waiting = self.pending.iter().skip(self.count_before_switch());
        let strict = waiting
            .flat_map(|migration| &migration.drops)
            .filter(|(_, _, field, is_strict)| field.is_some() && *is_strict);
        let columns: Vec<_> = strict.map(|(app, model, field, _)| (app, model, field)).collect();
        (!columns.is_empty()).then(|| serde_json::to_string(&columns).unwrap_or_default())
    }

    /// Returns the plan as text for people.
    pub(super) fn plan(&self) -> String {
        if self.pending.is_empty() {
            return "migrations: none".to_owned();
        }
        let count_before_switch = self.count_before_switch();
        let mut lines = vec!["migrations:".to_owned()];
        for (n, migration) in self.pending.iter().enumerate() {
            let when = if n < count_before_switch { "" } else { " (when the new release is live)" };
            lines.push(format!("  {}.{}{when}", migration.app, migration.name));
            lines.extend(migration.descriptions.iter().map(|description| format!("    {description}")));
        }
        lines.join("\n")
    }

    /// Returns the warnings. Each warning ends with advice.
    pub(super) fn warnings(&self) -> Vec<String> {
        let count_before_switch = self.count_before_switch();
        let mut warnings = Vec::new();
        for (n, migration) in self.pending.iter().enumerate() {
            let name = migration.full_name();
            let of = |all: &Vec<Vec<String>>| all.get(n).filter(|some| !some.is_empty()).map(|some| some.join(", "));
            if let Some(columns) = of(&self.new_required_columns) {
                warnings.push(format!(
                    "{name} makes {columns} NOT NULL without a database default: inserts by the live release fail until the \
                     switch, and again after a revert; first add the column as nullable or with `db_default`, in a separate deploy"
                ));
            }
            let Some(used) = of(&self.still_used) else { continue };
            let verb = if migration.drops.is_empty() { "renames" } else { "drops" };
            let warning = format!("{name} {verb} {used}, used by the live release");
            warnings.push(if n < count_before_switch {
                format!("{warning}: requests to that release fail until the switch; first deploy code that no longer uses {used}")
            } else {
                format!(
                    "{warning}: the migration waits until the new release is live on all hosts, and a rollback is refused after that; \
                     first deploy code that no longer uses {used}"
                )
            });
        }
        warnings
    }

    /// Returns the commands that run the migrations before the switch.
    pub(super) fn commands_before_switch(&self) -> Vec<ShellLine> {
        let count_before_switch = self.count_before_switch();
        if count_before_switch == self.pending.len() {
            return vec![ShellLine::raw("python manage.py migrate --noinput")];
        }
        // One command for the last migration of each application, in the order of the plan. The
        // order keeps dependencies between applications.
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for (n, migration) in self.pending.iter().take(count_before_switch).enumerate() {
            last.insert(&migration.app, n);
        }
        let mut targets: Vec<usize> = last.into_values().collect();
        targets.sort_unstable();
        let targets = targets.into_iter().filter_map(|n| self.pending.get(n));
        targets.map(|migration| migrate_to(&migration.app, &migration.name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Creates a migration with drops (`model.field` or a model). Without drops, the migration adds
    /// a table.
    fn migration(app: &str, name: &str, drops: &[&str]) -> Migration {
        let column = |drop: &&str| match drop.split_once('.') {
            Some((model, field)) => (app.to_owned(), model.to_owned(), Some(field.to_owned()), true),
            None => (app.to_owned(), (*drop).to_owned(), None, false),
        };
        Migration {
            app: app.to_owned(),
            name: name.to_owned(),
            drops: drops.iter().map(column).collect(),
            is_removal: !drops.is_empty(),
            ..Migration::default()
        }
    }

    /// Compares with a live release with the model `shop.order` and its fields `id` and `notes`.
    fn compared(pending: Vec<Migration>) -> Migrations {
        let order = HashMap::from([("order".to_owned(), vec!["id".to_owned(), "notes".to_owned()])]);
        Migrations::compare(pending, &LiveCode::Models(HashMap::from([("shop".to_owned(), order)])))
    }

    fn lines(migrations: &Migrations) -> Vec<String> {
        migrations.commands_before_switch().iter().map(|line| line.as_str().to_owned()).collect()
    }

    #[test]
    fn an_addition_runs_before_the_switch() {
        let migrations = compared(vec![migration("shop", "0002_total", &[])]);
        assert_eq!(lines(&migrations), ["python manage.py migrate --noinput"]);
        assert_eq!(migrations.warnings(), Vec::<String>::new());
    }

    #[test]
    fn an_unused_column_is_dropped_before_the_switch() {
        let migrations =
            compared(vec![migration("shop", "0003_drop", &["Order.old"]), migration("shop", "0004", &["Cart"])]);
        assert_eq!(lines(&migrations), ["python manage.py migrate --noinput"]);
        assert_eq!(migrations.warnings(), Vec::<String>::new());
        assert_eq!(migrations.columns_to_relax(), None);
    }

    #[test]
    fn a_column_of_the_live_release_is_made_nullable_and_dropped_after_the_switch() {
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
        assert_eq!(migrations.columns_to_relax().as_deref(), Some(r#"[["shop","Order","notes"]]"#));
    }

    #[test]
    fn an_addition_is_not_deferred_behind_a_drop() {
        let migrations = compared(vec![migration("shop", "0002", &["Order"]), migration("shop", "0003_total", &[])]);
        assert_eq!(lines(&migrations), ["python manage.py migrate --noinput"]);
        assert!(migrations.warnings()[0].contains("fail until the switch"), "{:?}", migrations.warnings());

        let mixed = Migration { is_removal: false, ..migration("shop", "0002", &["Order.notes"]) };
        assert_eq!(lines(&compared(vec![mixed])), ["python manage.py migrate --noinput"]);
    }

    #[test]
    fn a_rename_causes_a_warning_and_is_not_deferred() {
        let renames = vec![("shop".to_owned(), "Order".to_owned(), Some("notes".to_owned()), false)];
        let migrations = compared(vec![Migration { renames, ..migration("shop", "0002", &[]) }]);
        assert_eq!(lines(&migrations), ["python manage.py migrate --noinput"]);
        assert!(
            migrations.warnings()[0].starts_with("shop.0002 renames shop.Order.notes"),
            "{:?}",
            migrations.warnings()
        );
    }

    #[test]
    fn a_required_column_causes_a_warning_for_a_table_of_the_live_release_only() {
        let adds = |model: &str| {
            let adds = vec![("shop".to_owned(), model.to_owned(), Some("seat".to_owned()), true)];
            compared(vec![Migration { adds, ..migration("shop", "0002", &[]) }]).warnings()
        };
        assert!(adds("Order")[0].starts_with("shop.0002 makes shop.Order.seat NOT NULL"), "{:?}", adds("Order"));
        assert_eq!(adds("Booking"), Vec::<String>::new());
    }

    #[test]
    fn a_drop_is_deferred_if_the_live_release_cannot_be_loaded() {
        let migrations = Migrations::compare(vec![migration("shop", "0003", &["Order.old"])], &LiveCode::Unknown);
        assert_eq!(lines(&migrations), Vec::<String>::new());
        assert_eq!(migrations.warnings().len(), 1);
    }

    #[test]
    fn a_single_deferred_drop_leaves_no_command_before_the_switch() {
        let migrations = compared(vec![migration("shop", "0002", &["Order.notes"])]);
        assert_eq!(lines(&migrations), Vec::<String>::new());
    }
}
