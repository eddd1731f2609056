//! Tasks beyond commands: `once`, `effect`, calls of other tasks, groups and plain functions.

use std::fs;

use crate::fixtures::{location_of, shop, shop_hosts, sorted, with_ssh_config, without_times};

#[test]
fn once_runs_once_for_all_hosts() {
    let sshd = shop_hosts();
    let log = sshd.scratch().join("log");
    let ran = with_ssh_config(shop(), &sshd).args(["live", "migrate"]).arg(&log).run();
    assert_eq!(fs::read_to_string(&log).expect("the file was written"), "migrated\n");
    assert_eq!(sorted(&ran.stdout), ["[web1] saw 1", "[web2] saw 1", "[web3] saw 1"]);
    assert_eq!(ran.stderr.matches("once: migrations = 1\n").count(), 1, "{}", ran.stderr);
}

#[test]
fn a_failed_once_fails_all_hosts_and_is_reported_once() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["live", "fail-once"]).code(1).stdout("").run();
    // The error belongs to the first host to arrive.
    let blocks = ["web1", "web2", "web3"].map(|host| {
        let place = location_of("no tag is deployable");
        format!("error: {host}: choosing the tag\n  at {place}\n  caused by: {host}: no tag is deployable\n")
    });
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
    assert!(blocks.iter().any(|block| ran.stderr.contains(block)), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("fail-once: 3 failed (web1, web2, web3)\n"), "{}", ran.stderr);
}

#[test]
fn an_effect_runs_and_is_only_printed_in_a_dry_run() {
    let run = shop();
    let file = run.dir().join("mail");
    let ran = run.arg("-n").arg("announce").arg(&file).stdout("").run();
    assert_eq!(
        without_times(&ran.stderr),
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
    assert_eq!(fs::read_to_string(&file).expect("the file was written"), "sent");
    assert_eq!(without_times(&ran.stderr), ["[local] task announce", "[local] task announce: ok", "announce: ok"]);
}

#[test]
fn errors_name_their_context_and_location() {
    let case = |text: &str, place: &str, error: &str, cause: &str| {
        let block = format!("error: {error}\n  at {}\n{cause}check: failed\n", location_of(place));
        shop().args(["check", text]).code(1).stdout("").stderr(format!("[local] task check\n{block}")).run();
    };
    case("ssh", "reading the port", "reading the port", "  caused by: invalid digit found in string\n");
    case("80", "ensure!(port", "port 80 is for root", "");
    case("8080", "/no/such/file", "No such file or directory (os error 2)", "");
}

#[test]
fn a_plain_function_waits_for_its_commands() {
    let sshd = shop_hosts();
    let run = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "plain", "a  b"]);
    assert_eq!(sorted(&run.run().stdout), ["[web1] heard a  b", "[web2] heard a  b"]);
}

#[test]
fn a_task_calls_other_tasks_on_its_own_host() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["live", "release", "t2"]).run();
    let host = |host: &str| format!("[{host}] t2 on {host}\n[{host}] hello\n");
    assert_eq!(ran.stdout, ["web1", "web2", "web3"].map(host).concat());
    assert!(ran.stderr.ends_with("release: 3 ok\n"), "{}", ran.stderr);
}

#[test]
fn a_task_runs_commands_on_the_hosts_of_a_role() {
    let sshd = shop_hosts();
    let run = with_ssh_config(shop(), &sshd).args(["live", "fleet"]);
    run.stdout("[local] web1 is up\n[local] web2 is up\n[local] web3 is up\n").run();
    let run = with_ssh_config(shop(), &sshd).args(["live", "fleet", "--down", "web2"]).code(1).stdout("");
    run.stderr_contains("error: 1 of 3 hosts failed\n  caused by: web2: is down\n").run();
}

#[test]
fn run_in_a_local_task_is_an_error_with_a_hint() {
    let block = format!(
        "error: this task runs on this machine and has no host\n  at {}\n\
         hint: use `local(..)` for this machine, or `on(role(..))` for hosts\n",
        location_of("echo nowhere")
    );
    shop().arg("nowhere").code(1).stdout("").stderr(format!("[local] task nowhere\n{block}nowhere: failed\n")).run();
}

#[test]
fn a_spawned_future_has_no_host_without_enter() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1", "spawned"]).code(1).stdout("").run();
    let block = format!(
        "error: web1: no current host: called outside a task\n  at {}\n\
         hint: use a connection, as in `c.run(..)`, or set one with `c.enter(future)`\n",
        location_of("echo spawned")
    );
    assert!(ran.stderr.contains(&block), "{}", ran.stderr);
    with_ssh_config(shop(), &sshd).args(["-H", "web1", "carried"]).stdout("[web1] carried\n").run();
}

#[test]
fn a_command_with_a_forgotten_cmd_macro_is_not_sent() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1", "forgotten"]).code(1).stdout("").run();
    let block = format!(
        "error: web1: `git reset --hard {{tag}}` can't be sent\n  at {}\n  \
         caused by: `{{tag}}` is a placeholder without `cmd!`: write `cmd!(…)` around the line\n",
        location_of("git reset --hard")
    );
    assert!(ran.stderr.contains(&block), "{}", ran.stderr);
    assert!(!sshd.log().contains("Accepted"), "{}", sshd.log());
}

#[test]
fn a_panic_on_one_host_does_not_stop_another() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "panics", "web1"]).code(1).run();
    assert_eq!(ran.stdout, "[web2] no panic\n");
    assert!(ran.stderr.contains("error: web1: the task panicked: a mistake in tasks.rs\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&location_of("a mistake in tasks.rs")), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("panics: 1 ok, 1 failed (web1)\n"), "{}", ran.stderr);
}
