//! Options of `fab`.

use std::fs;

use fabrs_testing::faults::Proxy;
use fabrs_testing::{Account, Capability, Key, KeyType, SshAgent, Sshd};

use crate::fixtures::{fab, marker_file, shop, shop_hosts, sorted, with_ssh_config};

#[test]
fn diff_prints_world_readable_files_and_diff_all_every_file() {
    let sshd = shop_hosts();
    let there = sshd.scratch().join("site.conf");
    let run = |options: &[&str]| {
        let there = there.display().to_string();
        with_ssh_config(shop(), &sshd).args(options).args(["-H", "web1", "place", &there]).run().stderr
    };
    let put = run(&["-n", "--diff"]);
    let added = format!("[web1] --- /dev/null\n[web1] +++ {}\\t", there.display());
    assert!(put.contains(&added.replace("\\t", "\t")), "{put}");
    assert!(put.contains("\n[web1] @@ -0,0 +1 @@\n[web1] +port = 80\n"), "{put}");
    assert!(put.contains("[web1] would put 10 bytes -> ") && !there.exists(), "{put}");
    let made = run(&["--diff=all"]);
    assert!(made.contains("[web1] +port = 80\n") && made.contains(": written\n"), "{made}");
    assert!(run(&["--diff"]).contains("site.conf: the same content\n"));
    let ran = with_ssh_config(shop(), &sshd).args(["--diff=some", "-H", "web1", "hello"]).code(2).run();
    assert!(ran.stderr.contains("expected `--diff` or `--diff=all`"), "{}", ran.stderr);
}

#[test]
fn the_reason_of_an_override_has_one_line() {
    for option in ["--override-freeze", "--override-stages"] {
        for reason in ["", "  ", "two\nlines"] {
            let run = fab().args([option, reason, "-n", "-H", "192.0.2.1", "--", "true"]);
            run.code(2).stderr_contains("expected a reason of one line").run();
        }
        let run = fab().args([option, "fixes the checkout", "-n", "-H", "192.0.2.1", "--", "true"]);
        run.stderr("[192.0.2.1] would run: true\n").run();
    }
}

