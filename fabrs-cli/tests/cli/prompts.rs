//! Questions of tasks: on a terminal, without one, with `-y`, and in a dry run.

use fabrs_testing::{Fab, Sshd};

use crate::fixtures::{LIMIT, fleet, knowing, shop};

/// Returns a run of a task on one host, without a terminal.
fn asks(sshd: &Sshd, arguments: &[&str]) -> Fab {
    knowing(shop(), sshd).args(["-H", "web1"]).args(arguments).own_session()
}

#[test]
fn without_a_terminal_a_prompt_uses_its_default_and_prints_it() {
    let sshd = fleet();
    let used = "[web1] prompt \"Workers?\": 4 (default)\n";
    asks(&sshd, &["workers"]).stdout("[web1] 4 workers\n").stderr_contains(used).run();
    asks(&sshd, &["workers"]).stdin("9\n").stdout("[web1] 4 workers\n").stderr_contains(used).run();
    asks(&sshd, &["restart"]).stdout("[web1] restart yes\n").run();
    let used = "[web1] confirm \"Restart?\": no (default)\n";
    asks(&sshd, &["restart", "--no-likely"]).stdout("[web1] restart no\n").stderr_contains(used).run();
}

#[test]
fn no_input_uses_defaults_even_on_a_terminal() {
    let sshd = fleet();
    let mut fab = asks(&sshd, &["--no-input", "workers"]).spawn_on_terminal();
    fab.expect("4 workers\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
}

#[test]
fn without_a_terminal_a_prompt_without_a_default_is_an_error_that_names_the_fix() {
    let sshd = fleet();
    for arguments in [&["tag"][..], &["-y", "tag"], &["-n", "tag"]] {
        let ran = asks(&sshd, arguments).code(1).stdout("").run();
        let error = "error: web1: an answer was needed, and nobody can be asked: Tag?\n";
        let hint = "hint: run it at a terminal, or give the prompt a default: `.default(\"..\")`\n";
        assert!(ran.stderr.contains(error) && ran.stderr.contains(hint), "{}", ran.stderr);
    }
}

#[test]
fn a_secret_prompt_never_uses_a_default() {
    let sshd = fleet();
    for arguments in [&["token"][..], &["-y", "token"], &["-n", "token"]] {
        let ran = asks(&sshd, arguments).code(1).stdout("").stderr_lacks("from the code").run();
        assert!(ran.stderr.contains("nobody can be asked: Token?\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: run it at a terminal, or read the secret from"), "{}", ran.stderr);
    }
    let mut fab = asks(&sshd, &["-y", "token"]).spawn_on_terminal();
    fab.expect("web1: Token? ", LIMIT);
    fab.send("typed by hand\n");
    fab.expect("got a token\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
}

#[test]
fn yes_uses_the_defaults_of_prompts_and_asks_the_others() {
    let sshd = fleet();
    let mut fab = asks(&sshd, &["-y", "workers", "restart", "--no-likely", "tag"]).spawn_on_terminal();
    fab.expect("4 workers\r\n", LIMIT);
    fab.expect("restart yes\r\n", LIMIT);
    fab.expect("web1: Tag? ", LIMIT);
    fab.send("v7\n");
    fab.expect("tag v7\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
    assert!(!fab.screen().contains("Workers? ["), "{}", fab.screen());
    asks(&sshd, &["-y", "workers"]).stdout("[web1] 4 workers\n").run();
}

#[test]
fn a_dry_run_uses_defaults_in_one_line_of_the_plan() {
    let sshd = fleet();
    let plan = "[web1] task workers\n[web1] prompt \"Workers?\": 4 (default)\n[web1] would run: echo 4 workers\n";
    asks(&sshd, &["-n", "workers"]).stdout("").stderr_contains(plan).run();
    // A plan follows the way on.
    asks(&sshd, &["-n", "restart", "--no-likely"]).stderr_contains("would run: echo restart yes\n").run();
    assert!(!sshd.log().contains("Accepted publickey"), "{}", sshd.log());
}

#[test]
fn a_dry_run_on_a_terminal_asks_only_prompts_without_a_default() {
    let sshd = fleet();
    let mut fab = asks(&sshd, &["-n", "workers", "restart", "tag", "token"]).spawn_on_terminal();
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
fn on_a_terminal_a_prompt_with_a_default_is_asked() {
    let sshd = fleet();
    for (typed, workers) in [("\n", "4 workers\r\n"), ("9\n", "9 workers\r\n")] {
        let mut fab = asks(&sshd, &["workers"]).spawn_on_terminal();
        fab.expect("web1: Workers? [4] ", LIMIT);
        fab.send(typed);
        fab.expect(workers, LIMIT);
        assert_eq!(fab.wait(LIMIT), 0);
        assert!(!fab.screen().contains("(default)"), "{}", fab.screen());
    }
}
