//! What Fabric's and Invoke's command lines get wrong, one test each; the numbers go on in the library's tests of the same
//! name.

use std::fs;

use fabrs_testing::{Account, Capability, Sshd};

use crate::fixtures::{fab, fleet, knowing, place_of, shell, shop, shop_folder};

/// A failing command whose output was shown left nothing but an exit code.
#[test]
fn defect_01_a_command_that_fails_has_one_block_of_an_error_although_its_output_was_shown() {
    let sshd = fleet();
    let ran = knowing(shop(), &sshd).args(["-H", "web1", "fail", "3"]).code(1).run();
    let place = place_of("exit {status}");
    let block = format!("error: web1: `echo trying; exit 3` ended with exit status 3\n  at {place}\n");
    assert!(ran.stderr.contains(&block), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
}

/// One host that could not be reached was a traceback, and the other never ran.
#[test]
fn defect_02_a_host_that_cannot_be_reached_is_one_block_and_the_other_runs() {
    let sshd = fleet();
    let config = sshd.dir().join("with_gone");
    let known = fs::read_to_string(sshd.ssh_config()).expect("the harness wrote it");
    fs::write(&config, format!("Host gone\n    HostName 127.0.0.1\n    Port 1\n{known}")).expect("it is ours");
    let run = shop().arg("-S").arg(config).args(["-H", "gone,web1", "--keep-going", "hello"]);
    let ran = run.code(4).stdout_contains("[web1] hello\n").run();
    assert!(ran.stderr.contains("error: gone: could not connect"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("backtrace"), "{}", ran.stderr);
}

/// `--dry` connected all the same.
#[test]
fn defect_09_a_dry_run_connects_to_nobody() {
    let run = shop().args(["-n", "-H", "nobody.invalid", "hello"]);
    run.stderr_contains("[nobody.invalid] would run: echo hello\n").run();
}

/// A command on the line knew nothing of the project's configuration.
#[test]
fn defect_11_a_line_has_the_hosts_of_the_project() {
    let sshd = fleet();
    let run = knowing(shop(), &sshd).args(["live", "--serial", "--", "echo here"]);
    run.stdout("[web1] here\n[web2] here\n[web3] here\n[db1] here\n").run();
}

/// With its input at the end, every answer failed, here and there.
#[test]
fn defect_12_answers_need_no_input_of_fab_itself() {
    let sshd = fleet();
    let fab = r#""$FAB" -S "$CONFIG" -H web1 answers"#;
    for script in [format!("{fab} </dev/null"), format!("{fab} <&-"), format!(": | {fab}"), format!("sleep 0 | {fab}")]
    {
        let run = shell(&script).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config());
        let ran = run.own_session().run();
        assert_eq!(ran.stdout.matches("said yes").count(), 2, "{script}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn defect_12_nor_does_the_password_of_sudo() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1"]).start();
    let fab = r#""$FAB" -S "$CONFIG" -H web1 rooted"#;
    for script in [format!("{fab} </dev/null"), format!("{fab} <&-"), format!(": | {fab}")] {
        let run = shell(&script).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config());
        let run = run.env("FABRS_SUDO_PASSWORD", Sshd::account_password()).own_session();
        run.stdout("[web1] root\n[web1] root\n").run();
    }
    // Without one, it is an error that says what to do, and nothing is sent.
    let run = shell(&format!("{fab} </dev/null")).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config());
    let ran = run.own_session().code(1).stdout("").run();
    assert!(
        ran.stderr.contains("  caused by: it needs a password\nhint: give it by `--password-file"),
        "{}",
        ran.stderr
    );
}

/// A number that is none was a traceback.
#[test]
fn defect_16_an_argument_of_another_type_is_a_usage_error() {
    let ran = shop().args(["-H", "web1", "fail", "many"]).code(2).run();
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("many"), "{}", ran.stderr);
    assert!(ran.stderr.lines().count() <= 5, "{}", ran.stderr);
}

/// A timeout, and a question without a terminal, were tracebacks.
#[test]
fn defect_18_a_timeout_and_a_question_that_nobody_answers_are_blocks() {
    let sshd = fleet();
    let ran = knowing(shop(), &sshd).args(["-H", "web1", "-T", "1", "nap", "60"]).code(1).run();
    assert!(ran.stderr.contains("ran longer than 1 second and was ended\n  at "), "{}", ran.stderr);
    let ran = shop().args(["guarded", "mark", "/nowhere"]).own_session().code(2).run();
    assert!(ran.stderr.starts_with("error: `guarded` is protected, and there is nobody to ask"), "{}", ran.stderr);
}

/// A password on the command line is for everybody to read.
#[test]
fn defect_20_no_option_takes_a_password() {
    for option in ["--password", "--sudo-password", "--prompt-for-login-password"] {
        let ran = fab().args([option, "hunter2", "-H", "web1", "--", "true"]).code(2).run();
        assert!(ran.stderr.contains(option), "{}", ran.stderr);
    }
    fab().args(["-p", "hunter2", "-H", "web1", "--", "true"]).code(2).run();
}
