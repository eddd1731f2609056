//! `v_run`: the whole line inside the virtualenv, and nothing else of it.

use fabrs::prelude::*;
use fabrs_testing::Sshd;

use crate::support::{block, connect, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_a_line_runs_inside_a_real_virtualenv_whatever_stands_around_it() -> Result {
    let sshd = Sshd::start();
    let venv = sshd.scratch().join("my env").display().to_string();
    let host = connect(&sshd);
    host.run(cmd!("/usr/bin/python3 -m venv --without-pip {venv}")).await?;
    let host = host.cd("/tmp").env("PYTHONHOME", "/nowhere").env("X", "a b").prefix("Y=1").venv(&venv);
    let line = "true; python -c 'import os, sys; print(sys.prefix, os.getcwd(), os.environ[\"X\"], sep=\"|\")'";
    assert_eq!(host.v_run(line).await?.line()?, format!("{venv}|/tmp|a b"));
    assert_eq!(host.v_run("echo $VIRTUAL_ENV").await?.line()?, venv);
    assert_eq!(host.run("echo $VIRTUAL_ENV").await?.stdout()?, "\n", "what is no `v_run` has no part in it");
    let shown = host.v_run("ls").await?.command().to_owned();
    assert!(shown.ends_with(&format!(". '{venv}'/bin/activate && ls")) || shown.contains("/bin/activate"), "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relative_one_is_below_the_directory_or_the_home() -> Result {
    let sshd = Sshd::start();
    let scratch = sshd.scratch().display().to_string();
    let host = connect(&sshd);
    host.cd(&scratch).run("mkdir -p env/bin sub && ln -s /bin/true env/bin/python").await?;
    let inside = host.cd(&scratch).venv("env");
    assert_eq!(inside.v_run("echo $VIRTUAL_ENV").line().await?, format!("{scratch}/env"));
    let home = host.probe("echo $HOME").line().await?;
    for of_home in [host.venv("none"), host.venv("none").cd("/")] {
        let error = refused(of_home.v_run("true").await, ErrorKind::Exit);
        let said = error.output().expect("the shell ran").stderr()?.into_owned();
        assert_eq!(said, format!("there is no virtualenv in {home}/none\n"));
    }
    assert_eq!(
        inside.cd("sub").v_run("pwd; echo $VIRTUAL_ENV").lines().await?,
        [format!("{scratch}/sub"), format!("{scratch}/env")]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_missing_or_was_not_named_says_what_to_do() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    let error = refused(host.venv("/no/such env").v_run("pip list").await, ErrorKind::Exit);
    let shown = block(&error);
    assert!(shown.contains("hint: make it first: `python3 -m venv '/no/such env'`"), "{shown}");
    let error = refused(host.v_run("pip list").await, ErrorKind::Usage);
    assert!(block(&error).contains("`.venv(") && block(&error).contains("fabrs.toml"), "{error:?}");
    Ok(())
}
