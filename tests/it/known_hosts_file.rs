//! A private known hosts file for a test, with the config lines.

use std::fs;
use std::path::PathBuf;

use fabrs::Result;
use fabrs_testing::Sshd;

use crate::support::client_of;

/// A known hosts file, and the value of `StrictHostKeyChecking`.
pub(crate) struct KnownHostsFile {
    pub(crate) file: PathBuf,
    pub(crate) strict: &'static str,
}

impl KnownHostsFile {
    pub(crate) fn empty(sshd: &Sshd, strict: &'static str) -> Self {
        Self { file: sshd.dir().join("recorded"), strict }
    }

    /// Makes a file with this text. `{host}` stands for the server's name.
    pub(crate) fn of(sshd: &Sshd, strict: &'static str, text: &str) -> Self {
        let record = Self::empty(sshd, strict);
        let text = text.replace("{host}", &format!("[127.0.0.1]:{}", sshd.port()));
        fs::write(&record.file, text).expect("the directory is ours");
        record
    }

    pub(crate) fn lines(&self) -> String {
        format!("UserKnownHostsFile {}\nStrictHostKeyChecking {}\n", self.file.display(), self.strict)
    }

    pub(crate) fn with(&self, strict: &'static str) -> Self {
        Self { file: self.file.clone(), strict }
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }

    /// Connects with this file.
    pub(crate) async fn connect(&self, sshd: &Sshd) -> Result<()> {
        client_of(sshd, &self.lines()).build().connect("host")?.connect().await
    }

    /// Connects, and asserts that `ssh` reaches the same verdict with the same file, and records as
    /// many keys.
    pub(crate) async fn connect_like_ssh(&self, sshd: &Sshd) -> Result<()> {
        let before = self.text();
        let mut ssh = sshd.ssh();
        let file = format!("UserKnownHostsFile={}", self.file.display());
        for option in [&file, "UpdateHostKeys=no", &format!("StrictHostKeyChecking={}", self.strict)] {
            ssh.arg("-o").arg(option);
        }
        let output = ssh.args([sshd.alias(), "true"]).output().expect("`ssh` comes with openssh-client");
        let recorded = self.text();
        fs::write(&self.file, &before).expect("the directory is ours");
        let ours = self.connect(sshd).await;
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(ours.is_ok(), output.status.success(), "ours: {ours:?}, ssh: {words}, with\n{before}");
        let keys = |text: &str| text.matches(" AAAA").count();
        assert_eq!(keys(&self.text()), keys(&recorded), "ours: {}, ssh: {recorded}, with\n{before}", self.text());
        ours
    }
}
