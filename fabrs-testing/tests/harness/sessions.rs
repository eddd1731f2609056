//! Tests of `Sshd`: connections, sessions and processes of a server.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use fabrs_testing::{Account, Capability, Sshd, marker, processes_matching, wait_until};

use crate::{LIMIT, output};

/// A child process, killed on drop.
struct ChildGuard(Child);

impl ChildGuard {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program is installed"))
    }

    fn kill(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("the test started the process");
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Returns the command lines of the server's `sleep` processes with a marker.
fn sleepers(sshd: &Sshd, mark: &str) -> Vec<String> {
    let found = sshd.session_processes().into_iter().map(|process| process.cmdline);
    found.filter(|line| line.starts_with("sleep ") && line.contains(mark)).collect()
}

/// Opens a connection to be shared by several sessions (`ControlMaster`).
fn master(sshd: &Sshd, socket: &Path) -> ChildGuard {
    let master = ChildGuard::start(sshd.ssh().args(["-N", "-M", "-S"]).arg(socket).arg("host"));
    wait_until("the connection is open", LIMIT, || socket.exists());
    master
}

#[test]
fn a_session_above_max_sessions_is_refused() {
    let sshd = Sshd::builder().max_sessions(1).start();
    let socket = sshd.dir().join("socket");
    let _master = master(&sshd, &socket);
    // With `ProxyCommand=false`, ssh cannot open another connection.
    let second = |line: &str| {
        let mut ssh = sshd.ssh();
        ssh.arg("-S").arg(&socket).args(["-o", "ProxyCommand=false", "host", line]);
        ssh
    };

    let mark = marker();
    let mut first = ChildGuard::start(&mut second(&format!("sleep {mark}")));
    wait_until("the first session runs", LIMIT, || !sleepers(&sshd, &mark).is_empty());
    assert_eq!((sshd.connections(), sshd.open_sessions()), (1, 1));
    let (code, _, stderr) = output(&mut second("true"));
    assert_eq!(code, Some(255));
    assert!(stderr.contains("Session open refused by peer"), "{stderr}");
    first.kill();
}

#[test]
fn orphans_of_a_closed_connection_are_listed_and_end_with_the_server() {
    let sshd = Sshd::start();
    let mark = marker();
    let mut ssh = ChildGuard::start(sshd.ssh().args(["host", &format!("sleep {mark} | cat")]));
    wait_until("the command runs", LIMIT, || !sleepers(&sshd, &mark).is_empty());
    ssh.kill();
    wait_until("the connection is gone", LIMIT, || sshd.connections() == 0);
    assert_eq!(sleepers(&sshd, &mark).len(), 1, "closing a connection ends nothing");
    assert_eq!(sshd.open_sessions(), 0);

    drop(sshd);
    assert_eq!(processes_matching(&mark), []);
}

#[test]
fn orphans_under_sudo_are_listed_and_end_with_the_server() {
    if !Capability::Sudo.is_available() {
        return;
    }
    for account in [Account::SudoNopasswd, Account::SudoPty] {
        let sshd = Sshd::builder().users([account]).start();
        let mark = marker();
        let line = format!("sudo -n sh -c 'setsid sleep {mark} & sleep {mark}'");
        let mut ssh = ChildGuard::start(sshd.ssh().args(["host", &line]));
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
fn processes_of_other_servers_are_not_listed() {
    let (one, other) = (Sshd::start(), Sshd::start());
    let mark = marker();
    let _ssh = ChildGuard::start(one.ssh().args(["host", &format!("sleep {mark}")]));
    wait_until("the command runs", LIMIT, || !sleepers(&one, &mark).is_empty());
    assert_eq!(other.session_processes(), []);
    assert_eq!((other.connections(), other.open_sessions()), (0, 0));
    drop(other);
    assert_eq!(sleepers(&one, &mark).len(), 1, "stopping one server keeps the other server");
}

#[test]
fn an_sftp_session_counts_as_one() {
    let sshd = Sshd::start();
    // With an open stdin, sftp waits for a command.
    let mut sftp = Command::new("sftp");
    sftp.arg("-F").arg(sshd.ssh_config()).args(["-q", "host"]).stdin(Stdio::piped());
    let _sftp = ChildGuard::start(&mut sftp);
    wait_until("the subsystem runs", LIMIT, || sshd.open_sessions() == 1);
    assert_eq!(sshd.session_processes(), [], "internal-sftp is sshd itself");
}
