//! Low limits of open files (`ulimit -n`): all hosts run, and errors name the limit.

use std::env;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use fabrs_testing::{Fab, Sshd};

use crate::fixtures::{LIMIT, shell, shop_folder};

/// Numbers of hosts and open file limits. The limit is too low for a connection to every host.
const CASES: [(usize, usize); 1] = [(100, 64)];
/// The cases of `FABRS_HOSTS=all`. These take some minutes.
const ALL_CASES: [(usize, usize); 2] = [(200, 64), (1000, 256)];

/// Starts an agent without keys: it closes every connection. Returns the socket of the agent.
fn agent_without_keys(sshd: &Sshd) -> PathBuf {
    let path = sshd.dir().join("agent");
    let listener = UnixListener::bind(&path).expect("the test owns the directory");
    thread::spawn(move || listener.incoming().for_each(drop));
    path
}

/// Starts one server with the aliases `h1`, `h2` and so on.
fn many_hosts(count: usize) -> Sshd {
    let names: Vec<String> = (1..=count).map(|n| format!("h{n}")).collect();
    Sshd::builder().aliases(names.iter().map(String::as_str)).option("MaxStartups", "1000").start()
}

/// Returns a run of `fab` in a shell with this limit. The shell closes inherited descriptors: a
/// limit then leaves the same number of descriptors everywhere.
fn with_ulimit(limit: &str, sshd: &Sshd) -> Fab {
    let closed = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-";
    let script = format!("{closed} && {limit} && exec \"$FAB\" -S \"$CONFIG\" \"$@\"");
    shell(&script).arg("sh").env("CONFIG", sshd.ssh_config()).limit(LIMIT * 10)
}

#[test]
fn all_hosts_run_under_a_low_open_file_limit() {
    let is_full = env::var("FABRS_HOSTS").is_ok_and(|hosts| hosts == "all");
    let cases: &[(usize, usize)] = if is_full { &ALL_CASES } else { &CASES };
    for (hosts, limit) in cases {
        let sshd = many_hosts(*hosts);
        let (names, limit) = (format!("h[1-{hosts}]"), format!("ulimit -n {limit}"));
        let run = || with_ulimit(&limit, &sshd).args(["-H", &names]).stderr(format!("true: {hosts} ok\n"));
        run().args(["--", "true"]).run();
        run().args(["-P", "200", "--", "true"]).run();
    }
}

#[test]
fn hosts_behind_a_proxy_command_or_gateway_run_under_a_low_limit() {
    let sshd = many_hosts(30);
    let config = fs::read_to_string(sshd.ssh_config()).expect("the harness wrote the file");
    let relay = "bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & exec cat >&3'";
    for keyword in [format!("ProxyCommand {relay}"), "ProxyJump gate".to_owned()] {
        let path = sshd.dir().join("proxy_config");
        let gate = "Host gate\n    HostName 127.0.0.1\n    ProxyJump none\n";
        fs::write(&path, format!("{gate}Host h*\n    {keyword}\n{config}")).expect("the test owns the directory");
        let run = with_ulimit("ulimit -n 64", &sshd).env("CONFIG", path);
        run.args(["-H", "h[1-30]", "--", "true"]).stderr("true: 30 ok\n").run();
    }
}

#[test]
fn a_later_task_reopens_closed_connections() {
    let sshd = many_hosts(60);
    // Compile before the limit applies.
    shop_folder();
    let run = with_ulimit("ulimit -n 64", &sshd).current_dir(shop_folder());
    let ran = run.args(["-H", "h[1-60]", "hello", "hello"]).run();
    assert_eq!(ran.stderr.lines().filter(|line| *line == "hello: 60 ok").count(), 2, "{}", ran.stderr);
    assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
    let logins = sshd.log().matches("Accepted publickey").count();
    assert!(logins > 60, "with fewer connections than hosts, the second task logs in again: {logins} logins");
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_limit() {
    let sshd = Sshd::start();
    let run = || with_ulimit("ulimit -Sn 64 && ulimit -Hn 5000", &sshd).args(["-H", "@local", "--", "ulimit -Sn"]);
    run().stdout("5000\n").stderr("").run();
}

#[test]
fn an_error_at_the_open_file_limit_names_the_limit() {
    let sshd = Sshd::start();
    let config = fs::read_to_string(sshd.ssh_config()).expect("the harness wrote the file");
    let write = |name: &str, text: String| {
        let path = sshd.dir().join(name);
        fs::write(&path, text).expect("the test owns the directory");
        path
    };
    let agent = agent_without_keys(&sshd);
    let configs = [
        sshd.ssh_config(),
        write("by_agent", format!("IdentityAgent \"{}\"\n{config}", agent.display())),
        write("by_name", "StrictHostKeyChecking no\n".to_owned() + &config.replace("127.0.0.1", "localhost")),
    ];
    let mut refused = Vec::new();
    // Below 8, the tokio runtime panics.
    for limit in 8..24 {
        for config in &configs {
            let run = with_ulimit(&format!("ulimit -n {limit}"), &sshd).env("CONFIG", config);
            let ran = run.args(["-H", "host", "--", "true"]).any_code().run();
            if ran.code == 0 {
                continue;
            }
            let hint = format!(
                "  caused by: Too many open files (os error 24)\nhint: the open file limit is {limit}: raise it \
                 with `ulimit -n`, or use fewer hosts at once with `-P`\n"
            );
            assert!(ran.stderr.ends_with(&hint), "{limit}: {}", ran.stderr);
            refused.push(ran.stderr);
        }
    }
    for text in ["error: could not start the runtime\n", "error: host: could not connect to the agent at "] {
        assert!(refused.iter().any(|error| error.starts_with(text)), "{text}: {refused:?}");
    }
}
