//! Runs on a terminal: prompts, colours, Ctrl-C, and interactive commands.

use std::fs;

use fabrs_testing::{Account, Capability, Process, Sshd, marker, processes_matching};

use crate::fixtures::{LIMIT, fab, shop, shop_hosts, with_ssh_config};

/// Returns the `ssh_config` of a server with a replaced text.
fn config(sshd: &Sshd, from: &str, to: &str) -> String {
    let text = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    assert!(text.contains(from), "{text}");
    text.replace(from, to)
}

#[test]
fn an_unknown_host_key_is_confirmed_and_recorded() {
    let sshd = Sshd::start();
    fs::write(sshd.known_hosts(), "").expect("the test owns the file");
    let config = config(&sshd, "StrictHostKeyChecking yes", "StrictHostKeyChecking ask");
    let run = || fab().project(&[("config", &config)]).args(["-S", "config", "-H", "host", "--", "echo in"]);
    let fingerprint = sshd.host_keys()[0].fingerprint();

    let mut no = run().spawn_on_terminal();
    let question = no.expect("accept and record it? [yes/no] ", LIMIT);
    assert!(question.contains(&format!("fingerprint: {fingerprint}")), "{question}");
    no.send("maybe\n");
    no.expect("type `yes`, `no` or the fingerprint: ", LIMIT);
    no.send("no\n");
    assert_eq!(no.wait(LIMIT), 5);
    assert!(no.screen().contains("host: the host's key was not accepted"), "{}", no.screen());
    assert_eq!(fs::read_to_string(sshd.known_hosts()).expect("the test owns the file"), "");

    let mut yes = run().spawn_on_terminal();
    yes.expect("[yes/no] ", LIMIT);
    yes.send("yes\n");
    yes.expect("in\r\n", LIMIT);
    assert_eq!(yes.wait(LIMIT), 0);
    run().stdout("in\n").stderr("").run();
}

#[test]
fn a_password_prompt_is_hidden_and_repeated_after_a_wrong_password() {
    if !Capability::Password.is_available() {
        return;
    }
    let sshd = Sshd::builder().password_login().start();
    let config = config(&sshd, "    IdentityFile", "    PubkeyAuthentication no\n    IdentityFile");
    let run = fab().project(&[("config", &config)]).args(["-S", "config", "-H", "host", "--", "echo in"]);
    let mut fab = run.spawn_on_terminal();
    let question = format!("{}@host's password: ", sshd.user());
    fab.expect(&question, LIMIT);
    fab.send("wrong-answer\n");
    fab.expect(&question, LIMIT);
    fab.send(&format!("{}\n", sshd.password()));
    fab.expect("in\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
    let screen = fab.screen();
    assert!(!screen.contains("wrong-answer") && !screen.contains(sshd.password()), "{screen}");
}

#[test]
fn a_passphrase_is_prompted_once_for_all_hosts() {
    let sshd = Sshd::builder().aliases(["web1", "web2", "web3"]).passphrase("open, please").start();
    let run = fab().arg("-S").arg(sshd.ssh_config()).args(["-H", "web1,web2,web3", "--", "echo in"]);
    let mut fab = run.spawn_on_terminal();
    fab.expect(&format!("passphrase for `{}`: ", sshd.identity().display()), LIMIT);
    fab.send("open, please\n");
    assert_eq!(fab.wait(LIMIT), 0);
    let screen = fab.screen();
    assert_eq!(screen.matches("passphrase for").count(), 1, "{screen}");
    assert_eq!(screen.matches("in\r\n").count(), 3, "{screen}");
    assert!(!screen.contains("open, please"), "{screen}");
}

#[test]
fn a_protected_environment_is_confirmed_by_its_name() {
    let sshd = shop_hosts();
    let run = || with_ssh_config(shop(), &sshd).args(["guarded", "hello"]);
    for (answer, code) in [("no\n", 1), ("\n", 1), ("guarded\n", 0)] {
        let mut fab = run().spawn_on_terminal();
        fab.expect("`guarded` is protected. Type its name to continue: ", LIMIT);
        fab.send(answer);
        assert_eq!(fab.wait(LIMIT), code, "{}", fab.screen());
        assert_eq!(fab.screen().contains("hello: 1 ok"), code == 0, "{}", fab.screen());
    }
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 1, "{}", sshd.log());
}

