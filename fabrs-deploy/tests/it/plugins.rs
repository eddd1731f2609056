//! Plugins of a site: virtualenvs, gunicorn, the maintenance page, and tags of good builds.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use fabrs::prelude::*;
use fabrs_deploy::{Gunicorn, Python};
use fabrs_testing::wait_until;

use crate::fixture::{Fixture, all};

/// Creates a wheel without dependencies, so that pip needs no network.
const WHEEL: &str = "import sys, zipfile; v = sys.argv[1]; z = zipfile.ZipFile(f'greeting-{v}-py3-none-any.whl', 'w'); \
    d = f'greeting-{v}.dist-info/'; z.writestr('greeting.py', f'VERSION = {v!r}\\n'); \
    z.writestr(d + 'METADATA', f'Metadata-Version: 2.1\\nName: greeting\\nVersion: {v}\\n'); \
    z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'); \
    z.writestr(d + 'RECORD', '')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_set_of_requirements_has_a_virtualenv_restored_by_a_rollback() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let site = fixture
        .site()
        .build(|_| run(cmd!("python3 -c {WHEEL} 1.0 && python3 -c {WHEEL} 2.0")))
        .with(Python::new().requirements("requirements.txt").pip_option("--no-index").pip_option("--find-links=."))
        .restart(|_| run("current=../../current; $current/env/bin/python -c 'import greeting; print(greeting.VERSION)' > ../../greeting"));
    let env = |host: usize| -> PathBuf { fs::read_link(fixture.root(host).join("current/env")).unwrap_or_default() };
    let versions = || [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("greeting")).unwrap_or_default());

    fixture
        .origin
        .build("deployable-1", &[("requirements.txt", "-r more.txt\n"), ("more.txt", "greeting==1.0  # pinned\n")]);
    site.deploy(all(&client)).await?;
    assert_eq!(versions(), ["1.0\n"; 3]);
    let (first, made) = (env(0), fs::metadata(env(0).join("pyvenv.cfg"))?.ino());
    assert_eq!(capture.of_kind("warning"), Vec::<serde_json::Value>::new());

    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    assert_eq!(env(0), first, "the requirements are unchanged");
    assert_eq!(fs::metadata(first.join("pyvenv.cfg"))?.ino(), made, "nothing was installed again");

    fixture.origin.build("deployable-3", &[("more.txt", "greeting>=1.5\n")]);
    site.deploy(all(&client)).await?;
    assert_ne!(env(0), first);
    assert_eq!(versions(), ["2.0\n"; 3]);
    let warned = capture.of_kind("warning");
    assert_eq!(
        warned.iter().filter(|warning| warning["text"].to_string().contains("`greeting>=1.5`")).count(),
        3,
        "{warned:?}"
    );

    site.rollback(all(&client)).await?;
    assert_eq!((env(0), versions()), (first.clone(), ["1.0\n"; 3].map(str::to_owned)));
    let narrow = site.keep_releases(1);
    for build in ["deployable-4", "deployable-5"] {
        fixture.origin.build(build, &[("version", build)]);
        narrow.deploy(all(&client)).revision(build.to_owned()).await?;
    }
    assert!(!first.exists(), "a virtualenv without a release is removed");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_maintenance_page_is_uploaded_and_removed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site();
    site.maintenance_on(all(&client), b"<h1>Back soon</h1>").await?;
    for host in 0..3 {
        assert_eq!(fs::read_to_string(fixture.root(host).join("shared/maintenance.html"))?, "<h1>Back soon</h1>");
    }
    site.maintenance_off(all(&client)).await?;
    site.maintenance_off(all(&client)).await?;
    assert!(!fixture.root(1).join("shared/maintenance.html").exists());
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_build_is_tagged_as_good_and_is_then_the_default_of_a_deploy() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    let site = fixture.site();
    fixture.origin.build("candidate", &[("version", "one")]);
    let error = site.mark_good(all(&client), "7").await.expect_err("nothing is live");
    assert_eq!(error.kind(), ErrorKind::Task);
    site.deploy(all(&client)).revision("candidate".to_owned()).await?;
    assert_eq!(site.mark_good(all(&client), "7").await?, "deployable-7");
    assert!(fixture.origin.tags().contains(&"deployable-7".to_owned()));
    fixture.origin.build("later", &[("version", "two")]);
    assert_eq!(site.deploy(all(&client)).await?.revision.name, "deployable-7");
    assert_eq!(fixture.live("version"), ["one"; 3]);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_virtualenv_of_a_work_tree_is_not_removed() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("requirements.txt", ""), ("version", "one")]);
    let site = fixture.site().in_place().with(Python::new().requirements("requirements.txt").pip_option("--no-index"));
    site.deploy(all(&client)).await?;
    for host in 0..3 {
        assert!(fixture.root(host).join("env/bin/python").exists(), "{:?}", fixture.names(host, ""));
    }
    client.close().await;
    Ok(())
}

/// A server that counts `SIGHUP`, the reload signal of gunicorn.
const SERVER: &str =
    "trap 'echo hup >> ../../shared/hups' HUP\necho $$ > ../../shared/server.pid\nwhile :; do sleep 0.1; done\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gunicorn_is_started_by_the_first_deploy_and_reloaded_by_the_next() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, capture) = fixture.client();
    let reads =
        |file: &str| [0, 1, 2].map(|host| fs::read_to_string(fixture.root(host).join("shared").join(file)).ok());
    fixture.origin.build("deployable-1", &[("gunicorn.sh", SERVER), ("version", "one")]);
    let server = Gunicorn::pid_file("../../shared/server.pid");
    fixture.site().with(server.clone()).deploy(all(&client)).await.expect_err("gunicorn is not running");
    let is_reported =
        capture.events().iter().any(|event| event.to_string().contains("gunicorn is not running: start it"));
    assert!(is_reported, "{:?}", capture.events());

    let start = "setsid sh gunicorn.sh < /dev/null > /dev/null 2>&1 & until test -s ../../shared/server.pid; do sleep 0.1; done";
    let site = fixture.site().with(server.start(start));
    site.deploy(all(&client)).revision("deployable-1".to_owned()).await?;
    let running = reads("server.pid");
    assert!(running.iter().all(Option::is_some) && reads("hups") == [None, None, None], "{running:?}");
    fixture.origin.build("deployable-2", &[("version", "two")]);
    site.deploy(all(&client)).await?;
    wait_until("each server has reloaded", std::time::Duration::from_mins(1), || {
        reads("hups").iter().all(Option::is_some)
    });
    assert_eq!(reads("server.pid"), running, "no server was started again");
    let pid_file = format!("{}/shared/server.pid", fixture.site_folder());
    all(&client).run(ShellLine::raw(format!("kill $(cat {pid_file})"))).await.all_ok()?;
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_installation_leaves_no_virtualenv() -> Result {
    let Some(fixture) = Fixture::start() else { return Ok(()) };
    let (client, _) = fixture.client();
    fixture.origin.build("deployable-1", &[("requirements.txt", "there-is-no-such-package==1.0\n")]);
    let site = fixture.site().with(Python::new().requirements("requirements.txt").pip_option("--no-index"));
    site.deploy(all(&client)).await.expect_err("the package does not exist");
    for host in 0..3 {
        assert_eq!(fixture.names(host, "venvs"), Vec::<String>::new());
    }
    client.close().await;
    Ok(())
}