#[test]
fn a_dry_run_prints_the_commands_and_opens_no_connection() {
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
fn a_dry_run_changes_nothing_on_this_machine() {
    let run = fab().args(["-H", "@local", "-n", "--", "touch made"]).stderr("[local] would run: touch made\n");
    assert!(!fs::exists(run.run().dir.join("made")).expect("the folder can be read"));
}

#[test]
fn echo_prints_a_command_before_it_runs() {
    let sshd = shop_hosts();
    for echo in ["-e", "--echo"] {
        let one = with_ssh_config(fab(), &sshd).args(["-H", "web1", echo, "--", "echo out"]);
        one.stdout("out\n").stderr("$ echo out\n").run();
    }
    let several = with_ssh_config(fab(), &sshd).args(["-H", "web1,web2", "-e", "--", "echo out"]).run();
    assert_eq!(sorted(&several.stderr), ["[web1] $ echo out", "[web2] $ echo out", "echo out: 2 ok"]);
}

#[test]
fn echo_omits_a_command_with_both_streams_hidden() {
    let sshd = shop_hosts();
    for options in [&[][..], &["-e"]] {
        let run =
            with_ssh_config(shop(), &sshd).args(options).args(["-H", "web1", "hidden"]).stderr_lacks("echo hidden");
        let ran = run.stderr_contains("[web1] $ echo half >&2\n").stdout("").run();
        assert!(
            ran.stderr.contains("[web1] $ echo spawned\n"),
            "the output of a spawned command is returned, not hidden"
        );
    }
    let run = with_ssh_config(shop(), &sshd).args(["-e", "-H", "web1", "plain", "x"]).stderr_lacks("$ echo x");
    run.stderr_contains("[web1] $ echo heard x\n").run();
    let plan = "[web1] would run: echo hidden\n";
    with_ssh_config(shop(), &sshd).args(["-n", "-H", "web1", "hidden"]).stderr_contains(plan).run();
}

#[test]
fn warn_only_reports_a_failed_command_as_a_warning() {
    let sshd = shop_hosts();
    for warn in ["-w", "--warn-only"] {
        let one = with_ssh_config(fab(), &sshd).args(["-H", "web1", warn, "--", "exit 3"]);
        one.stdout("").stderr("warning: web1: `exit 3` ended with exit status 3\n").run();
    }
    let several = with_ssh_config(fab(), &sshd).args(["-H", "web1,web2", "-w", "--", "exit 3"]).run();
    let expected = [
        "exit 3: 2 ok",
        "warning: web1: `exit 3` ended with exit status 3",
        "warning: web2: `exit 3` ended with exit status 3",
    ];
    assert_eq!(sorted(&several.stderr), expected);
}

#[test]
fn warn_only_does_not_excuse_a_timeout_or_an_unreachable_host() {
    let sshd = Sshd::start();
    fab().on(&sshd).args(["-w", "-T", "0.5", "--", "cat /dev/zero > /dev/null"]).code(1).run();
    fab().args(["-w", "-H", "no-such-host.invalid", "--", "true"]).code(4).run();
}

#[test]
fn skip_bad_hosts_skips_unreachable_hosts() {
    let sshd = shop_hosts();
    let run =
        with_ssh_config(fab(), &sshd).args(["-H", "web1,no-such-host.invalid", "--skip-bad-hosts", "--", "echo up"]);
    let ran = run.stdout("[web1] up\n").run();
    let warning = "warning: no-such-host.invalid: skipped: could not connect to ";
    assert!(ran.stderr.starts_with(warning) && ran.stderr.matches("warning: ").count() == 1, "{}", ran.stderr);
}

#[test]
fn a_run_with_only_skipped_hosts_fails() {
    for hosts in ["gone.invalid", "gone.invalid,away.invalid"] {
        let run = fab().args(["-H", hosts, "--skip-bad-hosts", "--", "true"]).code(4).stdout("");
        run.stderr_contains("warning: gone.invalid: skipped: ").run();
    }
}

#[test]
fn the_user_of_the_host_string_overrides_the_user_option() {
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
fn the_port_option_overrides_the_ssh_config() {
    let sshd = Sshd::start();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let config = config.replace(&format!("Port {}", sshd.port()), "Port 1");
    let run = || fab().project(&[("config", &config)]).args(["-S", "config", "-H", "host"]);
    run().args(["--", "echo in"]).code(4).run();
    run().args(["--port", &sshd.port().to_string(), "--", "echo in"]).stdout("in\n").run();
}

#[test]
fn without_an_ssh_config_options_suffice() {
    let sshd = Sshd::start();
    let home = fab().project(&[("../home/.ssh/known_hosts", "")]);
    fs::copy(sshd.known_hosts(), home.dir().join("../home/.ssh/known_hosts"))
        .expect("the test owns the home directory");
    home.arg("-i").arg(sshd.identity()).args(["-H", &sshd.host_string(), "--", "echo in"]).stdout("in\n").run();
}

#[test]
fn the_ssh_config_is_read_from_the_home_directory() {
    let sshd = Sshd::start();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let home = fab().project(&[("../home/.ssh/config", &config)]);
    home.args(["-H", "host", "--", "echo in"]).stdout("in\n").run();
}

#[test]
fn the_ssh_config_in_fabrs_toml_is_found_from_a_subfolder() {
    let sshd = Sshd::start();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    let project = fab().project(&[
        ("tasks.rs", ""),
        ("fabrs.toml", "[env.live]\nhosts = ['host']\nssh_config = 'ssh/config'\nidentity = '~/key'\n"),
        ("ssh/config", &config.replace(&sshd.identity().display().to_string(), "none")),
        ("sub/file", ""),
    ]);
    fs::copy(sshd.identity(), project.dir().with_file_name("home").join("key")).expect("the test owns the directory");
    project.current_dir("sub").args(["live", "--", "echo in"]).stdout("in\n").run();
}

#[test]
fn the_gateway_option_connects_through_a_gateway() {
    let gateway = Sshd::builder().aliases(["bastion"]).start();
    let sshd = Sshd::start();
    // The servers have no config for each other. The config of the user has both hosts.
    let config = [&gateway, &sshd].map(|server| {
        let text = fs::read_to_string(server.ssh_config()).expect("the test owns the file");
        text.replace("Host *\n", "").replace("    HostName", &format!("    Port {}\n    HostName", server.port()))
    });
    let run = fab().project(&[("config", &config.concat())]).args(["-S", "config"]);
    let marker = marker_file(&sshd);
    run.args(["-g", "bastion", "-H", "host", "--", &marker.line()]).stdout("").stderr("").run();
    assert!(marker.exists());
    let (passed, reached) = (gateway.log(), sshd.log());
    assert!(passed.contains("Accepted publickey") && reached.contains("Accepted publickey"), "{passed}\n{reached}");
}

/// The gateway is unreachable, so a successful connection was direct.
#[test]
fn a_configured_gateway_is_disabled_by_an_option_or_by_fabrs_toml() {
    let sshd = shop_hosts();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
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
fn the_last_agent_option_applies() {
    let sshd = Sshd::start();
    let key = Key::generate(sshd.dir().join("held"), KeyType::Ed25519, "");
    let agent = SshAgent::holding(&[&key], sshd.dir());
    let config = fs::read_to_string(sshd.ssh_config()).expect("the test owns the file");
    for (options, line, expected) in [
        (&["-A"][..], "", "1"),
        (&["--forward-agent"], "ForwardAgent no", "1"),
        (&["-aA"], "", "1"),
        (&["-Aa"], "", "0"),
        (&["--no-forward-agent"], "ForwardAgent yes", "0"),
        (&[], "", "0"),
    ] {
        let run = fab().project(&[("config", &format!("{line}\n{config}"))]).args(["-S", "config"]).args(options);
        let run =
            run.env("SSH_AUTH_SOCK", agent.socket()).args(["-H", "host", "--", "ssh-add -l | grep -c SHA256; true"]);
        let ran = run.stderr_contains("").run();
        assert_eq!(ran.stdout, format!("{expected}\n"), "{options:?} {line}");
    }
}

#[test]
fn short_flags_combine_and_options_precede_the_shell_line() {
    let sshd = shop_hosts();
    let run = with_ssh_config(fab(), &sshd).args(["-weH", "web1", "-t5", "--parallel=3", "--", "exit 1"]);
    run.stderr("$ exit 1\nwarning: web1: `exit 1` ended with exit status 1\n").run();
}

#[test]
fn a_missing_private_key_is_reported_before_connecting() {
    let silent = Proxy::silent();
    let run = fab().args(["-i", "/no/such/key", "-H", &silent.addr().to_string(), "--", "true"]);
    let error =
        "error: no private key at `/no/such/key`\nhint: pass the path of a private key: `-i ~/.ssh/id_ed25519`\n";
    run.code(2).stdout("").stderr(error).run();
    assert_eq!(silent.accepted(), 0);
}
