//! `sudo` on a demo host, with the options common in deploys.

use std::time::Duration;

use fabrs_core::{Command, ErrorKind, ShellLine};
use fabrs_testing::{Process, marker, processes_matching};

use crate::fixtures::{connection, demo, run, stdout_of, text};

#[test]
fn the_login_is_a_plain_user_with_sudo_rights() {
    let demo = demo(&["demo"]);
    assert_eq!(stdout_of(&demo, "demo", "id -un; id -u"), "demo\n1000\n");
    assert_eq!(stdout_of(&demo, "demo", "sudo id -un; sudo -n id -u"), "root\n0\n");
    let refused = run(&demo, "demo", "touch /etc/x");
    assert!(text(&refused.stderr).contains("Permission denied"), "{refused:?}");
    assert_eq!(stdout_of(&demo, "demo", "sudo touch /etc/x; stat -c %U /etc/x"), "root\n");
}

#[test]
fn sudo_is_found_in_every_path() {
    let demo = demo(&["demo"]);
    let usual = if std::path::Path::new("/usr/bin/sudo").exists() { "/usr/bin/sudo id -un;" } else { "echo root;" };
    let line = format!("{usual} bash -lc 'sudo id -un'; sudo sudo id -un; env -i /run/fabrs-demo/bin/sudo id -un");
    assert_eq!(stdout_of(&demo, "demo", &line), "root\nroot\nroot\nroot\n");
}

#[test]
fn options_work_as_in_sudo() {
    let demo = demo(&["demo"]);
    let lines = [
        ("sudo -S -p 'password: ' id -un < /dev/null", "root"),
        ("sudo -nHu www-data -- id -un", "www-data"),
        ("sudo --user=www-data --non-interactive id -un", "www-data"),
        ("sudo -u '#33' id -un", "www-data"),
        ("sudo -u demo -g www-data id -gn", "www-data"),
        ("sudo -g '#33' id -g", "33"),
        ("sudo sh -c 'echo $HOME $USER $SUDO_USER'", "/root root demo"),
        ("FOO=x sudo sh -c 'echo ${FOO-none}'", "none"),
        ("FOO=x sudo -E sh -c 'echo ${FOO-none}'", "x"),
        ("FOO=x BAR=y sudo --preserve-env=FOO sh -c 'echo ${FOO-none} ${BAR-none}'", "x none"),
        ("sudo FOO='a b' sh -c 'echo \"$FOO\"'", "a b"),
        ("cd /srv && sudo pwd", "/srv"),
        ("cd /srv && sudo -i pwd", "/root"),
        ("sudo -i echo 'a  b' '$HOME'", "a  b $HOME"),
        ("sudo -u demo -i sh -c 'echo $HOME'", "/home/demo"),
        ("sudo -s echo '*'", "*"),
        ("sudo -D /srv pwd", "/srv"),
        ("sudo -k; sudo -v; sudo -K; echo $?", "0"),
        ("echo in | sudo cat", "in"),
        ("sudo sh -c 'exit 7'; echo $?", "7"),
        ("sudo -- echo -n x", "x"),
        ("sudo echo -u x -n", "-u x -n"),
    ];
    for (line, expected) in lines {
        assert_eq!(stdout_of(&demo, "demo", line).trim_end(), expected, "{line}");
    }
}

#[test]
fn error_messages_are_those_of_sudo() {
    let demo = demo(&["demo"]);
    let lines = [
        ("sudo no-such-program", "sudo: no-such-program: command not found\n"),
        ("sudo -u eve true", "sudo: unknown user eve\n"),
        ("sudo -g eve true", "sudo: unknown group eve\n"),
        ("sudo", "sudo: a command is needed\n"),
        ("sudo -u www-data sudo true", "sudo: www-data is not in the sudoers file\n"),
    ];
    for (line, expected) in lines {
        let output = run(&demo, "demo", line);
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), (expected, Some(1)), "{line}");
    }
}

#[test]
fn other_users_cannot_become_root() {
    let demo = demo(&["demo"]);
    let lines = [
        "sudo -u www-data setpriv --reuid=0 id -u",
        "sudo -u www-data unshare --map-root-user true; sudo -u www-data touch /etc/x",
    ];
    for line in lines {
        assert!(!run(&demo, "demo", line).status.success(), "{line}");
    }
}

#[tokio::test]
async fn fabrs_commands_run_under_sudo() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    let line = |command: Command| async move { command.await.expect("the command ran").line().expect("one line") };
    assert_eq!(line(host.sudo("id -un")).await, "root");
    assert_eq!(line(host.sudo("id -un").user("www-data")).await, "www-data");
    assert_eq!(line(host.sudo("id -gn").user("demo").group("www-data")).await, "www-data");
    assert_eq!(line(host.sudo("pwd").login()).await, "/root");
    assert_eq!(line(host.cd("/srv").env("X", "a 'b'").sudo("echo $X in $PWD > x; cat x")).await, "a 'b' in /srv");
    assert_eq!(line(host.sudo("cat").stdin("given")).await, "given");
    let error = host.sudo("exit 3; true").await.expect_err("exit status 3");
    assert_eq!(error.kind(), ErrorKind::Exit);
    client.close().await;
}

#[tokio::test]
async fn a_timeout_kills_fabrs_commands_under_sudo() {
    let demo = demo(&["demo"]);
    let (client, host) = connection(&demo, "demo");
    for shape in [
        "sleep SECONDS",
        "sleep SECONDS | cat",
        "trap '' TERM; sleep SECONDS; true",
        "sleep SECONDS & sleep SECONDS; wait",
    ] {
        let seconds = marker();
        let command = host.sudo(ShellLine::raw(shape.replace("SECONDS", &seconds)));
        let error = command.timeout(Duration::from_millis(300)).await.expect_err("the timeout ends the command");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{shape}");
        assert_eq!(processes_matching(&seconds), Vec::<Process>::new(), "{shape}");
    }
    client.close().await;
}
