//! The way of a commit to production: unit tests, functional tests, staging, smoke tests, a good
//! build, the approval of a person, production, a mail.
//!
//! On each host, the site is in the home directory of the login user, behind nginx.
//!
//! ```cargo
//! [dependencies]
//! fabrs-deploy = { features = ["notify-mail"] }
//! serde = { version = "1", features = ["derive"] }
//! ```

use fabrs::prelude::*;
use fabrs_deploy::{Database, Django, Git, HealthCheck, Mail, Pipeline, Python, ReleaseId, Site, Supervisor, manage};
use fabrs_deploy::{FlagAudience, Waffle};

/// The variables of fabrs.toml.
#[derive(serde::Deserialize)]
struct Vars {
    root: String,
    repository: String,
    smtp_port: u16,
    /// The stage of a deploy. Without a stage, as for `vagrant`, any commit can be deployed.
    stage: Option<String>,
}

/// The variables of an environment with smoke tests.
#[derive(serde::Deserialize)]
struct SmokeVars {
    url: String,
    repository: String,
}

/// Returns the stages of each commit. A stage refuses a commit that has not passed the earlier ones.
fn stages() -> Pipeline {
    Pipeline::new(["unit", "functional", "staging", "smoke", "production"])
}

/// Checks the code, and runs the unit tests.
#[task(local)]
async fn unit() -> Result {
    let checks = async {
        local("ruff check").await?;
        local("ruff format --check").await?;
        local("python manage.py test --tag unit").await
    };
    stages().stage("unit")?.run(checks).await?;
    Ok(())
}

/// Runs all tests in an empty database, and checks the coverage.
#[task(local)]
async fn functional() -> Result {
    let checks = async {
        local("python manage.py makemigrations --check").await?;
        local("python manage.py collectstatic --noinput").await?;
        local("coverage run manage.py test --noinput").await?;
        local("coverage report").await
    };
    stages().stage("functional")?.run(checks).await?;
    Ok(())
}

/// Deploys a revision: by default the latest good build.
#[task(local, defer_approval)]
async fn deploy(
    /// A tag, branch or commit.
    revision: Option<String>,
    /// Deploy even if the database has migrations unknown to the build.
    allow_unknown_migrations: bool,
) -> Result {
    let Vars { stage, .. } = current().vars()?;
    let mut site = shop()?;
    if let Some(stage) = stage {
        site = site.stage(stages().stage(&stage)?);
    }
    site.deploy(on(role("web"))?).revision(revision).allow_unknown_migrations(allow_unknown_migrations).await?;
    Ok(())
}

/// Orders an article in a browser, and tags the live commit as a good build.
#[task(local)]
async fn smoke() -> Result {
    let SmokeVars { url, repository } = current().vars()?;
    let status = shop()?.read_status(on(role("web"))?).await?;
    let mut commits: Vec<_> = status.hosts.into_iter().map(|host| host.revision.map(|live| live.commit)).collect();
    commits.dedup();
    let [Some(live)] = &commits[..] else { bail!("the hosts have no common live commit: see `fab status`") };

    let smoke = stages().stage("smoke")?.commit(live);
    smoke.run(local(cmd!("python smoke.py {url}"))).await?;
    println!("good build: {}", smoke.mark_good(&Git::at(repository)).await?);
    Ok(())
}

/// Prints commits and their stages.
#[task(local)]
async fn pipeline() -> Result {
    Ok(stages().status().await?)
}

/// Prints deploys a week, lead time, failures and time to restore.
#[task(local, defer_approval)]
async fn stats() -> Result {
    Ok(shop()?.stats(on(role("web"))?).await?)
}

/// Returns the site, the same in all environments.
fn shop() -> Result<Site> {
    let Vars { root, repository, smtp_port, .. } = current().vars()?;
    // Steps run in the directory of the release.
    let control = "../../supervisor/bin/supervisorctl -c ../../shared/supervisord.conf";
    Ok(Site::new(root)
        .name("shop")
        .source(Git::at(repository))
        .linked_files([".env"])
        .linked_dirs(["log"])
        .rolling(1)
        .with(Python::new().requirements("requirements.txt"))
        .with(Django::new().share_static_files("static").snapshot(database()))
        .with(Waffle::new())
        .with(Supervisor::reload("web").supervisorctl(control))
        .with(Supervisor::restart("worker").supervisorctl(control))
        .health(HealthCheck::get("http://localhost/health/").unix_socket("../../shared/shop.sock").contains_release())
        .notify(Mail::from("deploys@example.com").to("shop@example.com").plaintext("localhost", smtp_port)))
}

