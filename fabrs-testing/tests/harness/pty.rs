//! Tests of `TerminalSession`.

use fabrs_testing::{Capability, Sshd, TerminalSession};

use crate::LIMIT;

fn shell(line: &str) -> TerminalSession {
    let mut command = TerminalSession::command("/bin/sh");
    command.args(["-c", line]);
    TerminalSession::spawn(command)
}

#[test]
fn a_prompt_can_be_answered() {
    let mut pty = shell("printf 'name? '; read name; echo \"hello, $name\"; exit 3");
    pty.expect("name? ", LIMIT);
    pty.send("you\n");
    assert_eq!(pty.expect("hello, you", LIMIT), "you\r\nhello, you", "the terminal echoes");
    assert_eq!(pty.wait(LIMIT), 3);
}

#[test]
fn the_program_has_a_controlling_terminal_of_80_by_24() {
    let mut pty = shell("stty size < /dev/tty; test -t 0 && test -t 1 && test -t 2 && echo all");
    pty.expect("24 80", LIMIT);
    pty.expect("all", LIMIT);
    assert_eq!(pty.wait(LIMIT), 0);
}

#[test]
fn ctrl_c_sends_a_signal() {
    let mut pty = shell("trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.01; done");
    pty.expect("ready", LIMIT);
    pty.send("\x03");
    pty.expect("caught", LIMIT);
    assert_eq!(pty.wait(LIMIT), 9);
}

#[test]
fn a_resize_is_visible_to_the_program() {
    let mut pty = shell("echo ready; read go; stty size");
    pty.expect("ready", LIMIT);
    pty.resize(132, 50);
    pty.send("\n");
    pty.expect("50 132", LIMIT);
}

#[test]
#[should_panic(expected = "the program ended before `never` was printed; output: \"bye\\r\\n\"")]
fn a_missing_text_panics_with_the_output() {
    shell("echo bye").expect("never", LIMIT);
}

#[test]
fn ssh_opens_a_terminal_on_the_server() {
    if !Capability::Terminal.is_available() {
        return;
    }
    let sshd = Sshd::start();
    let mut ssh = TerminalSession::command("ssh");
    ssh.arg("-F").arg(sshd.ssh_config()).args(["-t", "host", "stty size; read x; echo got $x"]);
    let mut pty = TerminalSession::spawn(ssh);
    pty.expect("24 80", LIMIT);
    pty.send("it\n");
    pty.expect("got it", LIMIT);
    assert_eq!(pty.wait(LIMIT), 0);
}