#[test]
fn no_input_never_prompts_for_a_passphrase() {
    let sshd = Sshd::builder().passphrase("open, please").start();
    let mut fab = fab().on(&sshd).args(["--no-input", "--", "echo in"]).spawn_on_terminal();
    assert_eq!(fab.wait(LIMIT), 5);
    let screen = fab.screen();
    assert!(screen.contains("could not log in as") && screen.contains("passphrase"), "{screen}");
}

#[test]
fn colours_depend_on_the_terminal_and_the_environment() {
    let sshd = shop_hosts();
    let run = || with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "fail", "3"]);
    let mut coloured = run().spawn_on_terminal();
    assert_eq!(coloured.wait(LIMIT), 1);
    let screen = coloured.screen();
    assert!(screen.contains("\u{1b}[36m[web1]\u{1b}[0m ") || screen.contains("[web1]\u{1b}[0m "), "{screen:?}");
    assert!(screen.contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m web1, web2: "), "{screen:?}");

    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut plain = run().env(name, value).spawn_on_terminal();
        assert_eq!(plain.wait(LIMIT), 1);
        assert!(!plain.screen().contains('\u{1b}'), "{:?}", plain.screen());
    }
    run().env("CLICOLOR_FORCE", "1").code(1).stdout_contains("\u{1b}[").run();
    run().env("TERM", "xterm").code(1).stdout_lacks("\u{1b}").stderr_lacks("\u{1b}").run();
}

#[test]
fn ctrl_c_stops_and_ctrl_c_again_kills() {
    let sshd = shop_hosts();
    let nap = marker();
    let mut fab = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "ignore-term", &nap]).spawn_on_terminal();
    for _ in 0..2 {
        fab.expect("\u{1b}[0m deaf\r\n", LIMIT);
    }
    fab.send("\x03");
    fab.expect("stopping; press Ctrl-C again to kill the remaining commands", LIMIT);
    fab.send("\x03");
    assert_eq!(fab.wait(LIMIT), 130);
    assert!(fab.screen().contains("\r\nignore-term: 2 cancelled (web1, web2)\r\n"), "{}", fab.screen());
    assert_eq!(processes_matching(&nap), Vec::<Process>::new());
}

#[test]
fn ctrl_c_at_a_passphrase_prompt_ends_the_run() {
    let sshd = Sshd::builder().passphrase("open, please").start();
    let mut fab = fab().on(&sshd).args(["--", "echo in"]).spawn_on_terminal();
    fab.expect("passphrase for", LIMIT);
    fab.send("\x03");
    assert_eq!(fab.wait(LIMIT), 130);
    assert!(!sshd.log().contains("Accepted publickey"), "{}", sshd.log());
}

