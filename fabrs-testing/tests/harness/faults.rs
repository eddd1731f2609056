//! The network misbehaves exactly as told.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fabrs_testing::faults::{Cut, Direction, Proxy, RefusedPort};
use fabrs_testing::{Sshd, wait_until};

use crate::{LIMIT, output};

/// Long enough for bytes that are not held back; nothing fails where it is too short.
const MOMENT: Duration = Duration::from_millis(50);

/// A server that says back what it hears, to each connection, as long as the test runs.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let addr = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut writer = stream.try_clone().expect("one more descriptor");
                let _cut = std::io::copy(&mut &stream, &mut writer);
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

fn ask(stream: &mut TcpStream, words: &[u8]) -> Vec<u8> {
    stream.write_all(words).expect("the connection is open");
    let mut answer = vec![0; words.len()];
    stream.read_exact(&mut answer).expect("the echo answers");
    answer
}

#[test]
fn bytes_pass_whole_in_small_segments() {
    let proxy = Proxy::to(echo()).chunks_of(3);
    let words: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    assert_eq!(ask(&mut connect(&proxy), &words), words);
    assert_eq!(proxy.accepted(), 1);
    assert_eq!(proxy.traffic(Direction::ToClient).bytes, 10_000);
}

#[test]
fn a_connection_is_cut_after_so_many_bytes_and_the_next_passes() {
    for (how, expected) in [(Cut::Fin, None), (Cut::Reset, Some(ErrorKind::ConnectionReset))] {
        let proxy = Proxy::to(echo()).cut_after(Direction::ToClient, 5, how);
        let mut stream = connect(&proxy);
        stream.write_all(b"0123456789").expect("the connection is open");
        let mut heard = Vec::new();
        let end = stream.read_to_end(&mut heard);
        assert_eq!((heard.as_slice(), end.err().map(|error| error.kind())), (&b"01234"[..], expected), "{how:?}");
        assert_eq!(ask(&mut connect(&proxy), b"again"), b"again");
        assert_eq!(proxy.accepted(), 2);
    }
}

#[test]
fn a_cut_reaches_a_connection_that_is_idle() {
    for (how, expected) in [(Cut::Fin, Ok(0)), (Cut::Reset, Err(ErrorKind::ConnectionReset))] {
        let proxy = Proxy::to(echo());
        let mut stream = connect(&proxy);
        ask(&mut stream, b"ready");
        proxy.cut_now(how);
        assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), expected, "{how:?}");
    }
}

#[test]
fn a_cut_reaches_a_connection_whose_peer_does_not_read() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    stream.set_write_timeout(Some(MOMENT)).expect("the limit is not zero");
    // Nobody reads the echo: every buffer on the way fills up.
    while stream.write(&[7; 4096]).is_ok() {}
    proxy.cut_now(Cut::Reset);
    wait_until("the reset is there", LIMIT, || {
        stream
            .write(&[7])
            .is_err_and(|error| matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
    });
}

#[test]
fn a_stalled_connection_is_silent_and_goes_on_where_it_was() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    ask(&mut stream, b"ready");
    proxy.stall();
    stream.write_all(b"held back").expect("nothing refuses it");
    stream.set_read_timeout(Some(MOMENT)).expect("the limit is not zero");
    let silence = stream.read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(silence, Err(ErrorKind::WouldBlock));
    proxy.resume();
    stream.set_read_timeout(Some(LIMIT)).expect("the limit is not zero");
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).expect("the echo answers");
    assert_eq!(&answer, b"held back");
}

#[test]
fn a_delay_holds_each_byte_but_not_the_next() {
    let delay = Duration::from_millis(30);
    let proxy = Proxy::to(echo()).delay_both(delay);
    let mut stream = connect(&proxy);
    let start = Instant::now();
    for _ in 0..3 {
        ask(&mut stream, b"x");
    }
    // A lower bound only: how much longer it takes is up to the machine.
    assert!(start.elapsed() >= delay * 6);
    assert_eq!(proxy.round_trips(), 3);
    assert_eq!(proxy.traffic(Direction::ToServer).segments, 3);
}

#[test]
fn a_half_closed_connection_still_answers() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    stream.write_all(b"last words").expect("the connection is open");
    stream.shutdown(std::net::Shutdown::Write).expect("the connection is open");
    let mut heard = String::new();
    stream.read_to_string(&mut heard).expect("the echo answers");
    assert_eq!(heard, "last words");
}

#[test]
fn a_silent_server_accepts_and_says_nothing() {
    let proxy = Proxy::silent();
    let mut stream = connect(&proxy);
    wait_until("it has accepted", LIMIT, || proxy.accepted() == 1);
    stream.set_read_timeout(Some(MOMENT)).expect("the limit is not zero");
    assert_eq!(stream.read(&mut [0; 1]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
}

#[test]
fn a_refused_port_stays_refused() {
    let refused = RefusedPort::reserve();
    let error = TcpStream::connect(refused.addr()).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(TcpListener::bind(refused.addr()).is_err(), "nobody else can take it");
}

#[test]
fn ssh_loses_its_connection_when_the_proxy_cuts_it() {
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
