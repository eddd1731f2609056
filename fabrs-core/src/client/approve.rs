//! Approval of a run: shows the pending changes, and requires a confirmation.

use super::handle::Client;
use crate::config::{Confirmation, Environment, Mode};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::transport::StopLevel;

impl Client {
    /// Shows the pending changes, and asks for the approval of the run.
    ///
    /// In a protected environment, a person confirms at the terminal. `--yes`, or
    /// `--yes=FINGERPRINT` for exactly these changes, approves the run beforehand. An approved run
    /// stays approved.
    ///
    /// A dry run only shows the changes, without a prompt.
    /// [`note_fingerprints`](Self::note_fingerprints) then shows their fingerprint.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # use fabrs_core::{Client, transport::{Fake, FakeAnswer}};
    /// let fake = Fake::new().on("reboot", FakeAnswer::stdout(""));
    /// let client = Client::builder().dial(fake).defer_approval().build();
    /// let host = client.connect("web1")?;
    /// assert!(host.run("reboot").await.is_err());
    /// client.approve("web1: reboot").await?;
    /// assert!(host.run("reboot").await.is_ok());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Prompt`] if the person declined, or the fingerprint differs. A run approved
    ///   before stays approved.
    /// - [`ErrorKind::Usage`] if a confirmation is needed and no terminal is available.
    /// - [`ErrorKind::Cancelled`] if the run is stopped during the prompt.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future during the prompt leaves the run unapproved.
    pub async fn approve(&self, pending: &str) -> Result<()> {
        self.approve_with_details(pending, pending).await
    }

    /// Approves pending changes as [`approve`](Self::approve), but shows another text. The text may
    /// have facts that change between two runs, such as free space. The fingerprint covers only
    /// `pending`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let client = fabrs_core::Client::builder().build();
    /// client.approve_with_details("web1: reboot", "web1: reboot (up for 30 days)").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`approve`](Self::approve).
    ///
    /// # Cancel safety
    ///
    /// As [`approve`](Self::approve).
    pub async fn approve_with_details(&self, pending: &str, shown: &str) -> Result<()> {
        let approval = self.state().approval();
        if !shown.is_empty() {
            self.note(None, shown);
        }
        let settings = self.settings();
        let protected = self.inventory().environment().filter(|environment| environment.is_protected());
        let fingerprint = || approval.fingerprint(pending);
        match (&settings.confirmation, protected) {
            _ if settings.mode == Mode::DryRun => {
                if protected.is_some() || !pending.is_empty() {
                    approval.add_unshown(fingerprint());
                }
            }
            // The fingerprint is compared at every call: the approval of one task's changes must
            // not cover the changes of another task.
            (Confirmation::Fingerprint(expected), _) => {
                let now = fingerprint();
                if *expected != now {
                    let text = format!("the pending changes differ from the approved ones: their fingerprint is {now}");
                    let error = Error::new(ErrorKind::Prompt, text);
                    return Err(error.hint("run with `-n` to see the pending changes and their fingerprint"));
                }
            }
            _ if approval.is_approved() => {}
            (Confirmation::Prompt, Some(environment)) => self.confirm_environment(environment).await?,
            (Confirmation::AssumeYes, _) | (Confirmation::Prompt, None) => {}
        }
        approval.approve();
        Ok(())
    }

    /// Prints a note about the fingerprint of each approval in a dry run since the last call:
    /// `--yes=FINGERPRINT` approves exactly these changes. `fab` calls this method at the end of a
    /// run.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # use std::sync::Arc;
    /// use fabrs_core::Client;
    /// use fabrs_core::config::{Mode, Settings};
    /// use fabrs_core::event::{CaptureSink, Sink};
    ///
    /// let capture = Arc::new(CaptureSink::default());
    /// let sink = Arc::clone(&capture) as Arc<dyn Sink>;
    /// let client = Client::builder().settings(Settings::default().mode(Mode::DryRun)).sink(sink).build();
    /// client.approve("web1: reboot").await?;
    /// client.note_fingerprints();
    /// let notes = capture.of_kind("message");
    /// assert!(notes[1]["text"].as_str().is_some_and(|note| note.starts_with("`--yes=")));
    /// # Ok(()) }
    /// ```
    pub fn note_fingerprints(&self) {
        for fingerprint in self.state().approval().take_unshown() {
            self.note(None, format!("`--yes={fingerprint}` approves exactly these changes"));
        }
    }

    /// Shows changes found only during the run, and asks for their approval.
    ///
    /// In a protected environment a person confirms at the terminal, or `--yes` has confirmed
    /// beforehand. `--yes=FINGERPRINT` is not enough, since the fingerprint does not cover these
    /// changes. A dry run only shows them.
    ///
    /// # Errors
    ///
    /// As [`approve`](Self::approve).
    ///
    /// # Cancel safety
    ///
    /// As [`approve`](Self::approve).
    pub async fn approve_late_changes(&self, pending: &str) -> Result<()> {
        self.note(None, pending);
        let protected = self.inventory().environment().filter(|environment| environment.is_protected());
        match (&self.settings().confirmation, protected) {
            _ if self.settings().mode == Mode::DryRun => Ok(()),
            (Confirmation::Fingerprint(_), _) => {
                let error =
                    Error::new(ErrorKind::Prompt, "`--yes=FINGERPRINT` does not cover changes found during the run");
                Err(error.hint("check the changes above, then run again with `-y`, or without `--yes` at a terminal"))
            }
            (Confirmation::Prompt, Some(environment)) => self.confirm_environment(environment).await,
            (Confirmation::AssumeYes, _) | (Confirmation::Prompt, None) => Ok(()),
        }
    }

