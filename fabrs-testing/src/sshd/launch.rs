//! Start and restart of an OpenSSH server.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::builder::SshdBuilder;
use super::config;
use super::program::PROGRAM;
use super::server::Sshd;
use crate::accounts;
use crate::banner::sends_banner;
use crate::keys::{Key, KeyType};
use crate::login_shell::LoginShell;
use crate::wait::poll;

/// The time limit for the SSH banner, long enough during the compilation of other crates.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The number of ports tried. Another process may take a free port before sshd binds.
const MAX_PORT_ATTEMPTS: usize = 10;

/// The reason of a failed start.
enum LaunchError {
    /// Another process uses the port.
    PortInUse,
    /// Another failure, with the log of the server.
    Exited(String),
}

impl SshdBuilder {
    /// Starts the server and waits for its banner.
    ///
    /// # Panics
    ///
    /// If OpenSSH is not installed, or the start fails. The message has the log of the server.
    #[track_caller]
    pub fn start(self) -> Sshd {
        Sshd::start_with(self)
    }
}

impl Sshd {
    #[track_caller]
    fn start_with(settings: SshdBuilder) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(
            Path::new(PROGRAM).exists(),
            "`{PROGRAM}` is missing: `apt-get install openssh-server`, or run `scripts/test`"
        );

        let user = prepare_accounts(&settings);
        let mut dir = tempfile::Builder::new().prefix("fabrs-sshd-").tempdir().expect("a temporary directory");
        dir.disable_cleanup(std::env::var_os("FABRS_TEST_KEEP").is_some());
        let identity = Key::generate(dir.path().join("identity"), settings.identity_type, &settings.passphrase);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut sshd = Self {
            settings,
            child: None,
            mark,
            dir,
            host_keys: Vec::new(),
            generation: 0,
            identity,
            login_shell: None,
            port: 0,
            user,
            log_start: 0,
        };
        sshd.make_host_keys();
        sshd.write_shared_files();
        let shell = sshd.settings.login_shell.as_deref();
        sshd.login_shell = shell
            .map(|shell| LoginShell::write(sshd.dir.path(), &sshd.settings.accounts, shell, &sshd.identity.public()));
        for _ in 0..MAX_PORT_ATTEMPTS {
            sshd.port = free_port(&sshd.settings.listen);
            match sshd.launch() {
                Ok(()) => {
                    sshd.trust_host_key();
                    return sshd;
                }
                Err(LaunchError::PortInUse) => {}
                Err(LaunchError::Exited(log_text)) => panic!("sshd does not start: {log_text}"),
            }
        }
        panic!("sshd does not start: other processes took {MAX_PORT_ATTEMPTS} free ports")
    }

    /// Stops the server and all its sessions, and starts the server again on the same port.
    ///
    /// # Panics
    ///
    /// If the start fails.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill_all();
        match self.launch() {
            Ok(()) => {}
            Err(LaunchError::PortInUse) => panic!("another process has taken the port"),
            Err(LaunchError::Exited(log_text)) => panic!("sshd does not restart: {log_text}"),
        }
    }

    /// Restarts the server with new host keys. `known_hosts` keeps the old keys.
    ///
    /// # Panics
    ///
    /// See [`Sshd::restart`].
    #[track_caller]
    pub fn rotate_host_key(&mut self) {
        self.make_host_keys();
        self.restart();
    }

    fn make_host_keys(&mut self) {
        // A new file name prevents a match with the certificate of the old key.
        self.generation += 1;
        let name = |kind: KeyType| format!("host_{}_{}", kind.name(), self.generation);
        self.host_keys = self
            .settings
            .host_keys
            .iter()
            .map(|kind| Key::generate(self.dir.path().join(name(*kind)), *kind, ""))
            .collect();
        if let Some(authority) = &self.settings.host_ca {
            let names: Vec<String> = self.settings.listen.iter().map(ToString::to_string).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let arguments: Vec<&str> = self.settings.certificate_args.iter().map(String::as_str).collect();
            for key in &self.host_keys {
                if arguments.is_empty() {
                    key.certify_host(authority, &names);
                } else {
                    key.certify(authority, &arguments);
                }
            }
        }
    }

    fn write_shared_files(&self) {
        let mut lines = format!("{} {}\n", self.settings.key_options, self.identity.public());
        for line in &self.settings.authorized {
            lines = lines + line + "\n";
        }
        self.write("authorized_keys", lines.trim_start());
        // sshd reads authorized_keys with the rights of the login account.
        let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        fs::create_dir(self.scratch()).expect("a writable directory");
        open(self.dir.path(), 0o755).expect("a writable directory");
        open(&self.scratch(), 0o1777).expect("a writable directory");
    }

    /// Tries to start the server on the current port.
    fn launch(&mut self) -> Result<(), LaunchError> {
        let keys: Vec<&Path> = self.host_keys.iter().map(Key::path).collect();
        let text = config::sshd_config(&self.settings, self.dir.path(), self.port, &keys, &self.mark);
        self.write("sshd_config", &text);
        self.write("ssh_config", &config::ssh_config(&self.settings, self.dir.path(), self.port, &self.user));
        let before = self.whole_log().len();
        let log = File::options().create(true).append(true).open(self.dir.path().join("sshd.log"));
        let mut server =
            self.login_shell.as_ref().map_or_else(|| Command::new(PROGRAM), |shell| shell.command(PROGRAM));
        let child = server
            .args(["-D", "-e", "-f"])
            .arg(self.dir.path().join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a writable directory"))
            .spawn()
            .expect("sshd is executable");
        self.child = Some(child);

        let addresses: Vec<SocketAddr> =
            self.settings.listen.iter().map(|address| SocketAddr::new(*address, self.port)).collect();
        let answered = poll(START_LIMIT, || {
            let log_text = self.whole_log().split_off(before);
            let has_exited = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            // sshd logs the address in use and continues with its other addresses.
            if log_text.contains("Address already in use") {
                Some(Err(LaunchError::PortInUse))
            } else if has_exited {
                Some(Err(LaunchError::Exited(log_text)))
            } else {
                addresses.iter().all(sends_banner).then_some(Ok(()))
            }
        });
        let outcome = answered.unwrap_or_else(|| Err(LaunchError::Exited(self.whole_log())));
        if outcome.is_err() {
            self.kill_all();
            return outcome;
        }
        // Connections of the banner check must not count as connections of the test.
        poll(START_LIMIT, || (self.connections() == 0).then_some(()));
        self.log_start = self.whole_log().len();
        Ok(())
    }
}

/// Creates the accounts and returns the login account.
fn prepare_accounts(settings: &SshdBuilder) -> String {
    if !accounts::is_root() {
        return accounts::current_user();
    }
    // sshd needs this directory for privilege separation. A service manager would create it.
    fs::create_dir_all("/run/sshd").expect("root can write below /run");
    for account in &settings.accounts {
        account.create();
    }
    settings.accounts.first().expect("a server needs at least one account").name().to_owned()
}

/// Returns a port that is free on all addresses at the time of the call.
fn free_port(listen: &[IpAddr]) -> u16 {
    let free = |address: &IpAddr, port| TcpListener::bind((*address, port));
    loop {
        let first = free(&listen[0], 0).expect("loopback has a free port");
        let port = first.local_addr().expect("the socket is bound").port();
        match listen[1..].iter().find_map(|address| free(address, port).err()) {
            None => return port,
            Some(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Some(error) => panic!("cannot listen on {listen:?}: {error}"),
        }
    }
}
