//! Drains with a real nginx: a host is `down` in the upstream file until its health check.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fabrs::prelude::*;
use fabrs_deploy::{App, DeployPhase, NginxUpstream, Site};

use crate::fixture::{Fixture, all, is_on};

/// Three hosts with an application each, and nginx on web3.
struct Proxied {
    fixture: Fixture,
    frontend: SocketAddr,
    /// The address of each application, with the number of its requests.
    applications: [(SocketAddr, Arc<AtomicUsize>); 3],
}

impl Proxied {
    fn start() -> Option<Self> {
        let fixture = Fixture::start()?;
        let applications = [(); 3].map(|()| serve());
        let frontend = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback");
        let proxied = Self { fixture, frontend, applications };
        let [web1, web2, web3] = proxied.applications.each_ref().map(|(addr, _)| addr);
        let upstream = format!(
            "upstream shop {{\n    # The rack is in a comment.\n    server {web1} weight=2 max_fails=0;\n\
             \x20   server {web2} max_fails=0; # rack 2\n    server {web3};\n}}\n"
        );
        proxied.fixture.write(2, "lb/upstream.conf", &upstream);
        proxied.fixture.write(2, "lb/extra.conf", "");
        let dir = proxied.dir();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {}/{name};\n", dir.display()))
            .collect::<Vec<_>>()
            .concat();
        let config = format!(
            "worker_processes 2; pid {0}/pid; error_log {0}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
             include {0}/upstream.conf;\ninclude {0}/extra.conf;\n\
             server {{ listen {frontend}; location / {{ proxy_pass http://shop; }} }}\n}}\n",
            dir.display()
        );
        proxied.fixture.write(2, "lb/nginx.conf", &config);
        let user = proxied.fixture.hosts[2].user();
        let started = Command::new("runuser")
            .args(["-u", user, "--", "nginx", "-e", "stderr", "-c"])
            .arg(dir.join("nginx.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        assert!(started.is_ok_and(|status| status.success()), "nginx is installed: run scripts/test");
        Some(proxied)
    }

    fn dir(&self) -> PathBuf {
        self.fixture.root(2).join("lb")
    }

    fn upstream(&self) -> String {
        fs::read_to_string(self.dir().join("upstream.conf")).unwrap_or_default()
    }

    fn site(&self) -> Site {
        let addresses = self.applications.each_ref().map(|(addr, _)| addr.to_string());
        let nginx = NginxUpstream::file(format!("{}/lb/upstream.conf", self.fixture.site_folder()))
            .nginx(format!("nginx -e stderr -c {}/nginx.conf", self.dir().display()))
            .server_name(move |host| {
                let name = host.host().map(|host| host.name().to_owned()).unwrap_or_default();
                let number = ["web1", "web2", "web3"].iter().position(|web| *web == name);
                Ok(number.map(|number| addresses[number].clone()).unwrap_or_default())
            })
            .on(["web3"]);
        self.fixture.site().rolling(1).balancer(nginx)
    }
}

impl Drop for Proxied {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.dir().join("pid")) {
            let _gone = Command::new("kill").arg(pid.trim()).status();
        }
    }
}

/// Starts an application that counts its requests.
fn serve() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let addr = listener.local_addr().expect("a bound listener");
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    std::thread::spawn(move || {
        for mut session in listener.incoming().flatten() {
            let mut request = [0; 4096];
            if session.read(&mut request).is_ok_and(|read| read > 0) {
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = session.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
            }
        }
    });
    (addr, requests)
}

/// Sends a request to nginx, and returns the first line of the response.
fn request(frontend: SocketAddr) -> String {
    let mut session = TcpStream::connect(frontend).expect("nginx accepts clients");
    session.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("nginx accepts a request");
    let mut response = String::new();
    session.read_to_string(&mut response).expect("nginx responds");
    response.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_is_down_in_the_upstream_file_until_its_health_check() -> Result {
    let Some(proxied) = Proxied::start() else { return Ok(()) };
    let (client, capture) = proxied.fixture.client();
    let original = proxied.upstream();
    proxied.fixture.origin.build("deployable-1", &[("version", "one")]);
    proxied.site().deploy(all(&client)).await?;

    let files = Arc::new(Mutex::new(Vec::new()));
    let (recorder, frontend, path) = (Arc::clone(&files), proxied.frontend, proxied.dir().join("upstream.conf"));
    let applications = proxied.applications.clone();
    let site = proxied.site().restart(move |app: App| {
        let number = ["web1", "web2", "web3"].iter().position(|name| is_on(&app, name)).unwrap_or_default();
        let before = applications[number].1.load(Ordering::SeqCst);
        let responses: Vec<String> = (0..12).map(|_| request(frontend)).collect();
        let received = applications[number].1.load(Ordering::SeqCst) - before;
        let text = fs::read_to_string(&path).unwrap_or_default();
        recorder.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        async move {
            ensure!(received == 0, "{received} requests during the restart");
            ensure!(responses.iter().all(|line| line.contains("200")), "{responses:?}");
            Ok::<(), TaskError>(())
        }
    });
    proxied.fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    let expected = [
        original.replace("weight=2 max_fails=0;", "weight=2 max_fails=0 down;"),
        original.replace("max_fails=0; # rack 2", "max_fails=0 down; # rack 2"),
        original.replace(";\n}", " down;\n}"),
    ];
    assert_eq!(*files.lock().unwrap_or_else(PoisonError::into_inner), expected);
    assert_eq!(proxied.upstream(), original);
    let before = proxied.applications.each_ref().map(|(_, requests)| requests.load(Ordering::SeqCst));
    for _ in 0..12 {
        assert!(request(proxied.frontend).contains("200"));
    }
    let after = proxied.applications.each_ref().map(|(_, requests)| requests.load(Ordering::SeqCst));
    assert!((0..3).all(|host| after[host] > before[host]), "all hosts are back: {before:?} {after:?}");
    assert!(capture.of_kind("warning").is_empty(), "{:?}", capture.of_kind("warning"));
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_check_of_nginx_restores_the_old_file() -> Result {
    let Some(proxied) = Proxied::start() else { return Ok(()) };
    let (client, _) = proxied.fixture.client();
    let original = proxied.upstream();
    proxied.fixture.origin.build("deployable-1", &[("version", "one")]);
    let first = proxied.site().deploy(all(&client)).await?.release.to_string();
    proxied.fixture.origin.build("deployable-2", &[("version", "two")]);
    let extra = proxied.dir().join("extra.conf");
    let site = proxied.site().before(DeployPhase::Switch, move |_: App| {
        let written = fs::write(&extra, "no directive");
        async move { written.map_err(TaskError::from) }
    });
    let error = site.deploy(all(&client)).await.expect_err("the configuration is invalid").into_error();
    assert_eq!(error.host().map(ToString::to_string).as_deref(), Some("web3"), "{}", error.block());
    assert!(error.block().to_string().contains("extra.conf:1"), "{}", error.block());
    assert_eq!(proxied.upstream(), original);
    assert_eq!(proxied.fixture.current(), [0, 1, 2].map(|_| first.clone()));
    assert!(request(proxied.frontend).contains("200"));

    let error = proxied.site().deploy(all(&client)).await.expect_err("the configuration is invalid").into_error();
    assert!(error.message().starts_with("nginx is not ready: "), "{}", error.block());
    client.close().await;
    Ok(())
}
