//! Migrations of failed deploys: reported on the terminal, in the mail and in the status, and
//! checked by each later deploy and rollback.

use std::fs;

use fabrs_testing::{DatabaseServer, FabOutput, SiteHosts};

use crate::project::Build;
use crate::shop_environment::ShopEnvironment;
use crate::shoppers::order;

/// Adds a column required in every insert.
const SEAT: &str = r#"from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_orders")]
    operations = [migrations.AddField("Order", "seat", models.CharField(max_length=10, default=""))]
"#;

/// Adds a nullable column.
const ROW: &str = r#"from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_orders")]
    operations = [migrations.AddField("Order", "row", models.CharField(max_length=10, null=True))]
"#;

/// A migration that fails.
const BROKEN: &str = r#"from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_row")]
    operations = [migrations.RunSQL("SELECT 1 / 0")]
"#;

/// Returns an environment with a shop that was deployed twice.
fn deployed() -> Option<(ShopEnvironment, String)> {
    let shop = ShopEnvironment::new()?;
    shop.build(Build::First);
    shop.fab(&["setup"], 0);
    for host in 0..SiteHosts::HOSTS.len() {
        let settings = format!(
            "SECRET_KEY=abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvwxyz\nDATABASE_URL={}\nALLOWED_HOSTS=localhost\n",
            shop.database.url("shop")
        );
        shop.fleet.write(host, "shared/.env", &settings);
    }
    shop.fab(&["deploy"], 0);
    shop.mailbox.receive();
    shop.origin.build("deployable-2", &[("note", "the same code")]);
    shop.fab(&["deploy"], 0);
    shop.mailbox.receive();
    let live = shop.fleet.current()[0].clone();
    Some((shop, live))
}

impl ShopEnvironment {
    /// Creates a build with migrations and model fields of the orders.
    fn build_with(&self, tag: &str, fields: &str, migrations: &[(&str, &str)], works: bool) {
        Build::First.write(&self.origin.tree());
        let orders = self.origin.tree().join("orders");
        let models = fs::read_to_string(orders.join("models.py")).expect("the file exists");
        let views = fs::read_to_string(orders.join("views.py")).expect("the file exists");
        let health = if works { views } else { views.replace("SELECT 1", "SELECT no_such_column") };
        for old in ["0002_seat.py", "0002_row.py", "0003_broken.py"] {
            // An earlier build may have left this migration.
            let _gone = fs::remove_file(orders.join("migrations").join(old));
        }
        for (name, text) in migrations {
            fs::write(orders.join("migrations").join(name), text).expect("the directory is writable");
        }
        let models = models + fields;
        self.origin.build(tag, &[("orders/models.py", &models), ("orders/views.py", &health), ("note", tag)]);
    }

    /// Runs a restore command from a report.
    fn restore(&self, line: &str) {
        let arguments = line.strip_prefix("fab staging ").expect("the command is for fab");
        self.fab(&arguments.split(' ').collect::<Vec<_>>(), 0);
    }
}

/// Checks that a report contains the migration and the snapshot, and returns the restore command.
#[track_caller]
fn restore_command(text: &str, release: &str, migration: &str) -> String {
    let unknown = format!("the database has migrations unknown to {release}: {migration}\n");
    assert!(
        text.contains(&unknown) && text.contains("snapshot: ") && !text.contains(DatabaseServer::PASSWORD),
        "{text}"
    );
    let line = text.lines().find_map(|line| line.trim().strip_prefix("restore: "));
    line.expect("the report has a restore command").to_owned()
}

/// Decodes the soft line breaks of a mail in quoted-printable encoding (RFC 2045).
fn decoded(mail: &str) -> String {
    mail.replace('\r', "").replace("=\n", "").replace("=3D", "=")
}

fn assert_refused(ran: &FabOutput, migration: &str) {
    let text = &ran.stderr;
    assert!(text.contains("the database has migrations unknown to ") && text.contains(migration), "{text}");
    assert!(text.contains("restore the database (snapshot: "), "{text}");
}

#[test]
fn a_deploy_reverted_after_its_migration_is_reported_and_blocks_deploys_and_rollbacks() {
    let Some((shop, live)) = deployed() else { return };
    let addr = shop.balancer.addr();
    assert_eq!(order(addr), "302");

    let seat = "    seat = models.CharField(max_length=10, default=\"\")\n";
    shop.build_with("deployable-3", seat, &[("0002_seat.py", SEAT)], false);
    let planned = shop.fab(&["-n", "deploy"], 0).stderr;
    for part in [
        "  orders.0002_seat\n",
        "Add field seat to Order",
        "warning: orders.0002_seat makes orders.Order.seat NOT NULL",
    ] {
        assert!(planned.contains(part), "{part}: {planned}");
    }
    let failed = shop.fab(&["deploy"], 1);
    let restore = restore_command(&failed.stderr, &live, "orders.0002_seat");
    assert!(
        failed.stderr.find("orders.Order.seat NOT NULL") < failed.stderr.find(" build "),
        "the plan is approved before the build"
    );
    assert_eq!(restore_command(&decoded(&shop.mailbox.receive()), &live, "orders.0002_seat"), restore);
    assert_eq!(restore_command(&shop.fab(&["status"], 0).stdout, &live, "orders.0002_seat"), restore);
    assert_eq!(restore_command(&shop.fab(&["releases"], 0).stdout, &live, "orders.0002_seat"), restore);
    assert_eq!(shop.fleet.current(), [0, 1, 2].map(|_| live.clone()));
    assert_eq!(order(addr), "500", "the warning has announced this failure");

    assert_refused(&shop.fab(&["deploy", "--revision", "deployable-1"], 1), "orders.0002_seat");
    assert_refused(&shop.fab(&["rollback"], 1), "orders.0002_seat");
    shop.build_with("deployable-4", "", &[], true);
    assert_refused(&shop.fab(&["deploy"], 1), "orders.0002_seat");
    assert_eq!(shop.fleet.current(), [0, 1, 2].map(|_| live.clone()));

    shop.restore(&restore);
    assert_eq!(order(addr), "302");
    assert!(!shop.fab(&["status"], 0).stdout.contains("unknown to"));
    shop.fab(&["deploy"], 0);
    shop.mailbox.receive();

    // A migration that fails after another migration has succeeded.
    let live = shop.fleet.current()[0].clone();
    let row = "    row = models.CharField(max_length=10, null=True)\n";
    shop.build_with("deployable-5", row, &[("0002_row.py", ROW), ("0003_broken.py", BROKEN)], true);
    let failed = shop.fab(&["deploy"], 1);
    restore_command(&failed.stderr, &live, "orders.0002_row");
    assert!(failed.stderr.contains("division by zero"), "{}", failed.stderr);
    restore_command(&decoded(&shop.mailbox.receive()), &live, "orders.0002_row");
    assert_refused(&shop.fab(&["rollback"], 1), "orders.0002_row");
    shop.fab(&["rollback", "--allow-unknown-migrations"], 0);
    let mail = decoded(&shop.mailbox.receive());
    assert!(mail.contains("unknown to ") && mail.contains(": orders.0002_row"), "{mail}");
    assert_eq!(order(addr), "302");
}
