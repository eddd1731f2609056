//! One shell line on several hosts: prefixes, host lists, grouped errors and the summary.

use std::fs;

use fabrs_testing::faults::RefusedPort;

use crate::fixtures::{fab, shop_hosts, sorted, with_ssh_config};

#[test]
fn every_output_line_is_prefixed_by_its_host() {
    let sshd = shop_hosts();
    let ran = with_ssh_config(fab(), &sshd).args(["-H", "web1,web2", "--", "echo out; printf no-end >&2"]).run();
    assert_eq!(sorted(&ran.stdout), ["[web1] out", "[web2] out"]);
    assert_eq!(sorted(&ran.stderr), ["[web1] no-end", "[web2] no-end", "echo out; printf no-end >&2: 2 ok"]);
}

#[test]
fn host_options_are_merged_trimmed_and_deduplicated() {
    let sshd = shop_hosts();
    let expected = "[web2] x\n[web1] x\n[db1] x\n";
    with_ssh_config(fab(), &sshd)
        .args(["-H", " web2 ,web1,web2", "--hosts=db1", "-Hweb1", "--serial", "--", "echo x"])
        .stdout(expected)
        .run();
}

#[test]
fn a_host_file_has_hosts_and_comments() {
    let sshd = shop_hosts();
    let fab = fab().project(&[("hosts.txt", "# the web\nweb3\n\n  web1 # old\n")]);
    with_ssh_config(fab, &sshd)
        .args(["-H", "db1,@hosts.txt", "--serial", "--", "echo x"])
        .stdout("[db1] x\n[web3] x\n[web1] x\n")
        .run();
}

#[test]
fn ranges_expand_and_excluded_hosts_are_left_out() {
    let sshd = shop_hosts();
    let fab = fab().project(&[("hosts.txt", "db[1-1]\nweb[1:3]\n"), ("out.txt", "web1\n")]);
    with_ssh_config(fab, &sshd)
        .args(["-H", "@hosts.txt,web[2-3]", "--serial", "-x", "@out.txt", "-x", "web[3,9]", "--", "echo x"])
        .stdout("[db1] x\n[web2] x\n")
        .stderr("warning: `-x web9` has no effect: the host is not selected\necho x: 2 ok\n")
        .run();
}

#[test]
fn a_host_file_with_one_host_counts_as_one_host() {
    let sshd = shop_hosts();
    let fab = fab().project(&[("hosts.txt", "web3\n")]);
    with_ssh_config(fab, &sshd)
        .args(["-H", "@hosts.txt", "--", "echo x; exit 7"])
        .code(7)
        .stdout("x\n")
        .stderr("")
        .run();
}

#[test]
fn a_missing_or_empty_host_file_runs_nothing() {
    let missing = "error: could not read the host file `gone.txt`\n  caused by: No such file or directory \
                   (os error 2)\nhint: `-H @gone.txt` reads a file with one host per line\n";
    fab().args(["-H", "@gone.txt", "--", "true"]).code(2).stderr(missing).run();
    let empty = "error: `-H` contains no host\nhint: write `-H HOST`, or `-H @FILE` with one host per line\n";
    fab().project(&[("none.txt", "# none yet\n")]).args(["-H", "@none.txt", "--", "true"]).code(3).stderr(empty).run();
}

#[test]
fn equal_failures_are_one_error_and_other_hosts_finish() {
    let sshd = shop_hosts();
    let marks = sshd.scratch();
    let line = format!("cd '{}' && mkdir first 2>&- || exit 3", marks.display());
    let ran = with_ssh_config(fab(), &sshd)
        .args(["-H", "web1,web2,web3", "--serial", "--", &line])
        .code(1)
        .stdout("")
        .stderr_contains(format!("error: web2, web3: `{line}` ended with exit status 3\n"))
        .stderr_contains(": 1 ok, 2 failed (web2, web3)\n")
        .run();
    assert!(fs::exists(marks.join("first")).expect("the scratch folder can be read"), "{}", ran.stderr);
}

#[test]
fn a_failure_outweighs_an_unreachable_host() {
    let sshd = shop_hosts();
    let refused = RefusedPort::reserve();
    let hosts = format!("{},web1,web2", refused.addr());
    let ran = with_ssh_config(fab(), &sshd).args(["-H", &hosts, "--", "echo up; exit 3"]).code(1).run();
    assert_eq!(sorted(&ran.stdout), ["[web1] up", "[web2] up"]);
    let port = refused.addr().port();
    let blocks = format!(
        "error: {0}: could not connect to 127.0.0.1 port {port}\n  caused by: 127.0.0.1:{port}: Connection refused (os error 111)\n\
         hint: no server listens on this port: check that sshd runs, or set the port with `--port N` (of a gateway: `Port` in the ssh config)\n\
         error: web1, web2: `echo up; exit 3` ended with exit status 3\n\
         echo up; exit 3: 2 failed (web1, web2), 1 unreachable ({0})\n",
        refused.addr()
    );
    assert_eq!(ran.stderr, blocks);
}

