//! The options of `fab`, one promise each.

use std::fs;

use fabrs_testing::faults::Proxy;
use fabrs_testing::{Account, Capability, Sshd};

use crate::fixtures::{fab, fleet, knowing, marker_file, shop, sorted};

#[test]
fn differences_are_of_files_that_everybody_may_read_or_of_all() {
    let sshd = fleet();
    let there = sshd.scratch().join("site.conf");
    let run = |options: &[&str]| {
        let there = there.display().to_string();
        knowing(shop(), &sshd).args(options).args(["-H", "web1", "place", &there]).run().stderr
    };
    let put = run(&["-n", "--diff"]);
    let added = format!("[web1] --- /dev/null\n[web1] +++ {}\\t", there.display());
    assert!(put.contains(&added.replace("\\t", "\t")), "{put}");
    assert!(put.contains("\n[web1] @@ -0,0 +1 @@\n[web1] +port = 80\n"), "{put}");
    assert!(put.contains("[web1] would put 10 bytes -> ") && !there.exists(), "{put}");
    let made = run(&["--diff=all"]);
    assert!(made.contains("[web1] +port = 80\n") && made.contains(": written\n"), "{made}");
    assert!(run(&["--diff"]).contains("site.conf: the same content\n"));
    let ran = knowing(shop(), &sshd).args(["--diff=some", "-H", "web1", "hello"]).code(2).run();
    assert!(ran.stderr.contains("expected `--diff` or `--diff=all`"), "{}", ran.stderr);
}

#[test]
fn a_dry_run_says_what_it_would_run_and_connects_to_nothing() {
    let silent = Proxy::silent();
    let host = silent.addr().to_string();
    let one = fab().args(["-H", &host, "-n", "--", "rm -rf /srv/*"]);
    one.stdout("").stderr(format!("[{host}] would run: rm -rf /srv/*\n")).run();
    let hosts = format!("{host},no-such-host.invalid");
    let several = fab().args(["-H", &hosts, "--dry-run", "--", "make install"]);
    let ran = several.stdout("").run();
    let expected = [
        &format!("[{host}] would run: make install"),
        "[no-such-host.invalid] would run: make install",
        "dry run: nothing was changed",
        "make install: 2 ok",
    ];
    assert_eq!(sorted(&ran.stderr), expected);
    assert_eq!(silent.accepted(), 0);
}

#[test]
fn a_dry_run_changes_nothing_here_either() {
    let run = fab().args(["-H", "@local", "-n", "--", "touch made"]).stderr("[local] would run: touch made\n");
    assert!(!fs::exists(run.run().dir.join("made")).expect("the folder can be read"));
}

#[test]
fn a_command_is_shown_before_it_runs_where_that_is_asked_for() {
    let sshd = fleet();
    for echo in ["-e", "--echo"] {
        let one = knowing(fab(), &sshd).args(["-H", "web1", echo, "--", "echo out"]);
        one.stdout("out\n").stderr("$ echo out\n").run();
    }
    let several = knowing(fab(), &sshd).args(["-H", "web1,web2", "-e", "--", "echo out"]).run();
    assert_eq!(sorted(&several.stderr), ["[web1] $ echo out", "[web2] $ echo out", "echo out: 2 ok"]);
}

#[test]
fn a_command_whose_streams_are_both_hidden_is_not_shown_either() {
    let sshd = fleet();
    for options in [&[][..], &["-e"]] {
        let run = knowing(shop(), &sshd).args(options).args(["-H", "web1", "hidden"]).stderr_lacks("echo hidden");
        let ran = run.stderr_contains("[web1] $ echo half >&2\n").stdout("").run();
        assert!(ran.stderr.contains("[web1] $ echo spawned\n"), "its output is not hidden, it is returned");
    }
    let run = knowing(shop(), &sshd).args(["-e", "-H", "web1", "plain", "x"]).stderr_lacks("$ echo x");
    run.stderr_contains("[web1] $ echo heard x\n").run();
    let plan = "[web1] would run: echo hidden\n";
    knowing(shop(), &sshd).args(["-n", "-H", "web1", "hidden"]).stderr_contains(plan).run();
}

