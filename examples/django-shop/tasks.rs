//! The pipeline from a commit to production: unit tests, functional tests, staging, smoke tests, a good
//! build, an approval, production, a mail.
//!
//! ```cargo
//! [dependencies]
//! fabrs-deploy = { features = ["gate-json", "notify-http", "notify-mail"] }
//! serde = { version = "1", features = ["derive"] }
//! ```

use fabrs::prelude::*;
use fabrs_deploy::{Database, Django, FlagAudience, Git, Graphite, HealthCheck, JsonQuery, LogErrors, Mail};
use fabrs_deploy::{Pipeline, Puppet, Python, ReleaseId, Site, Supervisor, Waffle, manage};

/// The variables of all hosts.
#[derive(serde::Deserialize)]
struct Vars {
    root: String,
    repository: String,
    smtp_server: String,
    smtp_port: u16,
    /// The file with the authority of the mail server. Without a file, mail is sent in plaintext.
    smtp_ca: Option<String>,
}

/// The variables of an environment: `none` as its stage accepts any commit.
#[derive(serde::Deserialize)]
struct DeployVars {
    stage: String,
    graphite: Option<String>,
}

/// The variables of an environment with smoke tests and a copy of the database of production.
#[derive(serde::Deserialize)]
struct StagingVars {
    root: String,
    repository: String,
    url: String,
    production: String,
}

/// Returns the stages of each commit. A stage refuses a commit that has not passed the earlier ones.
fn stages() -> Pipeline {
    Pipeline::new(["unit", "functional", "staging", "smoke", "production"])
}

/// Checks the code, and runs the unit tests.
#[task(local)]
async fn unit() -> Result {
    let checks = async {
        local("ruff check && ruff format --check").await?;
        local("python manage.py test --tag unit").await
    };
    stages().stage("unit")?.run(checks).await?;
    Ok(())
}

/// Runs all tests in an empty database, and checks the coverage.
#[task(local)]
async fn functional() -> Result {
    let checks = async {
        local("python manage.py makemigrations --check && python manage.py collectstatic --noinput").await?;
        local("coverage run manage.py test --noinput && coverage report").await
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
    let DeployVars { stage, graphite } = current().vars()?;
    let mut site = shop()?.notify(mail()?);
    if stage != "none" {
        site = site.stage(stages().stage(&stage)?);
    }
    if let Some(graphite) = graphite {
        let failures = format!("{graphite}/render?target=shop.failures&from=-5min&format=json");
        site = site
            .gate(LogErrors::file("shared/log/web.log").pattern("ERROR:|Traceback")) // gunicorn logs `[ERROR]`
            .gate(JsonQuery::get(failures, "$[*].datapoints[*][0]").maximum().at_most(10.0))
            .notify(Graphite::event(format!("{graphite}/events/"), ["shop"]));
    }
    site.deploy(on(role("web"))?).revision(revision).allow_unknown_migrations(allow_unknown_migrations).await?;
    Ok(())
}

/// Orders an article in a browser, and tags the live commit as a good build.
#[task(local)]
async fn smoke() -> Result {
    let StagingVars { url, repository, .. } = current().vars()?;
    let tested = live_commit().await?;
    let smoke = stages().stage("smoke")?.commit(&tested);
    smoke.run(order_an_article(&url, &tested)).await?;
    println!("good build: {}", smoke.mark_good(&Git::at(repository)).await?);
    Ok(())
}

/// Orders an article. The live commit must stay the same.
async fn order_an_article(url: &str, commit: &str) -> Result {
    local(cmd!("python smoke.py {url}")).await?;
    if live_commit().await? == commit { Ok(()) } else { bail!("another deploy changed the live commit") }
}

/// Returns the live commit, the same on all hosts.
async fn live_commit() -> Result<String> {
    let status = shop()?.read_status(on(role("web"))?).await?;
    let mut commits: Vec<_> = status.hosts.into_iter().map(|host| host.revision.map(|live| live.commit)).collect();
    commits.dedup();
    let [Some(live)] = &commits[..] else { bail!("the hosts have no common live commit: see `fab status`") };
    Ok(live.clone())
}

/// Prints commits and their stages.
#[task(local, defer_approval)]
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
    let Vars { root, repository, .. } = current().vars()?;
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
        .health(HealthCheck::get("http://localhost/health/").unix_socket("../../shared/shop.sock").contains_release()))
}

/// Returns the mail with the report of a deploy or a rollback.
fn mail() -> Result<Mail> {
    let Vars { smtp_server, smtp_port, smtp_ca, .. } = current().vars()?;
    let mail = Mail::from("deploys@example.com").to("shop@example.com");
    let Some(ca) = smtp_ca else { return Ok(mail.plaintext(smtp_server, smtp_port)) };
    let password = Secret::new(env_var("SMTP_PASSWORD")?);
    Ok(mail.starttls(smtp_server, smtp_port).login("deploys", &password).ca_certificate(ca))
}

/// Returns the database of the site. A deploy makes a snapshot before its migrations.
fn database() -> Database {
    Database::from_env_file(".env", "DATABASE_URL").restore_task("restore")
}

/// Replaces the database with a copy of production, without the comments of customers.
#[task(role = "web")]
async fn copy_production() -> Result {
    let StagingVars { root, production, .. } = current().vars()?;
    let shared = format!("{root}/shared");
    let source = database().on(&Connection::to(&production)?.cd(&shared));
    let copy = database().on(&cd(&shared)).copy_from(&source).mask("UPDATE orders_order SET comment = ''");
    Ok(once("copy", copy).await.map(drop)?)
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
    let site = shop()?.notify(mail()?);
    site.rollback(on(role("web"))?).to(release).allow_unknown_migrations(allow_unknown_migrations).await?;
    Ok(())
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

/// Installs the packages and nginx with Puppet.
#[task(role = "web")]
async fn provision() -> Result {
    Ok(Puppet::apply("conf/puppet").install().on(&current()).await.map(drop)?)
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
