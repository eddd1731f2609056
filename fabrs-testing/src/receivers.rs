//! Recording servers on loopback: HTTP, SMTP, TCP and UDP.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// The time limit for one message.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that records each connection on a separate thread.
#[derive(Debug)]
pub struct RecordingServer<T> {
    addr: SocketAddr,
    messages: Receiver<T>,
}

impl<T: Send + 'static> RecordingServer<T> {
    fn start(serve: impl Fn(TcpStream) -> Option<T> + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is available");
        let addr = listener.local_addr().expect("the socket listens");
        let (sender, messages) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, sender) = (serve.clone(), sender.clone());
                thread::spawn(move || serve(stream).map(|message| sender.send(message)));
            }
        });
        Self { addr, messages }
    }

    /// Returns the address of the server.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits for the next message.
    ///
    /// # Panics
    ///
    /// If no message is received within 30 seconds.
    #[track_caller]
    pub fn receive(&self) -> T {
        self.messages.recv_timeout(RECEIVE_TIMEOUT).expect("a message is received")
    }

    /// Returns `true` if no message is waiting.
    pub fn is_empty(&self) -> bool {
        self.messages.try_recv().is_err()
    }
}

/// A received HTTP request.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// The method of the request.
    pub method: String,
    /// The path of the request.
    pub path: String,
    /// The headers, as text lines.
    pub headers: String,
    /// The body, parsed as JSON.
    pub body: serde_json::Value,
}

impl HttpRequest {
    /// Returns the value of a header. Names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    fn read(reader: &mut impl BufRead) -> Option<Self> {
        let (mut first, mut headers) = (String::new(), String::new());
        reader.read_line(&mut first).ok()?;
        while !headers.ends_with("\r\n\r\n") {
            reader.read_line(&mut headers).ok().filter(|length| *length > 0)?;
            if headers == "\r\n" {
                break;
            }
        }
        let mut words = first.split_whitespace().map(str::to_owned);
        let mut request = Self { method: words.next()?, path: words.next()?, headers, body: serde_json::Value::Null };
        let mut body = vec![0; request.header("content-length")?.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        request.body = serde_json::from_slice(&body).ok()?;
        Some(request)
    }
}

/// The answer of an HTTP server.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status with its reason: `201 Created`.
    pub status: String,
    /// Further headers, as text lines.
    pub headers: String,
    /// The body.
    pub body: String,
}

impl HttpAnswer {
    /// Creates an answer without further headers.
    pub fn new(status: impl Into<String>, body: impl Into<String>) -> Self {
        Self { status: status.into(), headers: String::new(), body: body.into() }
    }
}

/// Starts an HTTP server that answers each request with `status` and an empty object.
pub fn http(status: &'static str) -> RecordingServer<HttpRequest> {
    http_answering(move |_| HttpAnswer::new(status, "{}"))
}

/// Starts an HTTP server that answers each request with the result of a function.
pub fn http_answering(
    answer: impl Fn(&HttpRequest) -> HttpAnswer + Clone + Send + 'static,
) -> RecordingServer<HttpRequest> {
    RecordingServer::start(move |stream| {
        let mut reader = BufReader::new(stream);
        let request = HttpRequest::read(&mut reader)?;
        let HttpAnswer { status, headers, body } = answer(&request);
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
        reader.get_mut().write_all((head + &body).as_bytes()).ok()?;
        Some(request)
    })
}

/// Starts an HTTP server that answers each `GET` request with a document. Records the paths.
pub fn http_document(document: &'static str) -> RecordingServer<String> {
    RecordingServer::start(move |stream| {
        let mut reader = BufReader::new(stream);
        let (mut first, mut line) = (String::new(), String::new());
        reader.read_line(&mut first).ok()?;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        }
        let length = document.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        reader.get_mut().write_all((head + document).as_bytes()).ok()?;
        Some(first.split_whitespace().nth(1)?.to_owned())
    })
}

/// Starts an SMTP server.
pub fn smtp() -> RecordingServer<String> {
    RecordingServer::start(|stream| {
        let mut reader = BufReader::new(stream);
        let mut mail = String::new();
        let mut in_data = false;
        reader.get_mut().write_all(b"220 ready\r\n").ok()?;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return Some(mail);
            }
            let answer = match (in_data, line.trim_end()) {
                (true, ".") => {
                    in_data = false;
                    "250 taken\r\n"
                }
                (true, _) => {
                    mail.push_str(&line);
                    continue;
                }
                (false, "DATA") => {
                    in_data = true;
                    "354 go on\r\n"
                }
                (false, "QUIT") => {
                    reader.get_mut().write_all(b"221 bye\r\n").ok()?;
                    return Some(mail);
                }
                (false, command) => {
                    if command.starts_with("RCPT") || command.starts_with("MAIL") {
                        mail.push_str(&line);
                    }
                    "250 ok\r\n"
                }
            };
            reader.get_mut().write_all(answer.as_bytes()).ok()?;
        }
    })
}

/// Starts a TCP server that records all received text.
pub fn tcp() -> RecordingServer<String> {
    RecordingServer::start(|mut stream| {
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    })
}

/// Opens a UDP socket with a receive timeout of 30 seconds.
///
/// # Panics
///
/// If loopback is not available.
pub fn udp() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is available");
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT)).expect("a valid timeout");
    socket
}

/// Waits for the next packet.
///
/// # Panics
///
/// If no packet is received within 30 seconds.
#[track_caller]
pub fn receive_packet(socket: &UdpSocket) -> String {
    let mut bytes = [0; 2048];
    let length = socket.recv(&mut bytes).expect("a packet is received");
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}