#[test]
fn serial_and_parallel_1_keep_the_listed_order() {
    let sshd = shop_hosts();
    for order in [&["--serial"][..], &["-P", "1"], &["--parallel=1"]] {
        with_ssh_config(fab(), &sshd)
            .args(["-H", "web3,web1,db1,web2"])
            .args(order)
            .args(["--", "echo x"])
            .stdout("[web3] x\n[web1] x\n[db1] x\n[web2] x\n")
            .run();
    }
}

#[test]
fn parallel_2_runs_on_two_hosts_at_once() {
    let sshd = shop_hosts();
    // Each command has a file while running, and counts the files. The commands wait for a second
    // file, so two commands overlap.
    let line = "cd \"$SCRATCH\"; touch at.$$; ls | grep -c at.; \
                until [ -e met ] || [ $(ls | grep -c at.) = 2 ]; do sleep 0.01; done; touch met; rm at.$$";
    let line = format!("SCRATCH='{}'; {line}", sshd.scratch().display());
    let ran = with_ssh_config(fab(), &sshd).args(["-H", "web1,web2,web3,db1", "-P", "2", "--", &line]).run();
    let counts: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split("] ").nth(1)).collect();
    assert_eq!(counts.len(), 4, "{}", ran.stdout);
    assert!(counts.iter().all(|count| ["1", "2"].contains(count)), "{}", ran.stdout);
}

#[test]
fn the_summary_lists_hosts_in_a_form_to_paste() {
    let sshd = shop_hosts();
    let refused = RefusedPort::reserve();
    let line = "case $SSH_CONNECTION in *) echo up; test \"$(hostname)\" = nobody-has-this-name; esac";
    let hosts = format!("web1,{},web2", refused.addr());
    let ran = with_ssh_config(fab(), &sshd).args(["-H", &hosts, "--", line]).code(1).run();
    let summary = ran.stderr.lines().last().unwrap_or_default();
    let name = "case $SSH_CONNECTION in *) echo up; t...";
    let unreachable = refused.addr();
    assert_eq!(summary, format!("{name}: 2 failed (web1, web2), 1 unreachable ({unreachable})"));
    // The failed hosts, copied from the summary.
    let again = with_ssh_config(fab(), &sshd).args(["-H", "web1, web2", "--", "echo again"]);
    let ran = again.stderr("echo again: 2 ok\n").run();
    assert_eq!(sorted(&ran.stdout), ["[web1] again", "[web2] again"]);
}

#[test]
fn thirty_unknown_host_keys_are_one_error_with_every_host() {
    let names: Vec<String> = (1..=30).map(|n| format!("node{n}")).collect();
    let sshd = fabrs_testing::Sshd::builder().aliases(names.iter().map(String::as_str)).start();
    fs::write(sshd.known_hosts(), "").expect("the test owns the file");
    let ran = with_ssh_config(fab(), &sshd).args(["-H", "node[1-30]", "--", "true"]).code(5).stdout("").run();
    let expected = [
        "error: 30 hosts: the host's ssh-ed25519 key is not known".to_owned(),
        format!("  hosts: {}", names.join(", ")),
        format!("  caused by: it shows {}", sshd.host_keys()[0].fingerprint()),
        format!(
            "hint: compare the fingerprint, then connect once with `ssh -o StrictHostKeyChecking=ask -F {} HOST`, or set \
             `StrictHostKeyChecking accept-new`",
            sshd.ssh_config().display()
        ),
        format!("true: 30 unreachable ({})", names.join(", ")),
    ];
    assert_eq!(ran.stderr.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn equal_errors_of_a_task_are_one_error_at_its_end() {
    let sshd = shop_hosts();
    let run = with_ssh_config(crate::fixtures::shop(), &sshd).args([
        "-H",
        "web1,web2,web3",
        "--serial",
        "--keep-going",
        "fail",
        "3",
    ]);
    let ran = run.code(1).run();
    let at = format!("  at {}", crate::fixtures::location_of("exit {status}"));
    let expected = [
        "[web1] task fail",
        "error: web1: `echo trying; exit 3` ended with exit status 3",
        &at,
        "[web2] task fail",
        "[web2] task fail: failed (same error as web1)",
        "[web3] task fail",
        "[web3] task fail: failed (same error as web1)",
        "error: web1, web2, web3: `echo trying; exit 3` ended with exit status 3",
        &at,
        "fail: 3 failed (web1, web2, web3)",
    ];
    assert_eq!(ran.stderr.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_dry_run_of_a_shell_line_prints_every_host() {
    fab().args(["-n", "-H", "web1", "--", "uname -a"]).stdout("").stderr_contains("[web1] would run: uname -a\n").run();
}
