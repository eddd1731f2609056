//! The life of a shop from an empty host to a contract migration, with clients during all deploys.

use std::time::Duration;

use fabrs_testing::{SiteHosts, wait_until};

use crate::project::Build;
use crate::shoppers::{Shoppers, browse};
use crate::world::World;

/// The time limit of a wait.
const LIMIT: Duration = Duration::from_mins(1);

/// The columns of the orders in the database.
const COLUMNS: &str = "SELECT string_agg(column_name, ' ' ORDER BY ordinal_position) FROM information_schema.columns \
     WHERE table_name = 'orders_order'";

#[test]
fn a_series_of_deploys_fails_no_request() {
    let Some(world) = World::new() else { return };
    world.build(Build::First);

    let planned = world.fab(&["-n", "setup"], 0);
    assert_eq!(planned.stderr.matches("would put conf/supervisord.conf.j2 -> ").count(), 3, "{}", planned.stderr);
    assert!([0, 1, 2].iter().all(|host| !world.fleet.root(*host).exists()), "a dry run creates nothing");

    // A new host has no settings yet, so the deploy is refused.
    world.fab(&["setup"], 0);
    let refused = world.fab(&["deploy"], 1);
    for (host, name) in SiteHosts::HOSTS.iter().enumerate() {
        let missing = format!("{name}: `{}/shared/.env` is missing", world.fleet.root(host).display());
        assert!(refused.stderr.contains(&missing), "{}", refused.stderr);
        let settings = format!(
            "SECRET_KEY=what-only-{name}-knows-abcdefghijklmnopqrstuvwxyz-0123456789\nDATABASE_URL={}\nALLOWED_HOSTS=localhost\n",
            world.database.url()
        );
        world.fleet.write(host, "shared/.env", &settings);
    }

    world.fab(&["deploy"], 0);
    let first = world.fleet.current();
    assert!(first.iter().all(|release| release.len() == 14 && *release == first[0]), "{first:?}");
    assert_eq!(world.database.query(COLUMNS).as_deref(), Some("id article notes shipped"));
    let manifest =
        std::fs::read_to_string(world.fleet.root(2).join("current/.fabrs-release.json")).expect("the manifest exists");
    assert!(manifest.contains("orders.0001_orders") && manifest.contains("\"name\":\"deployable-1\""), "{manifest}");
    let page = browse(world.balancer.addr());
    assert!(page.contains("The shop") && page.contains(&first[0]), "{page}");

    let mail = world.mailbox.receive();
    assert!(mail.contains("Subject: deploy live: deployable-1 (") && mail.contains("web3  on "), "{mail}");

    let shoppers = Shoppers::at(world.balancer.addr());
    wait_until("the worker ships an order", LIMIT, || {
        world.database.query("SELECT count(*) > 0 FROM orders_order WHERE shipped").as_deref() == Some("t")
    });

    world.build(Build::Expanded);
    let planned = world.fab(&["-n", "deploy"], 0);
    for part in [
        "lock `deploy` on 3 hosts",
        "pip install",
        "collectstatic",
        "pg_dump",
        "migrate",
        "signal HUP",
        "mail to shop@",
    ] {
        assert!(planned.stderr.contains(part), "{part}: {}", planned.stderr);
    }
    assert_eq!(
        (world.fleet.current(), world.database.query(COLUMNS)),
        (first.clone(), Some("id article notes shipped".to_owned()))
    );
    let expanded = world.fab(&["deploy"], 0);
    assert!(expanded.stderr.contains("orders.0002_comment"), "{}", expanded.stderr);
    assert_eq!(world.database.query(COLUMNS).as_deref(), Some("id article notes shipped comment"));
    let mail = world.mailbox.receive();
    assert!(mail.contains("commits since deployable-1") && mail.contains(" deployable-2 (Ann)"), "{mail}");
    let second = world.fleet.current();
    assert!(second.iter().all(|release| *release > first[0]), "{second:?}");

    for host in [0, 2] {
        let settings = std::fs::read_to_string(world.fleet.root(host).join("shared/.env")).expect("the file exists");
        world.fleet.write(host, "shared/.env", &format!("{settings}WAREHOUSE=north\n"));
    }
    world.build(Build::Demanding);
    let failed = world.fab(&["deploy"], 1);
    assert!(failed.stderr.contains("web2") && failed.stderr.contains("back on"), "{}", failed.stderr);
    assert_eq!(world.fleet.current(), second);
    let mail = world.mailbox.receive();
    assert!(mail.contains("Subject: deploy failed: deployable-3 (") && mail.contains("web1  back on "), "{mail}");
    let status = world.fab(&["status"], 0);
    assert_eq!(status.stdout.matches(&second[0]).count(), 3, "{}", status.stdout);
    assert!(browse(world.balancer.addr()).contains(&second[0]));

    let refused = world.fab(&["rollback"], 1);
    assert!(refused.stderr.contains("orders.0002_comment"), "{}", refused.stderr);
    world.fab(&["rollback", "--allow-unknown-migrations"], 0);
    assert_eq!(world.fleet.current(), first);
    assert!(world.mailbox.receive().contains("Subject: rollback live: deployable-1 ("));
    assert!(browse(world.balancer.addr()).contains(&first[0]));

    world.fab(&["deploy", "--revision", "deployable-2"], 0);
    let third = world.fleet.current();
    assert!(third.iter().all(|release| *release > second[0]), "{third:?}");

    world.build(Build::Contracted);
    let contracted = world.fab(&["deploy"], 0);
    assert!(contracted.stderr.contains("orders.0003_no_notes drops orders.Order.notes"), "{}", contracted.stderr);
    assert_eq!(world.database.query(COLUMNS).as_deref(), Some("id article shipped comment"));
    assert!(browse(world.balancer.addr()).contains(&world.fleet.current()[0]));

    let tags = world.origin.tags();
    for release in [&first, &second, &third, &world.fleet.current()] {
        assert!(tags.contains(&format!("deployed-staging-{}", release[0])), "{tags:?}");
    }

    world.fab(&["test"], 0);
    let seen = shoppers.stop();
    assert_eq!(seen.failed, Vec::<String>::new());
    assert!(seen.answered > 100, "{seen:?}");
    println!("{} requests were answered, none failed", seen.answered);
}
