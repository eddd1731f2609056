//! Unreachable hosts and lost connections: exit code 4, and never a report of success.

use fabrs_testing::faults::{Cut, Direction, Proxy, RefusedPort};
use fabrs_testing::{Fab, Sshd, marker};

use crate::fixtures::{LIMIT, fab, marker_file, shop};

/// Connects a run to a server through a proxy, with the alias `host`.
fn through_proxy(run: Fab, proxy: &Proxy, sshd: &Sshd) -> Fab {
    let config = format!(
        "Host host\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile \"{identity}\"\n  \
         IdentitiesOnly yes\n  UserKnownHostsFile known_hosts\n  StrictHostKeyChecking yes\n",
        port = proxy.port(),
        user = sshd.user(),
        identity = sshd.identity().display(),
    );
    let known = format!("[127.0.0.1]:{} {}\n", proxy.port(), sshd.host_keys()[0].public());
    let run = run.project(&[("known_hosts", &known)]);
    let known = run.dir().join("known_hosts");
    let config = config.replace("File known_hosts", &format!("File \"{}\"", known.display()));
    let run = run.project(&[("ssh_config", &config)]);
    let config = run.dir().join("ssh_config");
    run.arg("-S").arg(config).args(["-H", "host"])
}

#[test]
fn an_unresolvable_name_is_exit_code_4() {
    fab()
        .args(["-H", "no-such-host.invalid", "--", "true"])
        .code(4)
        .stdout("")
        .stderr_contains(
            "error: no-such-host.invalid: could not connect to no-such-host.invalid port 22\n  \
             caused by: the name does not resolve\n  caused by: ",
        )
        .run();
}

#[test]
fn a_refused_connection_is_exit_code_4() {
    let refused = RefusedPort::reserve();
    let (host, port) = (refused.addr(), refused.addr().port());
    fab()
        .args(["-H", &host.to_string(), "--", "true"])
        .code(4)
        .stdout("")
        .stderr(format!(
            "error: {host}: could not connect to 127.0.0.1 port {port}\n  \
             caused by: {host}: Connection refused (os error 111)\n\
             hint: no server listens on this port: check that sshd runs, or set the port with `--port N` (of a gateway: `Port` in the ssh config)\n"
        ))
        .run();
}

#[test]
fn the_connect_timeout_ends_a_silent_connection() {
    let silent = Proxy::silent();
    let host = silent.addr();
    let port = silent.port();
    for (seconds, shown) in [("0.2", "200ms"), ("1", "1s")] {
        fab()
            .args(["-H", &host.to_string(), "-t", seconds, "--", "true"])
            .code(4)
            .stdout("")
            .stderr(format!(
                "error: {host}: no answer from 127.0.0.1 port {port} within {shown}\nhint: to wait longer, use `-t SECONDS`\n"
            ))
            .run();
    }
}

#[test]
fn a_server_without_ssh_is_exit_code_4() {
    let web = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let host = web.local_addr().expect("the socket is bound");
    let answering = std::thread::spawn(move || {
        use std::io::Write;
        // fab retries after a closed connection, but not after an invalid banner.
        let (mut client, _) = web.accept().expect("fab connects");
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("the connection is open");
        client
    });
    let ran = fab().args(["-H", &host.to_string(), "-t", "1", "--", "true"]).code(4).stdout("").run();
    assert!(ran.stderr.starts_with(&format!("error: {host}: ")), "{}", ran.stderr);
    drop(answering.join());
}

#[test]
fn a_lost_connection_during_a_shell_line_is_exit_code_4() {
    let sshd = Sshd::start();
    for cut in [Cut::Reset, Cut::Fin] {
        let proxy = Proxy::to(sshd.addr());
        let line = format!("echo begun; sleep {}", marker());
        let running = through_proxy(fab(), &proxy, &sshd).args(["--", &line]).code(4).stdout("begun\n").spawn();
        running.wait_for_stdout("begun", LIMIT);
        proxy.cut_now(cut);
        let ran = running.wait();
        let block = format!(
            "error: host: the connection was lost during `{line}`; the command may have completed\n  caused by: "
        );
        assert!(ran.stderr.starts_with(&block), "{}", ran.stderr);
    }
}

#[test]
fn a_lost_connection_during_a_task_is_reported_as_lost() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr());
    let running = through_proxy(shop(), &proxy, &sshd).args(["nap", &marker(), "hello"]).code(4).spawn();
    running.wait_for_stdout("[host] napping\n", LIMIT);
    proxy.cut_now(Cut::Reset);
    let ran = running.wait();
    assert!(ran.stderr.contains("\nerror: host: the connection was lost during `"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("nap: 1 lost (host)\nhello: 1 not started (host)\n"), "{}", ran.stderr);
}

#[test]
fn a_cut_connection_never_reports_a_false_success() {
    let sshd = Sshd::start();
    let whole = Proxy::to(sshd.addr());
    through_proxy(fab(), &whole, &sshd).args(["--", "echo done"]).stdout("done\n").run();
    for way in [Direction::ToClient, Direction::ToServer] {
        let bytes = whole.traffic(way).bytes;
        for part in 1..8 {
            let proxy = Proxy::to(sshd.addr()).cut_after(way, bytes * part / 8, Cut::Fin);
            let run = through_proxy(fab(), &proxy, &sshd).args(["--", "echo done"]);
            // The cut may come too late to matter. A lost host is exit code 4, a connection closed
            // during login is 5.
            let ran = run.any_code().run();
            match ran.code {
                0 => assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("done\n", "")),
                4 | 5 => assert!(ran.stderr.starts_with("error: host: "), "{}", ran.stderr),
                code => panic!("{code} after {part}/8 {way:?}: {}", ran.stderr),
            }
        }
    }
}

#[test]
fn a_gateway_without_a_route_to_the_host_is_exit_code_4() {
    let sshd = Sshd::start();
    let refused = RefusedPort::reserve();
    let marker = marker_file(&sshd);
    let ran = fab()
        .arg("-S")
        .arg(sshd.ssh_config())
        .args(["-g", "host", "-H", &refused.addr().to_string(), "--", &marker.line()])
        .code(4)
        .stdout("")
        .run();
    let (host, port) = (refused.addr(), refused.addr().port());
    let start = format!("error: {host}: the gateway host could not connect to 127.0.0.1 port {port}\n  caused by: ");
    assert!(ran.stderr.starts_with(&start), "{}", ran.stderr);
    assert!(!marker.exists());
}