    /// Asks for the name of a protected environment as confirmation.
    async fn confirm_environment(&self, environment: &Environment) -> Result<()> {
        let name = environment.name();
        let question = format!("`{name}` is protected. Type its name to continue: ");
        let answer = tokio::select! {
            answer = self.prompter().line(&question) => answer,
            _ = self.stop().wait_above(StopLevel::None) => {
                return Err(Error::new(ErrorKind::Cancelled, "the run was stopped before it was approved"));
            }
        };
        let answer = answer.map_err(|error| match error.kind() {
            // No terminal: the user has to change the command line.
            ErrorKind::Prompt => {
                let text = format!("`{name}` is protected, and no terminal is available to confirm it");
                let hint = "confirm with `-y`, or list the changes with `-n` and approve them with `--yes=FINGERPRINT`";
                Error::new(ErrorKind::Usage, text).hint(hint)
            }
            _ => error,
        })?;
        if answer.trim() == name {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Prompt, format!("`{name}` was not confirmed, so the changes were not approved")))
    }

    /// Returns `true` if a fingerprint has approved the run. A fingerprint does not cover changes
    /// found later.
    pub(crate) fn is_approved_by_fingerprint(&self) -> bool {
        matches!(self.settings().confirmation, Confirmation::Fingerprint(_)) && self.state().approval().is_approved()
    }

    /// Adds `part` to the inputs of the run's fingerprint. A different part results in a different
    /// fingerprint.
    ///
    /// ```
    /// use fabrs_core::Client;
    ///
    /// let client = Client::builder().build();
    /// client.add_fingerprint_part("config 4f2a");
    /// ```
    pub fn add_fingerprint_part(&self, part: impl Into<String>) {
        self.state().approval().add_part(part.into());
    }

    /// Returns the route to a host as a text for comparison: address, user, port and gateways.
    /// Opens no connection.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn route(&self, host: &Host) -> Result<String> {
        self.state().dial().route(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Inventory, PromptPolicy, Settings};
    use crate::transport::{Fake, FakeAnswer};

    fn client(confirmation: Confirmation, mode: Mode, pending_first: bool) -> Client {
        let config = Config::parse("[env.live]\nprotected = true\nhosts = ['web1']", "fabrs.toml".as_ref()).unwrap();
        let settings = Settings { confirmation, mode, prompts: PromptPolicy::Refuse, ..Settings::default() };
        let hosts = Fake::new().on("uname", FakeAnswer::stdout("Linux")).on("touch x", FakeAnswer::stdout(""));
        let builder = Client::builder()
            .settings(settings)
            .inventory(Inventory::new(&config, Some("live")).unwrap())
            .fingerprint_parts(["deploy".to_owned()])
            .dial(hosts);
        if pending_first { builder.defer_approval().build() } else { builder.build() }
    }

    #[tokio::test]
    async fn an_unapproved_run_reads_but_does_not_change_hosts() {
        let client = client(Confirmation::AssumeYes, Mode::Run, true);
        let host = client.connect("web1").unwrap();
        assert_eq!(host.probe("uname").line().await.unwrap(), "Linux");
        let error = host.run("touch x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Prompt);
        assert_eq!(client.state().dial().begin_effect("a mail").unwrap_err().kind(), ErrorKind::Prompt);
        client.approve("x").await.unwrap();
        host.run("touch x").await.unwrap();
        assert!(client.state().dial().begin_effect("a mail").is_ok());
    }

    #[tokio::test]
    async fn a_fingerprint_approves_only_its_own_changes() {
        let fingerprint =
            client(Confirmation::Prompt, Mode::DryRun, false).state().approval().fingerprint("web1: v1 -> v2");
        assert_eq!(fingerprint.len(), 16);
        client(Confirmation::Fingerprint(fingerprint.clone()), Mode::Run, true)
            .approve("web1: v1 -> v2")
            .await
            .unwrap();
        let other = client(Confirmation::Fingerprint(fingerprint.clone()), Mode::Run, true);
        let error = other.approve("web1: v1 -> v3").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Prompt);
        assert!(error.to_string().contains("their fingerprint is"), "{error}");

        let twice = client(Confirmation::Fingerprint(fingerprint.clone()), Mode::Run, true);
        twice.approve("web1: v1 -> v2").await.unwrap();
        assert!(twice.approve("db1: v1 -> v2").await.is_err(), "the second task shows other changes");

        let with_value = client(Confirmation::Fingerprint(fingerprint), Mode::Run, true);
        with_value.state().approval().add_once_value("tag", &serde_json::json!("v2"));
        assert!(with_value.approve("web1: v1 -> v2").await.is_err(), "the fingerprint includes the value of `once`");
    }

    #[tokio::test]
    async fn a_protected_run_without_a_terminal_is_not_approved() {
        let error = client(Confirmation::Prompt, Mode::Run, true).approve("x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        client(Confirmation::Prompt, Mode::DryRun, true).approve("x").await.unwrap();
    }
}