#[test]
fn a_failure_is_a_warning_where_that_is_asked_for() {
    let sshd = fleet();
    for warn in ["-w", "--warn-only"] {
        let one = knowing(fab(), &sshd).args(["-H", "web1", warn, "--", "exit 3"]);
        one.stdout("").stderr("warning: web1: `exit 3` ended with exit status 3\n").run();
    }
    let several = knowing(fab(), &sshd).args(["-H", "web1,web2", "-w", "--", "exit 3"]).run();
    let expected = [
        "exit 3: 2 ok",
        "warning: web1: `exit 3` ended with exit status 3",
        "warning: web2: `exit 3` ended with exit status 3",
    ];
    assert_eq!(sorted(&several.stderr), expected);
}

#[test]
fn a_warning_is_no_pardon_for_a_line_that_was_ended_or_never_ran() {
    let sshd = Sshd::start();
    fab().on(&sshd).args(["-w", "-T", "0.5", "--", "cat /dev/zero > /dev/null"]).code(1).run();
    fab().args(["-w", "-H", "no-such-host.invalid", "--", "true"]).code(4).run();
}

#[test]
fn hosts_that_can_not_be_reached_are_left_out_where_that_is_asked_for() {
    let sshd = fleet();
    let run = knowing(fab(), &sshd).args(["-H", "web1,no-such-host.invalid", "--skip-bad-hosts", "--", "echo up"]);
    let ran = run.stdout("[web1] up\n").run();
    let warning = "warning: no-such-host.invalid: skipped: could not connect to ";
    assert!(ran.stderr.starts_with(warning) && ran.stderr.matches("warning: ").count() == 1, "{}", ran.stderr);
}

#[test]
fn a_line_whose_only_host_is_skipped_has_not_succeeded() {
    for hosts in ["gone.invalid", "gone.invalid,away.invalid"] {
        let run = fab().args(["-H", hosts, "--skip-bad-hosts", "--", "true"]).code(4).stdout("");
        run.stderr_contains("warning: gone.invalid: skipped: ").run();
    }
}

#[test]
fn the_user_is_the_one_of_the_host_else_the_one_that_was_typed() {
    if !Capability::Accounts.is_available() {
        return;
    }
    let sshd = Sshd::builder().users([Account::Plain, Account::Dash, Account::SudoNopasswd]).start();
    let run = || fab().arg("-S").arg(sshd.ssh_config());
    run().args(["-H", "host", "--", "id -un"]).stdout("fabrs-test\n").run();
    for user in ["-u", "--user"] {
        run().args([user, "fabrs-dash", "-H", "host", "--", "id -un"]).stdout("fabrs-dash\n").run();
    }
    let both = ["-ufabrs-dash", "-H", "fabrs-sudo-free@host", "--", "id -un"];
    run().args(both).stdout("fabrs-sudo-free\n").run();
}

#[test]
fn a_port_that_was_typed_is_stronger_than_the_ssh_config() {
    let sshd = Sshd::start();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the file is ours");
    let config = config.replace(&format!("Port {}", sshd.port()), "Port 1");
    let run = || fab().project(&[("config", &config)]).args(["-S", "config", "-H", "host"]);
    run().args(["--", "echo in"]).code(4).run();
    run().args(["--port", &sshd.port().to_string(), "--", "echo in"]).stdout("in\n").run();
}

#[test]
fn without_any_ssh_config_all_can_be_typed() {
    let sshd = Sshd::start();
    let home = fab().project(&[("../home/.ssh/known_hosts", "")]);
    fs::copy(sshd.known_hosts(), home.dir().join("../home/.ssh/known_hosts")).expect("the home is ours");
    home.arg("-i").arg(sshd.identity()).args(["-H", &sshd.host_string(), "--", "echo in"]).stdout("in\n").run();
}

