//! Untrusted text in commits and manifests: a terminal shows its control characters escaped.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fabrs::config::Mode;
use fabrs::event::{OutputQueue, PlainSink, Prefix, Sink, Style};
use fabrs::prelude::*;
use fabrs_deploy::{Git, Site};
use fabrs_testing::{GitServer, marker, wait_for};

use crate::fixture::{Fixture, all};

/// A commit subject that erases its line on a terminal and shows another commit instead.
const FORGED: &str = "Remove all checks\u{1b}[2K\r  + 1a2b3c4d5e Fix a typo";

/// A buffer for printed bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Printed(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no thread has panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a text on a tmux terminal and returns the screen.
fn screen(folder: &Path, text: &[u8]) -> String {
    let (file, socket) = (folder.join("printed"), format!("fabrs-{}", marker()));
    fs::write(&file, text).expect("the directory is writable");
    let tmux = |arguments: &[&str]| {
        let ran = Command::new("tmux")
            .args(["-L", &socket, "-f", "/dev/null"])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .output();
        String::from_utf8(ran.expect("tmux is installed").stdout).expect("tmux prints UTF-8")
    };
    let show = format!("cat '{}'; echo; echo at the end; exec sleep 600", file.display());
    tmux(&["new-session", "-d", "-x", "250", "-y", "100", &show]);
    let shown = wait_for("the terminal shows the text", Duration::from_secs(30), || {
        Some(tmux(&["capture-pane", "-p"])).filter(|screen| screen.contains("at the end"))
    });
    tmux(&["kill-server"]);
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_characters_in_commits_and_manifests_are_escaped_on_a_terminal() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let tree = fixture.origin.tree();
    let site = Site::new(fixture.site_folder()).source(Git::from_local(tree.display().to_string()).allow_dirty(true));
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (client, _) = fixture.client();
    site.deploy(all(&client)).await?;
    client.close().await;

    fixture.origin.build("deployable-2", &[("version", "two")]);
    let amend =
        ["-c", "user.name=Mallory\u{1b}[8m", "commit", "--quiet", "--amend", "--reset-author", "--message", FORGED];
    GitServer::git(&tree, &amend);
    GitServer::git(&tree, &["tag", "--force", "--annotate", "--message", "x", "deployable-2"]);
    GitServer::git(&tree, &["push", "--quiet", "--force", "--tags", "origin", "HEAD:refs/heads/main"]);
    let live = fixture.current()[0].clone();
    let manifest = fixture.root(0).join("releases").join(live).join(".fabrs-release.json");
    let text = fs::read_to_string(&manifest)?;
    let user = serde_json::from_str::<serde_json::Value>(&text)?["by"]["user"].as_str().unwrap_or_default().to_owned();
    let forged = format!(r#""user":"eve\u001b[1A\nweb9  {live}""#, live = "20261103140211");
    fs::write(&manifest, text.replace(&format!(r#""user":"{user}""#), &forged))?;

    let printed = Printed::default();
    let sink = PlainSink::new(
        Arc::new(OutputQueue::new(printed.clone(), printed.clone(), || {})),
        Prefix::Host,
        Style::Colour,
    );
    let sink: Arc<dyn Sink> = Arc::new(sink);
    let (planning, _) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    let client = Client::builder().settings(planning.settings().clone()).sink(Arc::clone(&sink)).build();
    site.status(all(&client)).await?;
    site.deploy(all(&client)).await?;
    client.close().await;
    sink.finish();

    let shown = screen(fixture.dir(), &printed.0.lock().expect("no thread has panicked"));
    let subject = r"Remove all checks\u{1b}[2K\r  + 1a2b3c4d5e Fix a typo (Mallory\u{1b}[8m)";
    assert!(shown.contains(subject), "{shown}");
    assert!(shown.contains(r"eve\u{1b}[1A\nweb9"), "{shown}");
    assert!(!shown.lines().any(|line| line.starts_with("web9")), "{shown}");
    Ok(())
}