/// Returns the database of the site. A deploy makes a snapshot before its migrations.
fn database() -> Database {
    Database::from_env_file(".env", "DATABASE_URL").restore_task("restore")
}

/// Restores a snapshot of the database.
#[task(role = "web")]
async fn restore(
    /// The path on the host, shown after a failed deploy.
    snapshot: String,
) -> Result {
    let Vars { root, .. } = current().vars()?;
    Ok(database().on(&cd(format!("{root}/shared"))).restore(snapshot).await?)
}

/// Rolls back to a release: by default the previous one.
#[task(local, defer_approval)]
async fn rollback(
    /// A release listed by `fab releases`.
    release: Option<ReleaseId>,
    /// Roll back even if the database has migrations unknown to the release.
    allow_unknown_migrations: bool,
) -> Result {
    shop()?.rollback(on(role("web"))?).to(release).allow_unknown_migrations(allow_unknown_migrations).await?;
    Ok(())
}

/// Checks that all hosts are ready for a deploy.
#[task(local, defer_approval)]
async fn preflight() -> Result {
    shop()?.preflight(on(role("web"))?).await
}

/// Prints the live release of each host.
#[task(local, defer_approval)]
async fn status() -> Result {
    Ok(shop()?.status(on(role("web"))?).await?)
}

/// Lists the releases of each host.
#[task(local, defer_approval)]
async fn releases() -> Result {
    Ok(shop()?.releases(on(role("web"))?).await?)
}

/// Locks the site, so that all deploys fail.
#[task(local)]
async fn lock(
    /// The reason, printed by each rejected deploy.
    reason: String,
) -> Result {
    Ok(shop()?.lock(on(role("web"))?, &reason).await?)
}

/// Unlocks the site.
#[task(local)]
async fn unlock() -> Result {
    Ok(shop()?.unlock(on(role("web"))?).await?)
}

/// Prepares a new host: installs and starts supervisord. Put a `.env` file on the host afterwards.
#[task(role = "web")]
async fn setup() -> Result {
    let Vars { root, .. } = current().vars()?;
    // `fab -n setup` also executes this `probe`. A `probe` in `cd(&root)` would fail on a new host.
    let home = probe("echo ~").line().await?;
    current().ensure_dir(format!("{root}/shared/log")).await?;
    let conf = Template::file("conf/supervisord.conf.j2").set("root", root.replacen('~', &home, 1));
    put(conf, format!("{root}/shared/supervisord.conf")).await?;
    let shop = cd(&root);
    shop.run("test -x supervisor/bin/supervisord || (python3 -m venv supervisor && supervisor/bin/pip install -q supervisor==4.3.0)").await?;
    shop.run("test -S shared/supervisor.sock || supervisor/bin/supervisord -c shared/supervisord.conf").await?;
    Ok(())
}

/// Returns the live release with its virtualenv.
fn live() -> Result<Connection> {
    Ok(cd(format!("{}/current", current().vars::<Vars>()?.root)).venv("env"))
}

/// Runs the host tests of the live release, in a separate database.
#[task(role = "web")]
async fn test() -> Result {
    Ok(once("test", live()?.enter(async { manage("test --noinput orders.tests.test_host").await })).await.map(drop)?)
}

/// Sets the users of a feature flag: `off`, `staff`, `20%` or `everyone`.
#[task(role = "web")]
async fn flag(name: String, users: FlagAudience) -> Result {
    Ok(once("flag", Waffle::new().on(&live()?).flag(name).audience(users).create()).await.map(drop)?)
}

/// Lists the feature flags.
#[task(role = "web")]
async fn flags() -> Result {
    Ok(once("flags", Waffle::new().on(&live()?).print_list()).await?)
}
