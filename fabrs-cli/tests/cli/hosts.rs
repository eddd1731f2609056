//! One shell line on several hosts: every line says whose it is, and every host is accounted for.

use std::fs;

use fabrs_testing::faults::Refused;

use crate::place::{fab, fleet, knowing, sorted};

#[test]
fn every_line_has_its_host_in_front() {
    let sshd = fleet();
    let ran = knowing(fab(), &sshd).args(["-H", "web1,web2", "--", "echo out; printf no-end >&2"]).run();
    assert_eq!(sorted(&ran.stdout), ["[web1] out", "[web2] out"]);
    assert_eq!(sorted(&ran.stderr), ["[web1] no-end", "[web2] no-end"]);
}

#[test]
fn hosts_are_added_up_trimmed_and_each_has_one_turn() {
    let sshd = fleet();
    let expected = "[web2] x\n[web1] x\n[db1] x\n";
    knowing(fab(), &sshd)
        .args(["-H", " web2 ,web1,web2", "--hosts=db1", "-Hweb1", "--serial", "--", "echo x"])
        .stdout(expected)
        .run();
}

#[test]
fn a_file_names_hosts_and_has_comments() {
    let sshd = fleet();
    let fab = fab().project(&[("hosts.txt", "# the web\nweb3\n\n  web1 # old\n")]);
    knowing(fab, &sshd)
        .args(["-H", "db1,@hosts.txt", "--serial", "--", "echo x"])
        .stdout("[db1] x\n[web3] x\n[web1] x\n")
        .run();
}

#[test]
fn ranges_stand_for_their_hosts_and_excluded_ones_are_left_out() {
    let sshd = fleet();
    let fab = fab().project(&[("hosts.txt", "db[1-1]\nweb[1:3]\n"), ("out.txt", "web1\n")]);
    knowing(fab, &sshd)
        .args(["-H", "@hosts.txt,web[2-3]", "--serial", "-x", "@out.txt", "-x", "web[3,9]", "--", "echo x"])
        .stdout("[db1] x\n[web2] x\n")
        .stderr("warning: `-x web9` leaves nothing out: no such host is selected\n")
        .run();
}

#[test]
fn one_host_in_a_file_is_still_one_host() {
    let sshd = fleet();
    let fab = fab().project(&[("hosts.txt", "web3\n")]);
    knowing(fab, &sshd).args(["-H", "@hosts.txt", "--", "echo x; exit 7"]).code(7).stdout("x\n").stderr("").run();
}

#[test]
fn a_file_that_is_not_there_or_empty_runs_nothing() {
    let missing = "error: could not read the file of hosts `gone.txt`\n  caused by: No such file or directory \
                   (os error 2)\nhint: `-H @gone.txt` reads a file with one host a line\n";
    fab().args(["-H", "@gone.txt", "--", "true"]).code(2).stderr(missing).run();
    let empty = "error: `-H` names no host\nhint: write `-H HOST`, or `-H @FILE` with one host a line\n";
    fab().project(&[("none.txt", "# none yet\n")]).args(["-H", "@none.txt", "--", "true"]).code(3).stderr(empty).run();
}

#[test]
fn each_host_that_fails_has_a_block_and_the_others_are_done() {
    let sshd = fleet();
    let marks = sshd.scratch();
    let line = format!("cd '{}' && mkdir first 2>&- || exit 3", marks.display());
    let ran = knowing(fab(), &sshd)
        .args(["-H", "web1,web2,web3", "--serial", "--", &line])
        .code(1)
        .stdout("")
        .stderr(format!(
            "error: web2: `{line}` ended with exit status 3\nerror: web3: `{line}` ended with exit status 3\n"
        ))
        .run();
    assert!(fs::exists(marks.join("first")).expect("the scratch folder can be read"), "{}", ran.stderr);
}

#[test]
fn a_failure_outweighs_a_host_that_was_not_reached() {
    let sshd = fleet();
    let refused = Refused::port();
    let hosts = format!("{},web1,web2", refused.addr());
    let ran = knowing(fab(), &sshd).args(["-H", &hosts, "--", "echo up; exit 3"]).code(1).run();
    assert_eq!(sorted(&ran.stdout), ["[web1] up", "[web2] up"]);
    let port = refused.addr().port();
    let blocks = format!(
        "error: {0}: could not connect to 127.0.0.1 port {port}\n  caused by: 127.0.0.1:{port}: Connection refused (os error 111)\n\
         hint: nothing listens there: does sshd run, and is it the right port (`--port N`)?\n\
         error: web1: `echo up; exit 3` ended with exit status 3\n\
         error: web2: `echo up; exit 3` ended with exit status 3\n",
        refused.addr()
    );
    assert_eq!(ran.stderr, blocks);
}

#[test]
fn serial_keeps_the_listed_order_and_so_does_one_at_a_time() {
    let sshd = fleet();
    for order in [&["--serial"][..], &["-P", "1"], &["--parallel=1"]] {
        knowing(fab(), &sshd)
            .args(["-H", "web3,web1,db1,web2"])
            .args(order)
            .args(["--", "echo x"])
            .stdout("[web3] x\n[web1] x\n[db1] x\n[web2] x\n")
            .run();
    }
}

#[test]
fn two_at_a_time_are_two_and_not_three() {
    let sshd = fleet();
    // Each leaves a file while it runs, and counts how many there are; a second is waited for, so that two do meet.
    let line = "cd \"$SCRATCH\"; touch at.$$; ls | grep -c at.; \
                until [ -e met ] || [ $(ls | grep -c at.) = 2 ]; do sleep 0.01; done; touch met; rm at.$$";
    let line = format!("SCRATCH='{}'; {line}", sshd.scratch().display());
    let ran = knowing(fab(), &sshd).args(["-H", "web1,web2,web3,db1", "-P", "2", "--", &line]).run();
    let counts: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split("] ").nth(1)).collect();
    assert_eq!(counts.len(), 4, "{}", ran.stdout);
    assert!(counts.iter().all(|count| ["1", "2"].contains(count)), "{}", ran.stdout);
}
