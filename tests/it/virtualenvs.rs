//! `v_run`: the whole line runs inside the virtualenv, and other commands do not.

use fabrs::config::{Config, Inventory};
use fabrs::prelude::*;
use fabrs_testing::{Account, Capability, Sshd, uv};

use crate::sudo::SudoFixture;
use crate::support::{client_of, connect, error_text, expect_error};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_line_runs_inside_a_real_virtualenv_with_any_settings() -> Result {
    let sshd = Sshd::start();
    let venv = sshd.scratch().join("my env").display().to_string();
    let host = connect(&sshd);
    host.run(cmd!("/usr/bin/python3 -m venv --without-pip {venv}")).await?;
    let host = host.cd("/tmp").env("PYTHONHOME", "/nowhere").env("X", "a b").prefix("Y=1").venv(&venv);
    let line = "true; python -c 'import os, sys; print(sys.prefix, os.getcwd(), os.environ[\"X\"], sep=\"|\")'";
    assert_eq!(host.v_run(line).await?.line()?, format!("{venv}|/tmp|a b"));
    assert_eq!(host.v_run("echo $VIRTUAL_ENV").await?.line()?, venv);
    assert_eq!(host.run("echo $VIRTUAL_ENV").await?.stdout()?, "\n", "only `v_run` uses the virtualenv");
    let shown = host.v_run("ls").await?.command().to_owned();
    assert!(shown.ends_with(&format!(". '{venv}'/bin/activate && ls")) || shown.contains("/bin/activate"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relative_virtualenv_is_resolved_against_the_directory_or_the_home() -> Result {
    let sshd = Sshd::start();
    let scratch = sshd.scratch().display().to_string();
    let host = connect(&sshd);
    host.cd(&scratch).run("mkdir -p env/bin sub && ln -s /bin/true env/bin/python").await?;
    let inside = host.cd(&scratch).venv("env");
    assert_eq!(inside.v_run("echo $VIRTUAL_ENV").line().await?, format!("{scratch}/env"));
    let home = host.probe("echo $HOME").line().await?;
    for of_home in [host.venv("none"), host.venv("none").cd("/")] {
        let error = expect_error(of_home.v_run("true").await, ErrorKind::Exit);
        let printed = error.output().expect("the shell ran").stderr()?.into_owned();
        assert_eq!(printed, format!("there is no virtualenv in {home}/none\n"));
    }
    assert_eq!(
        inside.cd("sub").v_run("pwd; echo $VIRTUAL_ENV").lines().await?,
        [format!("{scratch}/sub"), format!("{scratch}/env")]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_virtualenv_is_an_error_with_a_hint() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    let error = expect_error(host.venv("/no/such env").v_run("pip list").await, ErrorKind::Exit);
    let shown = error_text(&error);
    assert!(shown.contains("hint: create the virtualenv with `python3 -m venv '/no/such env'`"), "{shown}");
    // After a system upgrade, the Python of a virtualenv may be missing.
    let venv = sshd.scratch().join("old").display().to_string();
    host.run(cmd!("mkdir -p {venv}/bin && ln -s /no/such/python {venv}/bin/python")).await?;
    let error = expect_error(host.venv(&venv).v_run("pip list").await, ErrorKind::Exit);
    let printed = error.output().expect("the shell ran").stderr()?.into_owned();
    assert_eq!(printed, format!("the Python interpreter no longer exists for the virtualenv in {venv}\n"));
    let error = expect_error(host.v_run("pip list").await, ErrorKind::Usage);
    assert!(error_text(&error).contains("`.venv(") && error_text(&error).contains("fabrs.toml"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_another_user_uses_the_same_virtualenv() -> Result {
    let Some(fixture) = SudoFixture::with_password(Account::SudoNopasswd) else { return Ok(()) };
    let venv = fixture.sshd.scratch().join("of both").display().to_string();
    fixture.host().run(cmd!("/usr/bin/python3 -m venv --without-pip {venv}")).await?;
    let host = fixture.host().venv(&venv);
    let line = "python -c 'import os, sys; print(sys.prefix, os.getuid(), sep=\"|\")'";
    assert_eq!(host.v_run(line).sudo().await?.line()?, format!("{venv}|0"));
    assert_eq!(host.v_run(line).sudo().user("65534").await?.line()?, format!("{venv}|65534"));
    assert_eq!(fixture.host().v_run(line).venv(&venv).sudo().await?.line()?, format!("{venv}|0"), "set on the command");
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtualenv_made_by_uv_is_used() -> Result {
    if !Capability::Uv.is_available() {
        return Ok(());
    }
    let sshd = Sshd::start();
    let (host, uv) = (connect(&sshd), uv().expect("the file exists"));
    let venv = sshd.scratch().join("of uv").display().to_string();
    host.run(cmd!("{uv} venv -q --offline --python /usr/bin/python3 {venv}")).await?;
    let inside = host.venv(&venv);
    assert_eq!(inside.v_run("python -c 'import sys; print(sys.prefix)'").line().await?, venv);
    // `uv` finds a virtualenv only by its environment variable.
    let found = inside.v_run(cmd!("{uv} pip list --offline -v 2>&1")).await?;
    assert!(found.stdout()?.contains(&venv), "{}", found.stdout()?);
    host.close().await;
    Ok(())
}

/// The environment is simulated: a directory with the files of a conda environment, and the Python
/// of the system.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conda_environment_is_activated_like_conda() -> Result {
    let sshd = Sshd::start();
    let venv = sshd.scratch().join("of conda").display().to_string();
    let host = connect(&sshd);
    host.cd(sshd.scratch().display().to_string())
        .run(cmd!(
            "mkdir -p 'of conda/bin' 'of conda/conda-meta' 'of conda/etc/conda/activate.d'; \
             ln -s /usr/bin/python3 'of conda/bin/python'; \
             echo 'export GDAL_DATA=\"$CONDA_PREFIX/share/gdal\"' >'of conda/etc/conda/activate.d/gdal.sh'; \
             echo '[ -n \"$NOBODY\" ] && export X=1' >'of conda/etc/conda/activate.d/ends_badly.sh'; \
             echo 'a=(of bash)' >'of conda/etc/conda/activate.d/of_bash.sh'"
        ))
        .await?;
    let output = host.venv(&venv).v_run("echo $CONDA_PREFIX; echo $GDAL_DATA; command -v python").await?;
    assert_eq!(output.lines()?, [venv.clone(), format!("{venv}/share/gdal"), format!("{venv}/bin/python")]);
    let dash = host.venv(&venv).with_shell("dash -c").v_run("echo $GDAL_DATA").hide(Hide::Both).await?;
    assert_eq!(dash.line()?, format!("{venv}/share/gdal"));
    assert!(dash.stderr()?.contains("of_bash.sh"), "the script for another shell reports an error: {}", dash.stderr()?);
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fabrs_toml_sets_a_virtualenv_for_all_hosts_or_one_host() -> Result {
    let sshd = Sshd::builder().aliases(["web1", "web2"]).start();
    let scratch = sshd.scratch().display().to_string();
    connect(&sshd).cd(&scratch).run("for e in a b; do mkdir -p $e/bin; ln -s /bin/true $e/bin/python; done").await?;
    let text = format!(
        "[env.live]\nhosts = ['web[1-2]']\nvirtualenv = '{scratch}/a'\nhost.web2.virtualenv = '{scratch}/b'\n\
         shell = 'dash -c'\nhost.web2.shell = 'bash -c'\n"
    );
    let inventory = Inventory::new(&Config::parse(&text, "fabrs.toml".as_ref())?, Some("live"))?;
    let client = client_of(&sshd, "").inventory(inventory).build();
    for (host, venv, shell) in [("web1", "a", ""), ("web2", "b", "bash")] {
        let host = client.connect(host)?;
        let output = host.v_run("echo $VIRTUAL_ENV; echo ${BASH_VERSION:+bash}").await?;
        assert_eq!(output.lines()?, [format!("{scratch}/{venv}"), shell.to_owned()]);
    }
    assert_eq!(
        client.local()?.run("echo ${BASH_VERSION:+bash}").await?.stdout()?,
        "\n",
        "the setting does not apply to this machine"
    );
    client.close().await;
    Ok(())
}
