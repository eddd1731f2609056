//! Arguments of tasks on the command line, help pages, and the list of tasks.

use crate::fixtures::{fab, location_of, shop};

/// Runs the task `tell` and checks the printed arguments.
#[track_caller]
fn assert_tell(arguments: &[&str], expected: &str) {
    shop().arg("tell").args(arguments).stdout(format!("[local] {expected}\n")).run();
}

#[track_caller]
fn assert_collect(arguments: &[&str], expected: &str) {
    shop().arg("collect").args(arguments).stdout(format!("[local] {expected}\n")).run();
}

#[track_caller]
fn assert_usage_error(arguments: &[&str], block: &str) {
    shop().args(arguments).code(2).stdout("").stderr(format!("{block}\n")).run();
}

#[test]
fn positionals_options_flags_and_defaults() {
    assert_tell(&["x", "--b", "5", "-v", "--no-color"], "a=x b=5 verbose=true color=false");
    assert_tell(&["--a", "x"], "a=x b=1 verbose=false color=true");
    assert_tell(&["x", "--b=-5", "--verbose", "--color"], "a=x b=-5 verbose=true color=true");
    assert_tell(&["-v", "--b", "7", "x"], "a=x b=7 verbose=true color=true");
    assert_tell(&["x", "--b", "-3", "--no-color", "--color"], "a=x b=-3 verbose=false color=true");
    assert_tell(&["--a=-x y"], "a=-x y b=1 verbose=false color=true");
    assert_tell(&["", "--b", "2", "--b", "3"], "a= b=3 verbose=false color=true");
}

#[test]
fn optional_repeated_and_custom_typed_options() {
    assert_collect(&[], "/ / /");
    assert_collect(&["--name", "x y"], "x y / / /");
    assert_collect(&["--file", "a", "-f", "b c", "-fd"], "/ a b c d / /");
    assert_collect(&["--level", "high", "--factor", "-1.5"], "/ / 2 / -1.5");
    assert_collect(&["--level=low", "--factor=1e3"], "/ / 1 / 1000");
}

#[test]
fn option_names_accept_underscores() {
    for option in [&["--fail-on", "web9"][..], &["--fail_on", "web9"], &["--fail_on=web9"], &["--fail-on=web9"]] {
        let run = shop().args(["-n", "-H", "web1", "deploy", "t_1"]).args(option);
        run.stderr_contains("[web1] would run: echo t_1 on web1\n").run();
    }
    assert_tell(&["x", "--no_color"], "a=x b=1 verbose=false color=false");
    shop().args(["--dry_run", "-H", "web1", "hello"]).stderr_contains("[web1] would run: echo hello\n").run();
    assert_usage_error(
        &["deploy", "t", "--fail_at", "web9"],
        "error: unknown option `--fail_at`\nhint: did you mean `--fail-on`?",
    );
}

#[test]
fn each_task_receives_its_own_arguments() {
    let expected =
        "[local] a=x b=2 verbose=false color=true\n[local] / f / /\n[local] a=y b=1 verbose=true color=true\n";
    shop()
        .args(["tell", "x", "--b", "2", "collect", "--file", "f", "tell", "-v", "y"])
        .stdout(expected)
        .stderr_contains("tell: ok\ncollect: ok\ntell: ok\n")
        .run();
}

#[test]
fn a_value_of_the_wrong_type_is_an_error_with_option_and_type() {
    assert_usage_error(&["tell", "x", "--b", "five"], "error: `tell`: `--b five` is not a whole number");
    assert_usage_error(
        &["collect", "--level", "mid"],
        "error: `collect`: `--level mid` is not a value of type `Level`\n  caused by: a level is `low` or `high`",
    );
    assert_usage_error(&["collect", "--factor", "half"], "error: `collect`: `--factor half` is not a number");
}

#[test]
fn a_missing_argument_is_an_error_with_its_name() {
    let block = "error: `tell` did not receive required positional arguments: 'a'\nhint: see `fab --help tell` for its arguments";
    assert_usage_error(&["tell"], block);
    assert_usage_error(&["tell", "-v", "--b", "3"], block);
    assert_usage_error(
        &["collect", "--file"],
        "error: a value is required for `--file <FILE>` but none was supplied\n\
         hint: see `fab --help collect` for its arguments",
    );
}

