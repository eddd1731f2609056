//! A load balancer: nginx in front of all hosts.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// An nginx that distributes requests to the hosts in turn, without a retry on another host.
#[derive(Debug)]
pub(crate) struct Balancer {
    _dir: TempDir,
    nginx: Child,
    addr: SocketAddr,
}

impl Balancer {
    /// Starts nginx for hosts with sites in these directories. Serves static files from the first
    /// directory.
    pub(crate) fn start(sites: &[impl AsRef<Path>]) -> Self {
        let dir = tempfile::Builder::new().prefix("fabrs-nginx-").tempdir().expect("a temporary directory");
        let addr = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback");
        let servers: String = sites
            .iter()
            .map(|site| format!("server unix:{}/shared/shop.sock max_fails=0;\n", site.as_ref().display()))
            .collect();
        let own = dir.path().display();
        let statics = sites.first().map(|site| site.as_ref().join("shared/static")).unwrap_or_default();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {own}/{name};\n"))
            .collect();
        let text = format!(
            "daemon off; user root; worker_processes 1; pid {own}/pid; error_log {own}/error.log;\n\
             events {{}}\n\
             http {{\n access_log off;\n {temporary}\
             upstream shop {{ {servers} }}\n\
             server {{ listen {addr};\n\
             location /static/ {{ alias {}/; }}\n\
             location / {{ proxy_pass http://shop; proxy_set_header Host localhost; proxy_next_upstream off; }} }} }}\n",
            statics.display()
        );
        let config = dir.path().join("nginx.conf");
        fs::write(&config, text).expect("the directory is writable");
        let nginx = Command::new("nginx")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed: run scripts/e2e");
        Self { _dir: dir, nginx, addr }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // On `SIGTERM`, nginx also stops its worker.
        let _gone = Command::new("kill").arg(self.nginx.id().to_string()).status();
        let _status = self.nginx.wait();
    }
}
