//! A complete deploy with three hosts on a real server: git, virtualenv, pip, files of root, and a
//! service.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command as Program;

use fabrs::config::{Inventory, parse_host_args};
use fabrs::prelude::*;
use fabrs_testing::{Account, Capability, Sshd};

use crate::support::{client_of, execute, outcome_lines};

/// Moves a host to the newest deployable tag. Restarts the service after a change of the settings.
#[task(rolling = 1)]
async fn deploy(
    c: Connection,
    /// The URL of the repository.
    origin: String,
    /// A directory of root.
    etc: String,
    /// A tag created by CI during the run.
    meanwhile: Option<String>,
) -> Result {
    let shop = cd("~/shop").venv("~/shop env");
    run(cmd!("test -d shop/.git || git clone -q {origin} shop")).await?;
    let newest = "git ls-remote --tags --refs --sort=-v:refname origin 'deployable-*' | head -n 1 | cut -d/ -f3";
    let tag = once("tag", shop.probe(newest).line()).await?;
    if let Some(meanwhile) = meanwhile {
        once("ci", async { local(cmd!("git -C {origin} tag {meanwhile}")).await?.ok() }).await?;
    }
    shop.run("git fetch -q --tags --force").await?;
    shop.run(cmd!("git reset -q --hard {tag}")).await?;

    run("test -x 'shop env/bin/python' || python3 -m venv 'shop env'").await?;
    shop.v_run("pip install -q --disable-pip-version-check --no-index --find-links wheels -r requirements.txt").await?;
    once("migrate", shop.v_run("python -c 'import greeting; print(greeting.HELLO)'").line()).await?;

    let user = c.host().and_then(Host::user).context("the host names its user")?;
    let settings = shop.probe("cat shop.conf").await?.stdout_bytes()?.to_vec();
    let changes = put(settings, format!("{etc}/{user}.conf")).sudo().mode(0o640).await?;
    if changes.any()? {
        sudo(cmd!("echo {user} >> {etc}/restarts")).timeout(secs(30)).await?;
    }
    Ok(())
}

/// Runs git on this machine.
fn git(folder: &Path, arguments: &[&str]) {
    let name = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"];
    let status =
        Program::new("git").arg("-C").arg(folder).args(name).args(arguments).status().expect("git is installed");
    assert!(status.success(), "git {arguments:?}");
}

/// Makes a repository with two tagged builds, their settings, and a required Python package.
fn repository(folder: &Path) {
    const WHEEL: &str = "import zipfile; z = zipfile.ZipFile('wheels/greeting-1.0-py3-none-any.whl', 'w'); \
        d = 'greeting-1.0.dist-info/'; z.writestr('greeting.py', 'HELLO = \"hello\"\\n'); \
        z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n'); \
        z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'); \
        z.writestr(d + 'RECORD', ''); z.close()";
    fs::create_dir_all(folder.join("wheels")).expect("the directory is ours");
    let made = Program::new("/usr/bin/python3").args(["-c", WHEEL]).current_dir(folder).status();
    assert!(made.expect("python3 is installed").success());
    fs::write(folder.join("requirements.txt"), "greeting==1.0\n").expect("the directory is ours");
    git(folder, &["init", "-q"]);
    for build in 1..=2 {
        fs::write(folder.join("shop.conf"), format!("build = {build}\n")).expect("the directory is ours");
        git(folder, &["add", "-A"]);
        git(folder, &["commit", "-q", "-m", "a build"]);
        git(folder, &["tag", &format!("deployable-{build}")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_switches_all_hosts_to_one_tag_and_a_repeated_deploy_changes_no_host() -> Result {
    if !Capability::Sudo.is_available() {
        return Ok(());
    }
    let accounts = [Account::Sudo, Account::SudoTicket, Account::SudoNopasswd];
    let sshd = Sshd::builder().users(accounts).start();
    let etc = tempfile::tempdir()?;
    fs::set_permissions(etc.path(), fs::Permissions::from_mode(0o755))?;
    let origin = sshd.scratch().join("origin");
    fs::create_dir(&origin)?;
    repository(&origin);
    // Git trusts only directories of the current user, unless configured otherwise.
    let trusted = "git config --global --replace-all safe.directory '*' && rm -rf shop 'shop env'";

    let hosts: Vec<String> = accounts.iter().map(|account| format!("{}@host", account.name())).collect();
    let inventory = Inventory::default().with_hosts(parse_host_args(&hosts)?);
    let client = client_of(&sshd, "").sudo_password(crate::sudo::password()).inventory(inventory).build();
    Group::of(&client, hosts.iter().map(String::as_str))?.run(trusted).await.all_ok()?;

    let all = hosts.iter().map(|_| "host: ok").collect::<Vec<_>>();
    let call = |meanwhile: Option<&str>| {
        let text = |path: &Path| path.display().to_string();
        deploy::call(text(&origin), text(etc.path()), meanwhile.map(str::to_owned)).erased()
    };
    let report = execute(&client, [call(Some("deployable-3"))]).await;
    assert_eq!(outcome_lines(&report.stages()[0].outcomes), all, "{report:?}");
    let restarts = || fs::read_to_string(etc.path().join("restarts"));
    let names: Vec<&str> = accounts.iter().map(|account| account.name()).collect();
    assert_eq!(restarts()?.lines().collect::<Vec<_>>(), names);
    for name in &names {
        let conf = etc.path().join(format!("{name}.conf"));
        assert_eq!(fs::read_to_string(&conf)?, "build = 2\n", "the tag was chosen once for all");
        assert_eq!(fs::metadata(&conf)?.permissions().mode() & 0o777, 0o640);
    }

    git(&origin, &["tag", "-d", "deployable-3"]);
    let report = execute(&client, [call(None)]).await;
    assert_eq!(outcome_lines(&report.stages()[0].outcomes), all, "{report:?}");
    assert_eq!(restarts()?.lines().count(), 3, "no service was restarted again");
    client.close().await;
    Ok(())
}