#[test]
fn an_unknown_option_is_an_error_with_a_suggestion() {
    assert_usage_error(
        &["tell", "x", "--no-colour"],
        "error: unknown option `--no-colour`\nhint: did you mean `--no-color`?",
    );
    assert_usage_error(
        &["tell", "x", "--zzz"],
        "error: unknown option `--zzz`\nhint: see `fab --help tell` for its arguments",
    );
}

#[test]
fn no_task_runs_if_the_last_task_is_invalid() {
    for last in [&["tell", "--b", "1"][..], &["tell", "x", "--b", "five"], &["no-such-task"], &["hello", "--zzz"]] {
        let run = shop();
        let made = run.dir().join("made");
        let ran = run.arg("announce").arg(&made).args(last).code(2).stdout("").run();
        assert!(!made.exists(), "{}", ran.stderr);
    }
}

#[test]
fn an_unknown_task_is_an_error_with_a_suggestion_and_all_tasks() {
    shop()
        .arg("deplyo")
        .code(2)
        .stdout("")
        .stderr_contains("error: unknown task `deplyo`\nhint: did you mean `deploy`?")
        .stderr_contains("available tasks: announce, answers, backup, carried, ")
        .run();
    let near = "error: unknown task `lvie`\nhint: did you mean the environment `live`?\n";
    shop().arg("lvie").code(2).stderr(near).run();
    let second = "error: `live` is an environment and must precede all tasks\n\
                  hint: use one environment, followed by its tasks: `fab live TASK...`\n";
    shop().args(["hello", "live"]).code(2).stderr(second).run();
}

#[test]
fn task_names_accept_underscores_and_aliases() {
    for name in ["fail-on", "fail_on"] {
        shop().args(["-H", "web1", "-n", name, "x"]).stderr_contains("fail-on: 1 ok\n").run();
    }
    for name in ["backup", "save"] {
        shop().args(["-n", "live", name]).stderr_contains("[db1] would run: echo saved\n").run();
    }
}

#[test]
fn the_help_of_a_task_is_complete_and_runs_nothing() {
    let page = format!(
        "Prints its arguments.

The output has each argument:
    a=x b=1

Usage: fab [OPTIONS] tell A [--b B] [--verbose] [--no-color]

Options:
      --a <A>     The first thing.
      --b <B>     A number. [default: 1]
  -v, --verbose   Be verbose.
      --no-color  Use colours.

Runs on: this machine
Defined in: {}
",
        location_of("async fn tell(")
    );
    for words in [&["--help", "tell"][..], &["tell", "--help"], &["-h", "tell"], &["tell", "x", "-h"]] {
        shop().args(words).stdout(page.clone()).stderr("").run();
    }
    shop()
        .args(["--help", "deploy"])
        .stdout_contains("Runs on: the hosts of the role `web`, or of `-H`, 1 at a time\n")
        .run();
    shop()
        .args(["--help", "collect"])
        .stdout_contains("Usage: fab [OPTIONS] collect [--name NAME] [--file FILE]... ")
        .run();
    shop().args(["--help", "deplyo"]).code(2).stderr_contains("did you mean `deploy`?").run();
}

#[test]
fn the_general_help_is_the_same_with_and_without_tasks() {
    let outside = fab().arg("--help").run();
    shop().arg("--help").stdout(outside.stdout).run();
}

#[test]
fn the_list_names_tasks_aliases_the_default_and_environments() {
    let list = shop().arg("--list").stderr("").run().stdout;
    let tasks = "Tasks:
  announce       Sends a mail, without a command.
  answers        Answers prompts of commands, remote and local.
  backup (save)  Saves the database.
";
    assert!(list.starts_with(tasks), "{list}");
    for row in ["\n  hello (hi)     Says hello. (default)\n", "\n  fail-on        Fails on one host.\n"] {
        assert!(list.contains(row), "{list}");
    }
    assert!(list.ends_with("\nEnvironments:\n  live     web1, web2, web3, db1\n  guarded  web1\n  empty\n"), "{list}");
    shop().arg("-l").stdout(list).run();
}
