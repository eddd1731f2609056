//! Clients that use the shop during a deploy: they load pages with their files, and order.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The results of all requests.
#[derive(Debug, Default)]
pub(crate) struct RequestResults {
    pub(crate) answered: usize,
    /// The failures, each with its request.
    pub(crate) failed: Vec<String>,
}

/// Several clients that use the shop until they are stopped.
#[derive(Debug)]
pub(crate) struct Shoppers {
    is_stopped: Arc<AtomicBool>,
    people: Vec<JoinHandle<RequestResults>>,
}

impl Shoppers {
    /// Starts the clients.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let people = (0..2).map(|person| {
            let is_stopped = Arc::clone(&is_stopped);
            std::thread::spawn(move || {
                let mut results = RequestResults::default();
                while !is_stopped.load(Ordering::Relaxed) {
                    visit(addr, person, &mut results);
                }
                results
            })
        });
        let people = people.collect();
        Self { is_stopped, people }
    }

    /// Stops the clients, and returns their results.
    pub(crate) fn stop(self) -> RequestResults {
        self.is_stopped.store(true, Ordering::Relaxed);
        let mut all = RequestResults::default();
        for person in self.people {
            let results = person.join().expect("no client has panicked");
            all.answered += results.answered;
            all.failed.extend(results.failed);
        }
        all
    }
}

fn visit(addr: SocketAddr, person: usize, results: &mut RequestResults) {
    let mut record = |name: &str, result: Result<String, String>| match result {
        Ok(answer) => {
            results.answered += 1;
            Some(answer)
        }
        Err(error) => {
            results.failed.push(format!("{name}: {error}"));
            None
        }
    };
    let page = record("look", request(addr, "GET", "/", "", "200"));
    let style = page.as_deref().and_then(|page| page.split("href=\"").nth(1)?.split('"').next().map(str::to_owned));
    if let Some(style) = style {
        record(&style, request(addr, "GET", &style, "", "200"));
    }
    record("order", request(addr, "POST", "/", &format!("article=kettle-{person}"), "302"));
}

/// Requests a page, and returns the answer if it has this status.
fn request(addr: SocketAddr, method: &str, path: &str, body: &str, status: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(addr).map_err(failed)?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT)).map_err(failed)?;
    let text = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    match answer.split_whitespace().nth(1) {
        Some(code) if code == status => Ok(answer),
        _ => Err(answer.lines().next().unwrap_or("no answer").to_owned()),
    }
}

/// Sends an order, and returns the status of the answer.
pub(crate) fn order(addr: SocketAddr) -> String {
    let (Ok(answer) | Err(answer)) = request(addr, "POST", "/", "article=kettle", "302");
    answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

/// Returns the text of the shop in a browser.
pub(crate) fn browse(addr: SocketAddr) -> String {
    let ran = Command::new("w3m")
        .args(["-dump", &format!("http://{addr}/")])
        .output()
        .expect("w3m is installed: run scripts/e2e");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
