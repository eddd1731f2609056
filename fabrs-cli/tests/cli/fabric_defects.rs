//! Known defects of the command lines of Fabric and Invoke, with a test for each defect.
//! `tests/it/fabric_defects.rs` has the other numbers.

use std::fs;

use fabrs_testing::{Account, Capability, Sshd};

use crate::fixtures::{fab, location_of, shell, shop, shop_folder, shop_hosts, with_ssh_config};

/// A failed command with visible output was reported only by the exit code.
#[test]
fn defect_01_a_failed_command_is_one_error_even_if_its_output_was_printed() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1", "fail", "3"]).code(1).run();
    let place = location_of("exit {status}");
    let block = format!("error: web1: `echo trying; exit 3` ended with exit status 3\n  at {place}\n");
    assert!(ran.stderr.contains(&block), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
}

/// An unreachable host caused a traceback, and the other host never ran.
#[test]
fn defect_02_an_unreachable_host_is_one_error_and_the_other_host_runs() {
    let sshd = shop_hosts();
    let config = sshd.dir().join("with_gone");
    let known = fs::read_to_string(sshd.ssh_config()).expect("the harness wrote the file");
    fs::write(&config, format!("Host gone\n    HostName 127.0.0.1\n    Port 1\n{known}"))
        .expect("the test owns the file");
    let run = shop().arg("-S").arg(config).args(["-H", "gone,web1", "--keep-going", "hello"]);
    let ran = run.code(4).stdout_contains("[web1] hello\n").run();
    assert!(ran.stderr.contains("error: gone: could not connect"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("backtrace"), "{}", ran.stderr);
}

/// `--dry` still connected.
#[test]
fn defect_09_a_dry_run_opens_no_connection() {
    let run = shop().args(["-n", "-H", "nobody.invalid", "hello"]);
    run.stderr_contains("[nobody.invalid] would run: echo hello\n").run();
}

/// A command on the command line ignored the configuration of the project.
#[test]
fn defect_11_a_shell_line_uses_the_hosts_of_the_project() {
    let sshd = shop_hosts();
    let run = with_ssh_config(shop(), &sshd).args(["live", "--serial", "--", "echo here"]);
    run.stdout("[web1] here\n[web2] here\n[web3] here\n[db1] here\n").run();
}

/// At the end of stdin, every responder failed, local and remote.
#[test]
fn defect_12_responders_work_without_stdin() {
    let sshd = shop_hosts();
    let fab = r#""$FAB" -S "$CONFIG" -H web1 answers"#;
    for script in [format!("{fab} </dev/null"), format!("{fab} <&-"), format!(": | {fab}"), format!("sleep 0 | {fab}")]
    {
        let run = shell(&script).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config());
        let ran = run.own_session().run();
        assert_eq!(ran.stdout.matches("said yes").count(), 2, "{script}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn defect_12_the_sudo_password_works_without_stdin() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1"]).start();
    let fab = r#""$FAB" -S "$CONFIG" -H web1 run-as-root"#;
    for script in [format!("{fab} </dev/null"), format!("{fab} <&-"), format!(": | {fab}")] {
        let run = shell(&script).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config());
        let run = run.env("FABRS_SUDO_PASSWORD", Sshd::account_password()).own_session();
        run.stdout("[web1] root\n[web1] root\n").run();
    }
    // Without a password, the run fails with a hint and sends nothing.
    let run = shell(&format!("{fab} </dev/null")).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config());
    let ran = run.own_session().code(1).stdout("").run();
    assert!(
        ran.stderr.contains("  caused by: a password is required\nhint: set `--password-file FILE`"),
        "{}",
        ran.stderr
    );
}

/// An invalid number caused a traceback.
#[test]
fn defect_16_an_argument_of_the_wrong_type_is_a_usage_error() {
    let ran = shop().args(["-H", "web1", "fail", "many"]).code(2).run();
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("many"), "{}", ran.stderr);
    assert!(ran.stderr.lines().count() <= 5, "{}", ran.stderr);
}

/// A timeout caused a traceback, and so did a prompt without a terminal.
#[test]
fn defect_18_a_timeout_and_an_unanswered_prompt_are_plain_errors() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1", "-T", "1", "nap", "60"]).code(1).run();
    assert!(ran.stderr.contains("ran longer than 1 second and was ended\n  at "), "{}", ran.stderr);
    let ran = shop().args(["guarded", "mark", "/nowhere"]).own_session().code(2).run();
    assert!(ran.stderr.starts_with("error: `guarded` is protected, and no terminal is available"), "{}", ran.stderr);
}

/// A password on the command line is visible to every user of the machine.
#[test]
fn defect_20_no_option_takes_a_password() {
    for option in ["--password", "--sudo-password", "--prompt-for-login-password"] {
        let ran = fab().args([option, "hunter2", "-H", "web1", "--", "true"]).code(2).run();
        assert!(ran.stderr.contains(option), "{}", ran.stderr);
    }
    fab().args(["-p", "hunter2", "-H", "web1", "--", "true"]).code(2).run();
}
