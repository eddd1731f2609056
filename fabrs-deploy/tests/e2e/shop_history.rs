//! A series of deploys of a shop, from empty hosts to a contract migration and a dark release, with
//! clients all the time.

use std::time::Duration;

use fabrs_testing::{SiteHosts, wait_until};

use crate::project::Build;
use crate::shop_environment::ShopEnvironment;
use crate::shoppers::{Shoppers, browse};

/// The time limit of a wait.
const LIMIT: Duration = Duration::from_mins(1);

/// The columns of the orders in the database.
const COLUMNS: &str = "SELECT string_agg(column_name, ' ' ORDER BY ordinal_position) FROM information_schema.columns \
     WHERE table_name = 'orders_order'";

#[test]
fn a_series_of_deploys_fails_no_request() {
    let Some(shop) = ShopEnvironment::new() else { return };
    shop.build(Build::First);

    let planned = shop.fab(&["-n", "setup"], 0);
    assert_eq!(planned.stderr.matches("would put conf/supervisord.conf.j2 -> ").count(), 3, "{}", planned.stderr);
    assert!([0, 1, 2].iter().all(|host| !shop.fleet.root(*host).exists()), "a dry run creates nothing");

    // A new host has no settings, so the deploy is refused.
    shop.fab(&["setup"], 0);
    let refused = shop.fab(&["deploy"], 1);
    for (host, name) in SiteHosts::HOSTS.iter().enumerate() {
        let missing = format!("{name}: `{}/shared/.env` is missing", shop.fleet.root(host).display());
        assert!(refused.stderr.contains(&missing), "{}", refused.stderr);
        let settings = format!(
            "SECRET_KEY=what-only-{name}-knows-abcdefghijklmnopqrstuvwxyz-0123456789\nDATABASE_URL={}\nALLOWED_HOSTS=localhost\n",
            shop.database.url("shop")
        );
        shop.fleet.write(host, "shared/.env", &settings);
    }

    shop.fab(&["deploy"], 0);
    let first = shop.fleet.current();
    assert!(first.iter().all(|release| release.len() == 14 && *release == first[0]), "{first:?}");
    assert_eq!(shop.database.query("shop", COLUMNS).as_deref(), Some("id article notes shipped"));
    let manifest =
        std::fs::read_to_string(shop.fleet.root(2).join("current/.fabrs-release.json")).expect("the manifest exists");
    assert!(manifest.contains("orders.0001_orders") && manifest.contains("\"name\":\"deployable-1\""), "{manifest}");
    assert!(manifest.contains("/shared/snapshots/shop-"), "{manifest}");
    let page = browse(shop.balancer.addr());
    assert!(page.contains("The shop") && page.contains(&first[0]), "{page}");

    let mail = shop.mailbox.receive();
    assert!(mail.contains("Subject: [shop] staging: deployed deployable-1 (") && mail.contains("web3  on "), "{mail}");

    let shoppers = Shoppers::at(shop.balancer.addr());
    wait_until("the worker ships an order", LIMIT, || {
        shop.database.query("shop", "SELECT count(*) > 0 FROM orders_order WHERE shipped").as_deref() == Some("t")
    });

    shop.build(Build::Expanded);
    let planned = shop.fab(&["-n", "deploy"], 0);
    for part in [
        "lock `deploy` on 3 hosts",
        "pip install",
        "collectstatic",
        "take a snapshot of shop",
        "migrate",
        "signal HUP",
        "mail to shop@",
    ] {
        assert!(planned.stderr.contains(part), "{part}: {}", planned.stderr);
    }
    assert_eq!(
        (shop.fleet.current(), shop.database.query("shop", COLUMNS)),
        (first.clone(), Some("id article notes shipped".to_owned()))
    );
    let expanded = shop.fab(&["deploy"], 0);
    assert!(expanded.stderr.contains("orders.0002_comment"), "{}", expanded.stderr);
    assert_eq!(shop.database.query("shop", COLUMNS).as_deref(), Some("id article notes shipped comment"));
    let mail = shop.mailbox.receive();
    assert!(mail.contains("commits since deployable-1") && mail.contains(" deployable-2 (Ann)"), "{mail}");
    let second = shop.fleet.current();
    assert!(second.iter().all(|release| *release > first[0]), "{second:?}");

    for host in [0, 2] {
        let settings = std::fs::read_to_string(shop.fleet.root(host).join("shared/.env")).expect("the file exists");
        shop.fleet.write(host, "shared/.env", &format!("{settings}WAREHOUSE=north\n"));
    }
    shop.build(Build::Demanding);
    let failed = shop.fab(&["deploy"], 1);
    assert!(failed.stderr.contains("web2") && failed.stderr.contains("back on"), "{}", failed.stderr);
    assert_eq!(shop.fleet.current(), second);
    let mail = shop.mailbox.receive();
    assert!(
        mail.contains("Subject: [shop] staging: deploy of deployable-3 (") && mail.contains("web1  back on "),
        "{mail}"
    );
    let status = shop.fab(&["status"], 0);
    assert_eq!(status.stdout.matches(&second[0]).count(), 3, "{}", status.stdout);
    assert!(browse(shop.balancer.addr()).contains(&second[0]));

    let refused = shop.fab(&["rollback"], 1);
    assert!(refused.stderr.contains("orders.0002_comment"), "{}", refused.stderr);
    shop.fab(&["rollback", "--allow-unknown-migrations"], 0);
    assert_eq!(shop.fleet.current(), first);
    assert!(shop.mailbox.receive().contains("Subject: [shop] staging: rolled back to deployable-1 ("));
    assert!(browse(shop.balancer.addr()).contains(&first[0]));

    shop.fab(&["deploy", "--revision", "deployable-2"], 0);
    let third = shop.fleet.current();
    assert!(third.iter().all(|release| *release > second[0]), "{third:?}");

    shop.build(Build::Contracted);
    let contracted = shop.fab(&["deploy"], 0);
    assert!(contracted.stderr.contains("orders.0003_no_notes drops orders.Order.notes"), "{}", contracted.stderr);
    assert_eq!(shop.database.query("shop", COLUMNS).as_deref(), Some("id article shipped comment"));
    assert!(browse(shop.balancer.addr()).contains(&shop.fleet.current()[0]));

    let fourth = shop.fleet.current();
    assert!(shop.mailbox.receive().contains("deployed deployable-2"));
    assert!(shop.mailbox.receive().contains("deployed deployable-4"));

    // A flag can exist before its feature. The processes of all hosts read each change at once.
    shop.fab(&["flag", "gift_wrapping", "staff"], 0);
    shop.build(Build::Dark);
    shop.fab(&["deploy"], 0);
    assert_eq!(shop.database.query("shop", COLUMNS).as_deref(), Some("id article shipped comment gift_wrapped"));
    let mail = shop.mailbox.receive();
    assert!(mail.contains("deployed deployable-5") && mail.contains("flag gift_wrapping: staff"), "{mail}");
    for (users, is_offered) in [("staff", false), ("everyone", true), ("off", false)] {
        shop.fab(&["flag", "gift_wrapping", users], 0);
        for _ in 0..12 {
            assert_eq!(browse(shop.balancer.addr()).contains("gift-wrapped"), is_offered, "{users}");
        }
    }
    let listed = shop.fab(&["flags"], 0);
    assert!(listed.stdout.contains("flag  gift_wrapping  off\n"), "{}", listed.stdout);

    let tags = shop.origin.tags();
    for release in [&first, &second, &third, &fourth, &shop.fleet.current()] {
        assert!(tags.contains(&format!("deployed-staging-{}", release[0])), "{tags:?}");
    }

    shop.fab(&["test"], 0);
    let results = shoppers.stop();
    assert_eq!(results.failed, Vec::<String>::new());
    assert!(results.answered > 100, "{results:?}");
    println!("{} requests were answered, none failed", results.answered);
}
