//! Feature flags of a real django-waffle with SQLite, on a host.

use fabrs::ErrorKind;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{HostWaffle, Waffle};

use crate::fixture::Fixture;

/// A project without views. Each change of a flag is read by a new process.
const SETTINGS: &str = "SECRET_KEY = 'test'\nINSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', \
    'waffle']\nDATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\n\
    USE_TZ = True\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'\n";

const MANAGE: &str = "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n\
    from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n";

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
    let waffle = format!("django-waffle=={version}");
    live.run(cmd!("python3 -m venv env && env/bin/pip install --quiet Django==5.2.8 {waffle}")).await?;
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
