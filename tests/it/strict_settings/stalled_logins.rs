//! Stalled logins: the connect timeout ends the wait for a silent server or agent, and the error
//! names the silent side.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use fabrs::config::Layered;
use fabrs::prelude::*;
use fabrs::{Client, Result};
use fabrs_testing::Sshd;

use crate::support::{LIMIT, error_text, expect_error, settings, ssh_config};

/// The time limit of each answer. On a busy machine a key exchange may take a second.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

fn client(sshd: &Sshd, lines: &str) -> Client {
    let timeout = Layered::argument(ANSWER_LIMIT);
    let settings = settings(&ssh_config(sshd, lines)).connect_timeout(timeout);
    Client::builder().settings(settings).build()
}

/// Connects within the limit of the test. Returns the error text of the refusal.
async fn reason(client: &Client) -> Result<String> {
    let connected = client.connect("host")?;
    let result = tokio::time::timeout(LIMIT, connected.connect()).await.expect("the timeout has no effect");
    Ok(error_text(&expect_error(result, ErrorKind::Auth)))
}

#[tokio::test]
async fn a_silent_agent_is_named() -> Result<()> {
    let sshd = Sshd::start();
    let socket = sshd.dir().join("mute");
    // The kernel accepts connections to the socket.
    let _mute = UnixListener::bind(&socket).expect("the directory is ours");
    let text = reason(&client(&sshd, &format!("IdentityAgent {}\n", socket.display()))).await?;
    assert!(text.contains("the agent did not answer within 5s"), "{text}");
    assert!(text.contains(&format!("hint: is the agent at {} running?", socket.display())), "{text}");
    Ok(())
}

/// Forwards connections to `server`. Client data beyond `after` bytes is dropped.
fn stalling(server: std::net::SocketAddr, after: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let port = listener.local_addr().expect("the listener is bound").port();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (Ok(near), Ok(far)) = (near, TcpStream::connect(server)) else { return };
            let (mut from_server, mut to_client) =
                (far.try_clone().expect("a copy"), near.try_clone().expect("a copy"));
            std::thread::spawn(move || std::io::copy(&mut from_server, &mut to_client));
            std::thread::spawn(move || {
                let (mut near, mut far, mut passed, mut buffer) = (near, far, 0, [0; 4096]);
                while let Ok(read @ 1..) = near.read(&mut buffer) {
                    let left = after.saturating_sub(passed).min(read);
                    passed += read;
                    if far.write_all(&buffer[..left]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_stalls_after_the_key_exchange_is_named() -> Result<()> {
    let sshd = Sshd::start();
    let proxy = fabrs_testing::faults::Proxy::to(sshd.addr());
    let lines =
        |port: u16| format!("Host host\n    Port {port}\n    HostKeyAlias [127.0.0.1]:{}\nHost *\n", sshd.port());
    client(&sshd, &lines(proxy.port())).connect("host")?.connect().await?;
    let whole =
        usize::try_from(proxy.traffic(fabrs_testing::faults::Direction::ToServer).bytes).expect("the number is small");
    // This limit is within the login: the key exchange takes more than two thirds of the client's
    // bytes.
    let port = stalling(sshd.addr(), whole * 9 / 10);
    let text = reason(&client(&sshd, &lines(port))).await?;
    assert!(text.contains("the server did not answer within 5s"), "{text}");
    assert!(text.contains("hint: to wait longer, use `-t SECONDS`"), "{text}");
    Ok(())
}
