//! Feature flags of a real django-waffle with SQLite, on a host.

use fabrs::ErrorKind;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{HostWaffle, Waffle};

use crate::fixture::{Fixture, SentReports};

/// A project without views. Each change of a flag is read by a new process.
const SETTINGS: &str = "SECRET_KEY = 'test'\nINSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', \
    'waffle']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\n\
    USE_TZ = True\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n";

const MANAGE: &str = "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n\
    from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n";

/// Returns the command that creates a virtualenv with a version of django-waffle.
fn create_env(version: &str) -> ShellLine {
    let waffle = format!("django-waffle=={version}");
    cmd!("python3 -m venv env && env/bin/pip install --quiet Django==5.2.8 {waffle}")
}

/// Creates a project on the first host.
async fn project(fixture: &Fixture, client: &Client) -> Result<Connection> {
    project_with(fixture, client, "5.0.0").await
}

/// Creates a project with a version of django-waffle on the first host.
pub(crate) async fn project_with(fixture: &Fixture, client: &Client, version: &str) -> Result<Connection> {
    let (web1, folder) = (client.connect("web1")?, fixture.site_folder());
    web1.ensure_dir(folder.as_str()).await?;
    web1.put(SETTINGS.as_bytes().to_vec(), format!("{folder}/settings.py")).await?;
    web1.put(MANAGE.as_bytes().to_vec(), format!("{folder}/manage.py")).await?;
    let live = web1.cd(&folder).venv("env");
    live.run(create_env(version)).await?;
    live.v_run("python manage.py migrate --verbosity 0").await?;
    Ok(live)
}

/// Returns the audience of a flag as text.
async fn audience(flags: &HostWaffle, name: &str) -> Result<String> {
    let list = flags.list().await?;
    let found = list.flags.iter().find(|flag| flag.name == name);
    Ok(found.map_or_else(|| "missing".to_owned(), |flag| flag.audience.to_string()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_switches_and_samples_reach_their_state_once_and_a_dry_run_changes_nothing() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let live = project(&fixture, &client).await?;
    let flags = Waffle::new().on(&live);

    let error = flags.flag("checkout").everyone().await.expect_err("the flag does not exist");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Task, "flag checkout does not exist"));
    let created = flags.flag("checkout").staff().create().await?;
    assert_eq!(created.differences()?, ["missing -> staff"]);
    assert!(flags.flag("checkout").staff().await?.differences()?.is_empty(), "the second request changes nothing");
    for (request, expected) in [
        (flags.flag("checkout").staff().percent(20), "20 %, staff"),
        (flags.flag("checkout").superusers(), "superusers"),
        (flags.flag("checkout").everyone(), "everyone"),
        (flags.flag("checkout").audience("20%,superusers".parse()?), "20 %, superusers"),
        (flags.flag("checkout").audience("off".parse()?), "off"),
        (flags.flag("checkout").everyone(), "everyone"),
        (flags.flag("checkout").off(), "off"),
    ] {
        request.await?;
        assert_eq!(audience(&flags, "checkout").await?, expected);
    }
    flags.switch("mail").on().create().await?;
    flags.switch("mail").off().await?;
    flags.sample("trace", 5).create().await?;
    let list = flags.list().await?;
    assert_eq!(
        list.switches.iter().map(|switch| (switch.name.as_str(), switch.is_on)).collect::<Vec<_>>(),
        [("mail", false)]
    );
    assert_eq!(list.samples.len(), 1);
    let shown = capture.of_kind("message");
    let is_shown = |text: &str| shown.iter().any(|message| message["text"].as_str().is_some_and(|t| t.contains(text)));
    assert!(is_shown("flag checkout: everyone -> off") && is_shown("flag checkout: unchanged"), "{shown:#?}");
    client.close().await;

    let (dry, capture) = fixture.client_with(|settings| settings.mode(Mode::DryRun));
    let planned = Waffle::new().on(&dry.connect("web1")?.cd(fixture.site_folder()).venv("env"));
    planned.flag("checkout").everyone().await?;
    assert_eq!(audience(&planned, "checkout").await?, "off");
    let plan = capture.of_kind("planned");
    assert!(plan.iter().any(|step| step.to_string().contains("flag checkout: off -> everyone")), "{plan:#?}");
    dry.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_without_waffle_is_an_error_with_its_reason() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let live = project(&fixture, &client).await?;
    let without = SETTINGS.replace(", 'waffle'", "");
    live.put(without.into_bytes(), format!("{}/settings.py", fixture.site_folder())).await?;
    let error = Waffle::new().on(&live).list().await.expect_err("waffle is not installed");
    let block = error.block().to_string();
    assert!(block.contains("`waffle` is missing in INSTALLED_APPS"), "{block}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_lists_the_flags_in_rollout_and_none_if_they_cannot_be_read() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let (web1, shared) = (client.connect("web1")?, format!("{}/shared", fixture.site_folder()));
    web1.ensure_dir(shared.as_str()).await?;
    web1.cd(&shared).run(create_env("5.0.0")).await?;
    let settings = SETTINGS.replace("db.sqlite3'", "data/db.sqlite3'");
    fixture.origin.build("deployable-1", &[("settings.py", &settings), ("manage.py", MANAGE)]);
    let sent = SentReports::default();
    let site = fixture.site().linked_dirs(["env", "data"]).with(Waffle::new()).notify(sent.clone());
    let web = Group::of(&client, ["web1"])?;

    site.deploy(web.clone()).await?;
    let warnings = capture.of_kind("warning");
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    let warning = warnings[0].to_string();
    let reason = "could not list the feature flags for the report: django.db.utils.OperationalError: no such table";
    assert!(warning.contains(reason), "{warning}");

    let live = web1.cd(format!("{}/current", fixture.site_folder())).venv("env");
    live.v_run("python manage.py migrate --verbosity 0").await?;
    let flags = Waffle::new().on(&live);
    flags.flag("gift_wrapping").staff().percent(20).create().await?;
    flags.flag("one_page_checkout").everyone().create().await?;
    flags.flag("vouchers").off().create().await?;
    site.deploy(web).await?;

    let [unread, read] = &sent.0.lock().expect("no panic while the record was locked").clone()[..] else {
        panic!("each deploy sends one report")
    };
    assert_eq!((unread.is_live, unread.flags.len()), (true, 0));
    let states: Vec<_> = read.flags.iter().map(|flag| (flag.name.as_str(), flag.state.as_str())).collect();
    assert_eq!(states, [("gift_wrapping", "20 %, staff")]);
    assert_eq!(read.text().matches("\nflag ").count(), 1, "{}", read.text());
    assert!(read.text().contains("\nflag gift_wrapping: 20 %, staff\n"), "{}", read.text());
    client.close().await;
    Ok(())
}
