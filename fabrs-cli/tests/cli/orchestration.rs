//! What tasks can do beside running commands: once for all hosts, effects, other tasks, whole groups, plain functions.

use std::fs;

use crate::fixtures::{fleet, knowing, place_of, shop, sorted, told};

#[test]
fn once_is_once_for_all_hosts() {
    let sshd = fleet();
    let log = sshd.scratch().join("log");
    let ran = knowing(shop(), &sshd).args(["live", "migrate"]).arg(&log).run();
    assert_eq!(fs::read_to_string(&log).expect("it was written"), "migrated\n");
    assert_eq!(sorted(&ran.stdout), ["[web1] saw 1", "[web2] saw 1", "[web3] saw 1"]);
    assert_eq!(ran.stderr.matches("once: migrations = 1\n").count(), 1, "{}", ran.stderr);
}

#[test]
fn what_fails_once_fails_for_all_and_is_told_once() {
    let sshd = fleet();
    let ran = knowing(shop(), &sshd).args(["live", "fail-once"]).code(1).stdout("").run();
    // The host that comes first chooses.
    let blocks = ["web1", "web2", "web3"].map(|host| {
        let place = place_of("no tag is deployable");
        format!("error: {host}: choosing the tag\n  at {place}\n  caused by: {host}: no tag is deployable\n")
    });
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
    assert!(blocks.iter().any(|block| ran.stderr.contains(block)), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("fail-once: 3 failed (web1, web2, web3)\n"), "{}", ran.stderr);
}

#[test]
fn an_effect_is_made_and_in_a_dry_run_only_told() {
    let run = shop();
    let file = run.dir().join("mail");
    let ran = run.arg("-n").arg("announce").arg(&file).stdout("").run();
    assert_eq!(
        told(&ran.stderr),
        [
            "[local] task announce",
            "would: mail the changes",
            "[local] task announce: ok",
            "announce: ok",
            "dry run: nothing was changed"
        ]
    );
    assert!(!file.exists());

    let run = shop();
    let file = run.dir().join("mail");
    let ran = run.arg("announce").arg(&file).run();
    assert_eq!(fs::read_to_string(&file).expect("it was written"), "sent");
    assert_eq!(told(&ran.stderr), ["[local] task announce", "[local] task announce: ok", "announce: ok"]);
}

#[test]
fn errors_of_any_kind_say_what_was_being_done_and_where() {
    let case = |text: &str, place: &str, error: &str, cause: &str| {
        let block = format!("error: {error}\n  at {}\n{cause}check: failed\n", place_of(place));
        shop().args(["check", text]).code(1).stdout("").stderr(format!("[local] task check\n{block}")).run();
    };
    case("ssh", "reading the port", "reading the port", "  caused by: invalid digit found in string\n");
    case("80", "ensure!(port", "port 80 is for root", "");
    case("8080", "/no/such/file", "No such file or directory (os error 2)", "");
}

#[test]
fn a_plain_function_waits_for_its_commands() {
    let sshd = fleet();
    let run = knowing(shop(), &sshd).args(["-H", "web1,web2", "plain", "a  b"]);
    assert_eq!(sorted(&run.run().stdout), ["[web1] heard a  b", "[web2] heard a  b"]);
}

#[test]
fn a_task_calls_others_on_its_own_host() {
    let sshd = fleet();
    let ran = knowing(shop(), &sshd).args(["live", "release", "t2"]).run();
    let host = |host: &str| format!("[{host}] t2 on {host}\n[{host}] hello\n");
    assert_eq!(ran.stdout, ["web1", "web2", "web3"].map(host).concat());
    assert!(ran.stderr.ends_with("release: 3 ok\n"), "{}", ran.stderr);
}

#[test]
fn a_task_asks_the_hosts_of_a_role() {
    let sshd = fleet();
    let run = knowing(shop(), &sshd).args(["live", "fleet"]);
    run.stdout("[local] web1 is up\n[local] web2 is up\n[local] web3 is up\n").run();
    let run = knowing(shop(), &sshd).args(["live", "fleet", "--down", "web2"]).code(1).stdout("");
    run.stderr_contains("error: 1 of 3 hosts failed\n  caused by: web2: is down\n").run();
}

#[test]
fn a_local_task_that_runs_a_command_is_told_where_to_run_it() {
    let block = format!(
        "error: this task runs here and has no host of its own\n  at {}\n\
         hint: say `local(..)` for this machine, or `on(role(..))` for hosts\n",
        place_of("echo nowhere")
    );
    shop().arg("nowhere").code(1).stdout("").stderr(format!("[local] task nowhere\n{block}nowhere: failed\n")).run();
}

#[test]
fn a_spawned_future_has_no_host_unless_it_is_carried_along() {
    let sshd = fleet();
    let ran = knowing(shop(), &sshd).args(["-H", "web1", "spawned"]).code(1).stdout("").run();
    let block = format!(
        "error: web1: there is no host here: this was called outside a task\n  at {}\n\
         hint: use a connection, as in `c.run(..)`, or carry one along with `c.enter(future)`\n",
        place_of("echo spawned")
    );
    assert!(ran.stderr.contains(&block), "{}", ran.stderr);
    knowing(shop(), &sshd).args(["-H", "web1", "carried"]).stdout("[web1] carried\n").run();
}

#[test]
fn a_line_in_which_the_macro_was_forgotten_is_not_sent() {
    let sshd = fleet();
    let ran = knowing(shop(), &sshd).args(["-H", "web1", "forgotten"]).code(1).stdout("").run();
    let block = format!(
        "error: web1: `git reset --hard {{tag}}` can't be sent\n  at {}\n  \
         caused by: `{{tag}}` is a placeholder without `cmd!`: write `cmd!(…)` around the line\n",
        place_of("git reset --hard")
    );
    assert!(ran.stderr.contains(&block), "{}", ran.stderr);
    assert!(!sshd.log().contains("Accepted"), "{}", sshd.log());
}

#[test]
fn a_task_that_panics_takes_no_other_host_with_it() {
    let sshd = fleet();
    let ran = knowing(shop(), &sshd).args(["-H", "web1,web2", "panics", "web1"]).code(1).run();
    assert_eq!(ran.stdout, "[web2] no panic\n");
    assert!(ran.stderr.contains("error: web1: the task panicked: a mistake in tasks.rs\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&place_of("a mistake in tasks.rs")), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("panics: 1 ok, 1 failed (web1)\n"), "{}", ran.stderr);
}