#[test]
fn a_remote_shell_uses_the_terminal_until_its_end() {
    if !Capability::Terminal.is_available() {
        return;
    }
    let sshd = shop_hosts();
    let mut fab =
        with_ssh_config(shop(), &sshd).args(["-H", "web1", "open-shell"]).env("TERM", "vt100").spawn_on_terminal();
    fab.expect("task open-shell\r\n", LIMIT);
    fab.send("echo \"kind $TERM, $WHO\"; stty size\n");
    fab.expect("kind vt100, it is me\r\n24 80\r\n", LIMIT);
    fab.resize(100, 30);
    fab.send("until [ \"$(stty size)\" = '30 100' ]; do :; done; echo resi''zed\n");
    fab.expect("resized\r\n", LIMIT);
    // Ctrl-C is sent to the remote command instead of `fab`.
    let mark = marker();
    fab.send(&format!("sleep {mark}; echo inter''rupted $?\n"));
    fabrs_testing::wait_until("the command sleeps", LIMIT, || !processes_matching(&mark).is_empty());
    fab.send("\u{3}");
    fab.send("echo inter''rupted $?\n");
    fab.expect("interrupted 130\r\n", LIMIT);
    fab.send("exit\n");
    fab.expect("afterwards\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
}

#[test]
fn term_during_a_remote_shell_restores_the_terminal() {
    if !Capability::Terminal.is_available() {
        return;
    }
    let sshd = shop_hosts();
    let mut shell =
        crate::fixtures::shell("stty -g; \"$FAB\" -S \"$CONFIG\" -H web1 open-shell; stty -g; echo all is over");
    shell = shell.current_dir(crate::fixtures::shop_folder()).env("CONFIG", sshd.ssh_config());
    let mut script = shell.spawn_on_terminal();
    let before = script.expect("\r\n", LIMIT);
    script.expect("task open-shell\r\n", LIMIT);
    script.send("echo rea''dy\n");
    script.expect("ready\r\n", LIMIT);
    let own = processes_matching(&sshd.ssh_config().display().to_string());
    let fab = own.iter().find(|process| process.cmdline.ends_with(" -H web1 open-shell")).expect("the process runs");
    fab.terminate();
    let after = script.expect("all is over", LIMIT);
    assert!(after.contains(before.trim()), "{before:?} is not in {after:?}");
    assert_eq!(script.wait(LIMIT), 0);
}

#[test]
fn a_panic_during_a_remote_shell_restores_the_terminal() {
    if !Capability::Terminal.is_available() {
        return;
    }
    let sshd = shop_hosts();
    let file = crate::fixtures::marker_file(&sshd);
    let mut shell = crate::fixtures::shell(
        "stty -g; \"$FAB\" -S \"$CONFIG\" -H web1 shell-panic \"$FILE\"; stty -g; echo all is over",
    );
    shell = shell.current_dir(crate::fixtures::shop_folder()).env("CONFIG", sshd.ssh_config()).env("FILE", file.path());
    let mut script = shell.spawn_on_terminal();
    let before = script.expect("\r\n", LIMIT);
    script.expect("task shell-panic\r\n", LIMIT);
    script.send("echo rea''dy\n");
    script.expect("ready\r\n", LIMIT);
    fs::write(file.path(), "").expect("every user can write to the directory");
    let after = script.expect("all is over", LIMIT);
    assert!(after.contains("a mistake in tasks.rs"), "{after}");
    assert!(after.contains(before.trim()), "{before:?} is not in {after:?}");
    assert_eq!(script.wait(LIMIT), 0);
}

#[test]
fn an_open_prompt_holds_back_other_output() {
    let sshd = shop_hosts();
    let done = crate::fixtures::marker_file(&sshd);
    let run = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "confirm-web1"]).arg(done.path());
    let mut fab = run.spawn_on_terminal();
    fab.expect("web1: Go on? [y/n] ", LIMIT);
    fabrs_testing::wait_until("the other host has printed everything", LIMIT, || done.exists());
    let screen = fab.screen();
    assert!(screen.ends_with("web1: Go on? [y/n] "), "{screen}");
    fab.send("y\n");
    fab.expect("noise 19\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
    assert!(fab.screen().contains("going on\r\n"), "{}", fab.screen());
}

#[test]
fn the_sudo_password_is_prompted_before_an_interactive_command() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let sshd = Sshd::builder().users([Account::Sudo]).aliases(["web1"]).start();
    let mut fab = with_ssh_config(shop(), &sshd).args(["-H", "web1", "root-shell"]).spawn_on_terminal();
    fab.expect("sudo password: ", LIMIT);
    fab.send(&format!("{}\r", Sshd::account_password()));
    fab.send("it\r");
    fab.expect("root has it\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
    assert!(!fab.screen().contains(Sshd::account_password()), "{}", fab.screen());
}

#[test]
fn an_interactive_command_uses_the_terminal() {
    if !Capability::Terminal.is_available() {
        return;
    }
    let sshd = shop_hosts();
    let mut fab = with_ssh_config(shop(), &sshd).args(["-H", "web1", "edit"]).spawn_on_terminal();
    fab.expect("name? ", LIMIT);
    fab.send("Ann\n");
    fab.expect("hello Ann\r\n24 80\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
}

#[test]
fn a_remote_shell_without_a_terminal_is_an_error() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1", "open-shell"]).own_session().code(1).run();
    assert!(ran.stderr.contains("this program has no terminal for an interactive command"), "{}", ran.stderr);
}

#[test]
fn the_second_of_two_remote_shells_is_an_error() {
    if !Capability::Terminal.is_available() {
        return;
    }
    let sshd = shop_hosts();
    let mut fab = with_ssh_config(shop(), &sshd).args(["-H", "web1,web2", "open-shell"]).spawn_on_terminal();
    fab.expect("$ ", LIMIT);
    fab.send("exit\n");
    assert_eq!(fab.wait(LIMIT), 1);
    let screen = fab.screen();
    assert!(screen.contains("the terminal is in use by another interactive command"), "{screen}");
    assert!(screen.contains("use `--serial` to run the hosts one after the other"), "{screen}");
}

#[test]
fn a_dry_run_of_a_remote_shell_needs_no_terminal() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(shop(), &sshd).args(["-n", "-H", "web1", "open-shell"]).own_session().run();
    assert!(ran.stderr.contains("[web1] would run: a shell\n[web1] would run: echo afterwards\n"), "{}", ran.stderr);
}
