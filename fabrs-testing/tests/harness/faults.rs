//! Tests of network faults.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fabrs_testing::faults::{Cut, Direction, Proxy, RefusedPort};
use fabrs_testing::{Sshd, wait_until};

use crate::{LIMIT, output};

/// Time for data to pass. If the time is too short, the test still succeeds.
const SHORT_WAIT: Duration = Duration::from_millis(50);

/// Starts a server that echoes all data of each connection until the test process ends.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let addr = listener.local_addr().expect("the socket is bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut writer = stream.try_clone().expect("a descriptor can be duplicated");
                let _ = std::io::copy(&mut &stream, &mut writer);
            });
        }
    });
    addr
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.addr()).expect("the proxy accepts");
    stream.set_read_timeout(Some(LIMIT)).expect("the limit is not zero");
    stream
}

fn send_and_receive(stream: &mut TcpStream, data: &[u8]) -> Vec<u8> {
    stream.write_all(data).expect("the connection is open");
    let mut answer = vec![0; data.len()];
    stream.read_exact(&mut answer).expect("the echo answers");
    answer
}

#[test]
fn data_passes_completely_in_small_segments() {
    let proxy = Proxy::to(echo()).chunks_of(3);
    let data: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    assert_eq!(send_and_receive(&mut connect(&proxy), &data), data);
    assert_eq!(proxy.accepted(), 1);
    assert_eq!(proxy.traffic(Direction::ToClient).bytes, 10_000);
}

#[test]
fn a_connection_is_cut_after_a_number_of_bytes_and_the_next_is_not() {
    for (cut, expected) in [(Cut::Fin, None), (Cut::Reset, Some(ErrorKind::ConnectionReset))] {
        let proxy = Proxy::to(echo()).cut_after(Direction::ToClient, 5, cut);
        let mut stream = connect(&proxy);
        stream.write_all(b"0123456789").expect("the connection is open");
        let mut received = Vec::new();
        let end = stream.read_to_end(&mut received);
        assert_eq!((received.as_slice(), end.err().map(|error| error.kind())), (&b"01234"[..], expected), "{cut:?}");
        assert_eq!(send_and_receive(&mut connect(&proxy), b"again"), b"again");
        assert_eq!(proxy.accepted(), 2);
    }
}

#[test]
fn a_cut_ends_an_idle_connection() {
    for (cut, expected) in [(Cut::Fin, Ok(0)), (Cut::Reset, Err(ErrorKind::ConnectionReset))] {
        let proxy = Proxy::to(echo());
        let mut stream = connect(&proxy);
        send_and_receive(&mut stream, b"ready");
        proxy.cut_now(cut);
        assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), expected, "{cut:?}");
    }
}

#[test]
fn a_cut_ends_a_connection_with_full_buffers() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    stream.set_write_timeout(Some(SHORT_WAIT)).expect("the limit is not zero");
    // The echo is never read, so all buffers fill up.
    while stream.write(&[7; 4096]).is_ok() {}
    proxy.cut_now(Cut::Reset);
    wait_until("the reset arrives", LIMIT, || {
        stream
            .write(&[7])
            .is_err_and(|error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
    });
}

#[test]
fn a_stalled_connection_is_silent_and_resumes_without_loss() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    send_and_receive(&mut stream, b"ready");
    proxy.stall();
    stream.write_all(b"held back").expect("a stalled write succeeds");
    stream.set_read_timeout(Some(SHORT_WAIT)).expect("the limit is not zero");
    let silence = stream.read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(silence, Err(ErrorKind::WouldBlock));
    proxy.resume();
    stream.set_read_timeout(Some(LIMIT)).expect("the limit is not zero");
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).expect("the echo answers");
    assert_eq!(&answer, b"held back");
}

#[test]
fn a_delay_applies_to_each_round_trip() {
    let delay = Duration::from_millis(30);
    let proxy = Proxy::to(echo()).delay_both(delay);
    let mut stream = connect(&proxy);
    let start = Instant::now();
    for _ in 0..3 {
        send_and_receive(&mut stream, b"x");
    }
    // A lower bound only. The additional time depends on the machine.
    assert!(start.elapsed() >= delay * 6);
    assert_eq!(proxy.round_trips(), 3);
    assert_eq!(proxy.traffic(Direction::ToServer).segments, 3);
}

#[test]
fn a_half_closed_connection_still_receives() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    stream.write_all(b"last words").expect("the connection is open");
    stream.shutdown(std::net::Shutdown::Write).expect("the connection is open");
    let mut received = String::new();
    stream.read_to_string(&mut received).expect("the echo answers");
    assert_eq!(received, "last words");
}

#[test]
fn a_silent_server_accepts_and_sends_nothing() {
    let proxy = Proxy::silent();
    let mut stream = connect(&proxy);
    wait_until("the server has accepted", LIMIT, || proxy.accepted() == 1);
    stream.set_read_timeout(Some(SHORT_WAIT)).expect("the limit is not zero");
    assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
}

#[test]
fn a_refused_port_stays_refused() {
    let refused = RefusedPort::reserve();
    let error = TcpStream::connect(refused.addr()).expect_err("a refused connection");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(TcpListener::bind(refused.addr()).is_err(), "the port stays reserved");
}

#[test]
fn ssh_loses_a_connection_cut_by_the_proxy() {
    let sshd = Sshd::start();
    let proxy = Proxy::to(sshd.addr()).cut_after(Direction::ToClient, 100_000, Cut::Reset);
    let port = format!("Port={}", proxy.port());
    let known = format!("HostKeyAlias=[127.0.0.1]:{}", sshd.port());
    let fetch = || {
        let mut ssh = sshd.ssh();
        ssh.args(["-o", &port, "-o", &known, "host"]).arg("head -c 1000000 /dev/zero | tr '\\0' x");
        output(&mut ssh)
    };
    let (code, stdout, _) = fetch();
    assert_eq!(code, Some(255));
    assert!(stdout.len() < 100_000, "{}", stdout.len());
    let (code, stdout, _) = fetch();
    assert_eq!((code, stdout.len()), (Some(0), 1_000_000));
    assert_eq!(proxy.accepted(), 2);
}
