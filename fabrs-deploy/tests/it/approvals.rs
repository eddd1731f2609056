//! The approval of a deploy: the pending changes, the typed name, and the fingerprint.

use std::sync::{Arc, Mutex};

use fabrs::config::{Config, Confirmation, Inventory, Mode};
use fabrs::event::CaptureSink;
use fabrs::prelude::Result;
use fabrs::transport::Prompter;
use fabrs::{Client, ErrorKind};
use fabrs_deploy::Site;
use futures::future::BoxFuture;

use crate::fixture::{Fixture, all};

/// Returns a client in a protected environment. The run defers the approval to the deploy.
fn client(fixture: &Fixture, mode: Mode, confirmation: Confirmation, person: Person) -> (Client, Arc<CaptureSink>) {
    let config = Config::parse("[env.production]\nprotected = true", "fabrs.toml".as_ref()).expect("valid TOML");
    let inventory = Inventory::new(&config, Some("production")).expect("the environment exists");
    fixture.client_of(
        |settings| settings.mode(mode).confirmation(confirmation),
        |builder| {
            builder.inventory(inventory).prompter(person).fingerprint_parts(["deploy".to_owned()]).defer_approval()
        },
    )
}

/// A responder with a fixed answer and a record of the prompts.
#[derive(Debug, Clone, Default)]
struct Person {
    answer: Option<&'static str>,
    prompts: Arc<Mutex<Vec<String>>>,
}

impl Prompter for Person {
    fn line<'a>(&'a self, question: &'a str) -> BoxFuture<'a, fabrs::Result<String>> {
        Box::pin(async move {
            self.prompts.lock().expect("no panic while the record was locked").push(question.to_owned());
            self.answer.map(str::to_owned).ok_or_else(|| fabrs::Error::new(ErrorKind::Prompt, "no answer"))
        })
    }

    fn secret<'a>(&'a self, question: &'a str) -> BoxFuture<'a, fabrs::Result<fabrs::Secret>> {
        Box::pin(async move { Err(fabrs::Error::new(ErrorKind::Prompt, format!("{question} is not expected"))) })
    }

    fn is_available(&self) -> bool {
        self.answer.is_some()
    }
}

fn notes(capture: &CaptureSink) -> String {
    capture.of_kind("message").iter().filter_map(|message| message["text"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_approval_shows_the_pending_changes_and_requires_the_environment_name() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let site = fixture.site();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let unanswered = client(&fixture, Mode::Run, Confirmation::Prompt, Person::default());
    let error = site.deploy(all(&unanswered.0)).await.expect_err("no answer is available").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage, "{}", error.block());
    let wrong = Person { answer: Some("staging"), ..Person::default() };
    let (other, capture) = client(&fixture, Mode::Run, Confirmation::Prompt, wrong);
    let error = site.deploy(all(&other)).await.expect_err("another name was typed").into_error();
    assert_eq!(error.kind(), ErrorKind::Prompt);
    assert!(
        notes(&capture).contains(" on production no live release\n") && notes(&capture).contains("new  deployable-1 ("),
        "{}",
        notes(&capture)
    );
    for host in 0..3 {
        assert!(!fixture.root(host).exists(), "no file was created, not even a lock");
    }

    let person = Person { answer: Some("production"), ..Person::default() };
    let (approved, _) = client(&fixture, Mode::Run, Confirmation::Prompt, person.clone());
    site.deploy(all(&approved)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    assert_eq!(
        person.prompts.lock().expect("no panic while the record was locked").len(),
        1,
        "one prompt approves the whole run"
    );

    fixture.origin.build("deployable-2", &[("version", "two"), ("shop/migrations/0002_notes.py", "")]);
    let tree = fixture.origin.tree().to_string_lossy().into_owned();
    let from_local = fixture.site().source(fabrs_deploy::Git::from_local(tree).allow_dirty(true));
    let (dry, capture) = client(&fixture, Mode::DryRun, Confirmation::Prompt, Person::default());
    from_local.deploy(all(&dry)).await?;
    dry.note_fingerprints();
    let shown = notes(&capture);
    for part in ["commits since deployable-1 (", "deployable-2 (Ann)", "shop/migrations/0002_notes.py", "`--yes="] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for client in [unanswered.0, other, approved, dry] {
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_above_the_limit_of_commits_has_a_warning() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    fixture.origin.build("deployable-1", &[("version", "1")]);
    let tree = fixture.origin.tree().to_string_lossy().into_owned();
    let site = fixture.site().source(fabrs_deploy::Git::from_local(tree).allow_dirty(true));
    let (client, _) = fixture.client();
    site.deploy(all(&client)).await?;
    for build in 2..=4 {
        fixture.origin.build(&format!("deployable-{build}"), &[("version", &build.to_string())]);
    }
    for (limit, expected) in [(2, 1), (3, 0)] {
        let (dry, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
        site.clone().warn_above_commits(limit).deploy(all(&dry)).await?;
        let shown = notes(&capture);
        let warnings = shown.lines().filter(|line| line.starts_with("warning: 3 commits since deployable-1 ("));
        assert_eq!(warnings.count(), expected, "limit {limit}: {shown}");
        dry.close().await;
    }
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fingerprint_approves_only_the_shown_changes() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let site = fixture.site();
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let (dry, capture) = client(&fixture, Mode::DryRun, Confirmation::Prompt, Person::default());
    site.deploy(all(&dry)).await?;
    dry.note_fingerprints();
    let shown = notes(&capture);
    let fingerprint =
        shown.split("--yes=").nth(1).and_then(|rest| rest.get(..16)).expect("the fingerprint is shown").to_owned();

    fixture.origin.build("deployable-2", &[("version", "two")]);
    let (late, _) = client(&fixture, Mode::Run, Confirmation::Fingerprint(fingerprint.clone()), Person::default());
    let error = site.deploy(all(&late)).await.expect_err("another build is the last good build").into_error();
    assert_eq!(error.kind(), ErrorKind::Prompt, "{}", error.block());
    assert!(!fixture.root(0).exists(), "nothing was changed");

    let (same, _) = client(&fixture, Mode::Run, Confirmation::Fingerprint(fingerprint), Person::default());
    site.deploy(all(&same)).revision("deployable-1".to_owned()).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    for client in [dry, late, same] {
        client.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sudo_is_validated_after_the_approval() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let site = fixture.site().on(["web3"], Site::validate_sudo);
    fixture.origin.build("deployable-1", &[("version", "one")]);
    let person = Person { answer: Some("production"), ..Person::default() };
    let (client, _) = client(&fixture, Mode::Run, Confirmation::Prompt, person);
    site.deploy(all(&client)).await?;
    assert_eq!(fixture.live("version"), ["one"; 3]);
    client.close().await;
    Ok(())
}
