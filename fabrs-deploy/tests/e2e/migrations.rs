//! Migrations and failures: the database is a part of the state, on the terminal, in the mail, in the status and for every way
//! to another release.

use std::fs;
use std::process::Command;

use fabrs_testing::{FabOutput, SiteHosts};

use crate::database::PASSWORD;
use crate::project::Build;
use crate::shoppers::order;
use crate::world::World;

/// Adds a column that an insert has to name.
const SEAT: &str = r#"from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_orders")]
    operations = [migrations.AddField("Order", "seat", models.CharField(max_length=10, default=""))]
"#;

/// Adds a column that an insert need not name.
const ROW: &str = r#"from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_orders")]
    operations = [migrations.AddField("Order", "row", models.CharField(max_length=10, null=True))]
"#;

/// Fails.
const BROKEN: &str = r#"from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_row")]
    operations = [migrations.RunSQL("SELECT 1 / 0")]
"#;

/// The world with a shop that was deployed twice.
fn deployed() -> Option<(World, String)> {
    let world = World::new()?;
    world.build(Build::First);
    world.fab(&["setup"], 0);
    for host in 0..SiteHosts::HOSTS.len() {
        let settings = format!(
            "SECRET_KEY=abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvwxyz\nDATABASE_URL={}\nALLOWED_HOSTS=localhost\n",
            world.database.url()
        );
        world.fleet.write(host, "shared/.env", &settings);
    }
    world.fab(&["deploy"], 0);
    world.mailbox.receive();
    world.origin.build("deployable-2", &[("note", "the same code")]);
    world.fab(&["deploy"], 0);
    world.mailbox.receive();
    let live = world.fleet.current()[0].clone();
    Some((world, live))
}

impl World {
    /// Makes a build with these migrations of the orders, and these fields of the model besides.
    fn build_with(&self, tag: &str, fields: &str, migrations: &[(&str, &str)], works: bool) {
        Build::First.write(&self.origin.tree());
        let orders = self.origin.tree().join("orders");
        let models = fs::read_to_string(orders.join("models.py")).expect("it was written");
        let views = fs::read_to_string(orders.join("views.py")).expect("it was written");
        let health = if works { views } else { views.replace("SELECT 1", "SELECT no_such_column") };
        for old in ["0002_seat.py", "0002_row.py", "0003_broken.py"] {
            // Of an earlier build.
            let _gone = fs::remove_file(orders.join("migrations").join(old));
        }
        for (name, text) in migrations {
            fs::write(orders.join("migrations").join(name), text).expect("the folder is ours");
        }
        let models = models + fields;
        self.origin.build(tag, &[("orders/models.py", &models), ("orders/views.py", &health), ("note", tag)]);
    }

    /// Runs a line that a person has found in a text, on the host that migrates.
    fn type_in(&self, line: &str) {
        let ran = Command::new("runuser").args(["-u", self.fleet.hosts[0].user(), "--", "sh", "-c", line]).output();
        let ran = ran.expect("runuser is there");
        assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// Checks that a text names the migration and the snapshot, and returns the command that restores it.
#[track_caller]
fn restores(text: &str, release: &str, migration: &str) -> String {
    let ahead = format!("the database has migrations unknown to {release}: {migration}\n");
    assert!(text.contains(&ahead) && text.contains("snapshot: ") && !text.contains(PASSWORD), "{text}");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("restore: "));
    line.expect("it says how").to_owned()
}

/// Returns the text of a mail, without the line ends of its encoding (RFC 2045, quoted-printable).
fn decoded(mail: &str) -> String {
    mail.replace('\r', "").replace("=\n", "").replace("=3D", "=")
}

fn refused(ran: &FabOutput, migration: &str) {
    let text = &ran.stderr;
    assert!(text.contains("the database has migrations unknown to ") && text.contains(migration), "{text}");
    assert!(text.contains("restore the database (snapshot: "), "{text}");
}

#[test]
fn a_deploy_that_is_reverted_after_its_migration_is_told_of_everywhere_and_guards_every_way_back() {
    let Some((world, live)) = deployed() else { return };
    let addr = world.balancer.addr();
    assert_eq!(order(addr), "302");

    let seat = "    seat = models.CharField(max_length=10, default=\"\")\n";
    world.build_with("deployable-3", seat, &[("0002_seat.py", SEAT)], false);
    let planned = world.fab(&["-n", "deploy"], 0).stderr;
    for part in [
        "  orders.0002_seat\n",
        "Add field seat to Order",
        "warning: orders.0002_seat makes orders.Order.seat NOT NULL",
    ] {
        assert!(planned.contains(part), "{part}: {planned}");
    }
    let failed = world.fab(&["deploy"], 1);
    let restore = restores(&failed.stderr, &live, "orders.0002_seat");
    assert!(failed.stderr.find("orders.Order.seat NOT NULL") < failed.stderr.find("building "), "it is approved first");
    assert_eq!(restores(&decoded(&world.mailbox.receive()), &live, "orders.0002_seat"), restore);
    assert_eq!(restores(&world.fab(&["status"], 0).stdout, &live, "orders.0002_seat"), restore);
    assert_eq!(restores(&world.fab(&["releases"], 0).stdout, &live, "orders.0002_seat"), restore);
    assert_eq!(world.fleet.current(), [0, 1, 2].map(|_| live.clone()));
    assert_eq!(order(addr), "500", "what was warned of");

    refused(&world.fab(&["deploy", "--revision", "deployable-1"], 1), "orders.0002_seat");
    refused(&world.fab(&["rollback"], 1), "orders.0002_seat");
    world.build_with("deployable-4", "", &[], true);
    refused(&world.fab(&["deploy"], 1), "orders.0002_seat");
    assert_eq!(world.fleet.current(), [0, 1, 2].map(|_| live.clone()));

    world.type_in(&restore);
    assert_eq!(order(addr), "302");
    assert!(!world.fab(&["status"], 0).stdout.contains("unknown to"));
    world.fab(&["deploy"], 0);
    world.mailbox.receive();

    // A migration that fails after another one has succeeded.
    let live = world.fleet.current()[0].clone();
    let row = "    row = models.CharField(max_length=10, null=True)\n";
    world.build_with("deployable-5", row, &[("0002_row.py", ROW), ("0003_broken.py", BROKEN)], true);
    let failed = world.fab(&["deploy"], 1);
    restores(&failed.stderr, &live, "orders.0002_row");
    assert!(failed.stderr.contains("division by zero"), "{}", failed.stderr);
    restores(&decoded(&world.mailbox.receive()), &live, "orders.0002_row");
    refused(&world.fab(&["rollback"], 1), "orders.0002_row");
    world.fab(&["rollback", "--allow-unknown-migrations"], 0);
    let mail = decoded(&world.mailbox.receive());
    assert!(mail.contains("unknown to ") && mail.contains(": orders.0002_row"), "{mail}");
    assert_eq!(order(addr), "302");
}
