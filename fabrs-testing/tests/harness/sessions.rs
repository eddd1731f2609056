//! What runs because of a server is seen, and ends with it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};

use crate::{LIMIT, output};

/// A child that is killed when the test ends, however it ends.
struct Kept(Child);

impl Kept {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program is installed"))
    }

    fn kill(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it is our child");
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The processes of the server that sleep for the marked time.
fn sleepers(sshd: &Sshd, mark: &str) -> Vec<String> {
    let found = sshd.session_processes().into_iter().map(|process| process.cmdline);
    found.filter(|line| line.starts_with("sleep ") && line.contains(mark)).collect()
}

/// A connection that stays open, for more sessions than one.
fn master(sshd: &Sshd, socket: &Path) -> Kept {
    let master = Kept::start(sshd.ssh().args(["-N", "-M", "-S"]).arg(socket).arg("host"));
    wait_until("the connection is open", LIMIT, || socket.exists());
    master
}

#[test]
fn a_session_over_max_sessions_is_refused() {
    let sshd = Sshd::builder().max_sessions(1).start();
    let socket = sshd.dir().join("socket");
    let _master = master(&sshd, &socket);
    // `false`: ssh may not fall back to a connection of its own.
    let second = |line: &str| {
        let mut ssh = sshd.ssh();
        ssh.arg("-S").arg(&socket).args(["-o", "ProxyCommand=false", "host", line]);
        ssh
    };

    let mark = marker();
    let mut first = Kept::start(&mut second(&format!("sleep {mark}")));
    wait_until("the first session runs", LIMIT, || !sleepers(&sshd, &mark).is_empty());
    assert_eq!((sshd.connections(), sshd.open_sessions()), (1, 1));
    let (code, _, stderr) = output(&mut second("true"));
    assert_eq!(code, Some(255));
    assert!(stderr.contains("Session open refused by peer"), "{stderr}");
    first.kill();
}

#[test]
fn what_a_closed_connection_left_behind_is_seen_and_ends_with_the_server() {
    let sshd = Sshd::start();
    let mark = marker();
    let mut ssh = Kept::start(sshd.ssh().args(["host", &format!("sleep {mark} | cat")]));
    wait_until("the command runs", LIMIT, || !sleepers(&sshd, &mark).is_empty());
    ssh.kill();
    wait_until("the connection is gone", LIMIT, || sshd.connections() == 0);
    assert_eq!(sleepers(&sshd, &mark).len(), 1, "closing a connection ends nothing");
    assert_eq!(sshd.open_sessions(), 0);

    drop(sshd);
    assert_eq!(processes_matching(&mark), []);
}

#[test]
fn an_orphan_below_sudo_is_seen_and_ends_with_the_server() {
    if !Capability::Sudo.is_available() {
        return;
    }
    for account in [Account::SudoNopasswd, Account::SudoPty] {
        let sshd = Sshd::builder().users([account]).start();
        let mark = marker();
        let line = format!("sudo -n sh -c 'setsid sleep {mark} & sleep {mark}'");
        let mut ssh = Kept::start(sshd.ssh().args(["host", &line]));
        wait_until("both commands run", LIMIT, || sleepers(&sshd, &mark).len() == 2);
        assert!(sshd.session_processes().iter().any(|process| process.uid == 0));
        ssh.kill();
        wait_until("the connection is gone", LIMIT, || sshd.connections() == 0);
        assert_eq!(sleepers(&sshd, &mark).len(), 2, "{account:?}");

        drop(sshd);
        assert_eq!(processes_matching(&mark), [], "{account:?}");
    }
}

#[test]
fn servers_do_not_count_each_others_processes() {
    let (one, other) = (Sshd::start(), Sshd::start());
    let mark = marker();
    let _ssh = Kept::start(one.ssh().args(["host", &format!("sleep {mark}")]));
    wait_until("the command runs", LIMIT, || !sleepers(&one, &mark).is_empty());
    assert_eq!(other.session_processes(), []);
    assert_eq!((other.connections(), other.open_sessions()), (0, 0));
    drop(other);
    assert_eq!(sleepers(&one, &mark).len(), 1, "the end of one server is not that of another");
}

#[test]
fn an_sftp_session_counts_as_one() {
    let sshd = Sshd::start();
    // Its stdin stays open: sftp waits for a command.
    let mut sftp = Command::new("sftp");
    sftp.arg("-F").arg(sshd.ssh_config()).args(["-q", "host"]).stdin(Stdio::piped());
    let _sftp = Kept::start(&mut sftp);
    wait_until("the subsystem is there", LIMIT, || sshd.open_sessions() == 1);
    assert_eq!(sshd.session_processes(), [], "internal-sftp is sshd itself");
}
