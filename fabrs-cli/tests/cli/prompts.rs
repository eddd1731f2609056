//! Prompts of tasks: on a terminal, without a terminal, with `-y`, and in a dry run.

use fabrs_testing::{Fab, Sshd};

use crate::fixtures::{LIMIT, shop, shop_hosts, with_ssh_config};

/// Returns a run of a task on one host without a terminal.
fn run_on_web1(sshd: &Sshd, arguments: &[&str]) -> Fab {
    with_ssh_config(shop(), sshd).args(["-H", "web1"]).args(arguments).own_session()
}

#[test]
fn without_a_terminal_a_prompt_uses_its_default_and_prints_it() {
    let sshd = shop_hosts();
    let used = "[web1] prompt \"Workers?\": 4 (default)\n";
    run_on_web1(&sshd, &["workers"]).stdout("[web1] 4 workers\n").stderr_contains(used).run();
    run_on_web1(&sshd, &["workers"]).stdin("9\n").stdout("[web1] 4 workers\n").stderr_contains(used).run();
    run_on_web1(&sshd, &["restart"]).stdout("[web1] restart yes\n").run();
    let used = "[web1] confirm \"Restart?\": no (default)\n";
    run_on_web1(&sshd, &["restart", "--no-likely"]).stdout("[web1] restart no\n").stderr_contains(used).run();
}

#[test]
fn no_input_uses_defaults_even_on_a_terminal() {
    let sshd = shop_hosts();
    let mut fab = run_on_web1(&sshd, &["--no-input", "workers"]).spawn_on_terminal();
    fab.expect("4 workers\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
}

#[test]
fn without_a_terminal_a_prompt_without_a_default_is_an_error_with_a_hint() {
    let sshd = shop_hosts();
    for arguments in [&["tag"][..], &["-y", "tag"], &["-n", "tag"]] {
        let ran = run_on_web1(&sshd, arguments).code(1).stdout("").run();
        let error = "error: web1: cannot prompt for an answer: Tag?\n";
        let hint = "hint: run the task at a terminal, or give the prompt a default: `.default(\"..\")`\n";
        assert!(ran.stderr.contains(error) && ran.stderr.contains(hint), "{}", ran.stderr);
    }
}

#[test]
fn a_secret_prompt_never_uses_a_default() {
    let sshd = shop_hosts();
    for arguments in [&["token"][..], &["-y", "token"], &["-n", "token"]] {
        let ran = run_on_web1(&sshd, arguments).code(1).stdout("").stderr_lacks("from the code").run();
        assert!(ran.stderr.contains("cannot prompt for an answer: Token?\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: run the task at a terminal, or read the secret from"), "{}", ran.stderr);
    }
    let mut fab = run_on_web1(&sshd, &["-y", "token"]).spawn_on_terminal();
    fab.expect("web1: Token? ", LIMIT);
    fab.send("typed by hand\n");
    fab.expect("got a token\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
}

#[test]
fn yes_uses_defaults_and_prompts_without_one() {
    let sshd = shop_hosts();
    let mut fab = run_on_web1(&sshd, &["-y", "workers", "restart", "--no-likely", "tag"]).spawn_on_terminal();
    fab.expect("4 workers\r\n", LIMIT);
    fab.expect("restart yes\r\n", LIMIT);
    fab.expect("web1: Tag? ", LIMIT);
    fab.send("v7\n");
    fab.expect("tag v7\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
    assert!(!fab.screen().contains("Workers? ["), "{}", fab.screen());
    run_on_web1(&sshd, &["-y", "workers"]).stdout("[web1] 4 workers\n").run();
}

#[test]
fn a_dry_run_prints_defaults_in_the_plan() {
    let sshd = shop_hosts();
    let plan = "[web1] task workers\n[web1] prompt \"Workers?\": 4 (default)\n[web1] would run: echo 4 workers\n";
    run_on_web1(&sshd, &["-n", "workers"]).stdout("").stderr_contains(plan).run();
    // A plan assumes the answer yes, to continue the task.
    run_on_web1(&sshd, &["-n", "restart", "--no-likely"]).stderr_contains("would run: echo restart yes\n").run();
    assert!(!sshd.log().contains("Accepted publickey"), "{}", sshd.log());
}

#[test]
fn a_dry_run_on_a_terminal_prompts_only_without_a_default() {
    let sshd = shop_hosts();
    let mut fab = run_on_web1(&sshd, &["-n", "workers", "restart", "tag", "token"]).spawn_on_terminal();
    fab.expect("prompt \"Workers?\": 4 (default)\r\n", LIMIT);
    fab.expect("echo restart yes", LIMIT);
    fab.expect("web1: Tag? ", LIMIT);
    fab.send("v7\n");
    fab.expect("would run: ", LIMIT);
    fab.expect("web1: Token? ", LIMIT);
    fab.send("typed by hand\n");
    assert_eq!(fab.wait(LIMIT), 0);
    assert!(!fab.screen().contains("Workers? [") && !fab.screen().contains("[Y/n]"), "{}", fab.screen());
}

#[test]
fn a_prompt_with_a_default_is_shown_on_a_terminal() {
    let sshd = shop_hosts();
    for (typed, workers) in [("\n", "4 workers\r\n"), ("9\n", "9 workers\r\n")] {
        let mut fab = run_on_web1(&sshd, &["workers"]).spawn_on_terminal();
        fab.expect("web1: Workers? [4] ", LIMIT);
        fab.send(typed);
        fab.expect(workers, LIMIT);
        assert_eq!(fab.wait(LIMIT), 0);
        assert!(!fab.screen().contains("(default)"), "{}", fab.screen());
    }
}
