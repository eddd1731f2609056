//! Servers with TLS on loopback: a mail server and an HTTPS server, with a certificate authority of
//! their own.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A certificate authority, and the certificate of a server named `localhost`.
pub(super) struct Authority {
    dir: tempfile::TempDir,
}

impl Authority {
    /// Creates an authority with this name, and the certificate, with `openssl`.
    pub(super) fn create(name: &str) -> Self {
        let authority = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        let extensions = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";
        fs::write(authority.path("extensions"), extensions).expect("the directory is writable");
        for line in [
            format!("{new} -x509 -days 2 -subj /CN={name} -keyout ca.key -out ca.pem"),
            format!("{new} -subj /CN=localhost -keyout server.key -out server.csr"),
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
             -out server.pem"
                .to_owned(),
        ] {
            let made = Command::new("openssl").args(line.split_whitespace()).current_dir(authority.dir.path()).output();
            let made = made.expect("openssl is installed: scripts/test installs it");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        authority
    }

    /// Returns the path of the certificate of the authority.
    pub(super) fn certificate(&self) -> PathBuf {
        self.path("ca.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// A running server. Its first line of output is its port. Each further line is a fact in JSON.
pub(super) struct TlsServer {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl TlsServer {
    /// Starts a mail server of aiosmtpd with the login `deploy` and the password `correct horse`.
    /// `mode` is `tls`, `starttls` or `plain`.
    pub(super) fn mail(authority: &Authority, mode: &str) -> Self {
        Self::start(authority, "mail_server.py", &[mode])
    }

    /// Starts an HTTPS server that records `POST` requests.
    pub(super) fn https(authority: &Authority) -> Self {
        Self::start(authority, "https_server.py", &[])
    }

    fn start(authority: &Authority, script: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/notifiers").join(script);
        let mut process = Command::new("/usr/bin/python3")
            .args(["-W", "ignore"])
            .arg(script)
            .args(arguments)
            .args([authority.path("server.pem"), authority.path("server.key")])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed: scripts/test installs it");
        let mut output = BufReader::new(process.stdout.take().expect("the output is a pipe")).lines();
        let port = output.next().and_then(Result::ok).and_then(|line| line.parse().ok());
        let port = port.expect("the server starts: scripts/test installs python3-aiosmtpd");
        Self { process, output, port }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the next fact.
    pub(super) fn receive(&mut self) -> Value {
        let line = self.output.next().expect("the server runs").expect("the output is text");
        serde_json::from_str(&line).expect("each line is JSON")
    }

    /// Stops the server and returns all further facts.
    pub(super) fn stop(mut self) -> Vec<Value> {
        self.process.kill().expect("the server runs");
        let lines = self.output.by_ref().map_while(Result::ok);
        lines.map(|line| serde_json::from_str(&line).expect("each line is JSON")).collect()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