#[test]
fn the_home_of_the_user_is_where_ssh_looks() {
    let sshd = Sshd::start();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the file is ours");
    let home = fab().project(&[("../home/.ssh/config", &config)]);
    home.args(["-H", "host", "--", "echo in"]).stdout("in\n").run();
}

#[test]
fn a_gateway_is_passed_through() {
    let gateway = Sshd::builder().aliases(["bastion"]).start();
    let sshd = Sshd::start();
    // What each server knows of the other: nothing. The config of the user has both.
    let config = [&gateway, &sshd].map(|server| {
        let text = fs::read_to_string(server.ssh_config()).expect("the file is ours");
        text.replace("Host *\n", "").replace("    HostName", &format!("    Port {}\n    HostName", server.port()))
    });
    let run = fab().project(&[("config", &config.concat())]).args(["-S", "config"]);
    let marker = marker_file(&sshd);
    run.args(["-g", "bastion", "-H", "host", "--", &marker.line()]).stdout("").stderr("").run();
    assert!(marker.exists());
    let (passed, reached) = (gateway.log(), sshd.log());
    assert!(passed.contains("Accepted publickey") && reached.contains("Accepted publickey"), "{passed}\n{reached}");
}

/// The gateway can't be reached, so whatever arrives went directly.
#[test]
fn a_configured_gateway_is_switched_off_by_an_option_or_by_fabrs_toml() {
    let sshd = fleet();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the file is ours");
    let jumps = |line: &str| format!("Host web2\n    {line}\n{config}");
    let gone = "[env.live]\nhosts = ['web1', 'web2']\ngateway = 'nowhere.invalid'\n";
    let off = "[env.live]\nhosts = ['web1', 'web2']\ngateway = false\n";
    let own = format!("{gone}[env.live.host.'web[1-2]']\ngateway = false\n");
    for (project, ssh_config, options) in [
        (gone, config.clone(), &["-g", "none"][..]),
        (gone, jumps("ProxyJump nowhere.invalid"), &["--gateway=NONE"]),
        (gone, jumps("ProxyCommand false"), &["-g", "none"]),
        (off, jumps("ProxyJump nowhere.invalid"), &[]),
        (own.as_str(), config.clone(), &[]),
        (gone, config.replace("Host *", "Host *\n    ProxyJump none"), &[]),
    ] {
        let run = fab().project(&[("fabrs.toml", project), ("config", &ssh_config)]).args(["-S", "config"]);
        let ran = run.args(options).args(["live", "--", "echo in"]).run();
        assert_eq!(sorted(&ran.stdout), ["[web1] in", "[web2] in"]);
    }
    let run = fab().project(&[("fabrs.toml", "[env.live]\ngateway = true\n")]).args(["live", "--", "true"]);
    let error = "error: fabrs.toml:2: `env.live.gateway` must be the address of a host, or `false`, found: boolean\n";
    run.code(2).stderr_contains(error).run();
}

#[test]
fn switches_may_be_joined_and_options_stand_anywhere_before_the_line() {
    let sshd = fleet();
    let run = knowing(fab(), &sshd).args(["-weH", "web1", "-t5", "--parallel=3", "--", "exit 1"]);
    run.stderr("$ exit 1\nwarning: web1: `exit 1` ended with exit status 1\n").run();
}

#[test]
fn a_key_that_is_not_there_is_told_before_anything_is_connected_to() {
    let silent = Proxy::silent();
    let run = fab().args(["-i", "/no/such/key", "-H", &silent.addr().to_string(), "--", "true"]);
    let error = "error: no private key at `/no/such/key`\nhint: pass the path of a private key: `-i ~/.ssh/id_ed25519`\n";
    run.code(2).stdout("").stderr(error).run();
    assert_eq!(silent.accepted(), 0);
}
