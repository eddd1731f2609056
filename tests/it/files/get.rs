//! Downloads by the shell backend: the targets of files, and unchanged local files after a failure.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use fabrs::prelude::*;

use super::{Lab, mode, text, walk};
use crate::support::{block, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_arrives_with_its_mode_and_is_not_sent_again() -> Result {
    let lab = Lab::new();
    let (there, here) = (lab.there("50% x"), lab.here.path().join("deep/er/x"));
    fs::write(&there, "content\nof it")?;
    fs::set_permissions(&there, fs::Permissions::from_mode(0o604))?;
    let get = || lab.host.get(there.display().to_string(), here.display().to_string());
    assert!(get().await?.any()?);
    assert_eq!((text(&here).as_str(), mode(&here)), ("content\nof it", 0o604));
    assert!(!get().await?.any()?);
    fs::write(&there, "other")?;
    assert_eq!(get().mode(0o600).await?.changed()?, [here.to_str().expect("UTF-8")]);
    assert_eq!((text(&here).as_str(), mode(&here)), ("other", 0o600));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_several_hosts_go_each_to_its_own_place() -> Result {
    let lab = Lab::new();
    fs::create_dir_all(lab.there("log/sub"))?;
    for name in ["log/x", "log/sub/y", "log/100%"] {
        fs::write(lab.there(name), name)?;
    }
    let port = lab.sshd.port();
    let host = lab.host.client().expect("it has one").connect(format!("host:{port}"))?;
    let template = |rest: &str| format!("{}/{{host}}/{rest}", lab.here.path().display());
    host.get(lab.there("log/x").display().to_string(), template("{path}")).await?;
    assert_eq!(text(lab.here.path().join(format!("host-{port}/x"))), "log/x");
    host.get(lab.there("log").display().to_string(), template("{path}")).await?;
    for name in ["log/x", "log/sub/y", "log/100%"] {
        assert_eq!(text(lab.here.path().join(format!("host-{port}")).join(name)), name);
    }
    host.get(lab.there("log/x").display().to_string(), template("")).await?;
    host.get(lab.there("log/*0%").display().to_string(), template("all/")).await?;
    assert_eq!(text(lab.here.path().join(format!("host-{port}/all/100%"))), "log/100%");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_goes_into_a_folder_or_becomes_one() -> Result {
    let lab = Lab::new();
    fs::create_dir_all(lab.there("site/css"))?;
    fs::write(lab.there("site/css/a b"), "a")?;
    fs::write(lab.there("site/i"), "i")?;
    let get = |to: String| lab.host.get(lab.there("site").display().to_string(), to);
    get(lab.here.path().join("new").display().to_string()).await?;
    get(format!("{}/", lab.here.path().join("into").display())).await?;
    let found: Vec<_> = walk(lab.here.path())
        .iter()
        .map(|path| path.strip_prefix(lab.here.path()).map(|p| p.display().to_string()))
        .collect::<std::result::Result<_, _>>()?;
    assert_eq!(found, ["into/site/css/a b", "into/site/i", "new/css/a b", "new/i"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_there_leaves_none_here_and_an_old_one_as_it_was() -> Result {
    let lab = Lab::new();
    let here = lab.here.path().join("new/x");
    let get = |to: String| lab.host.get(lab.there("none").display().to_string(), to);
    let error = refused(get(here.display().to_string()).await, ErrorKind::File);
    assert!(block(&error).contains("caused by: no such file:"), "{error:?}");
    assert!(!lab.here.path().join("new").exists(), "no folder either");
    let old = lab.file("old", "old");
    refused(get(old.display().to_string()).await, ErrorKind::File);
    assert_eq!(text(&old), "old");
    let pattern = lab.host.get(lab.there("*.none").display().to_string(), old.display().to_string()).await;
    refused(pattern, ErrorKind::File);
    fs::create_dir(lab.there("empty"))?;
    let empty = || lab.host.get(lab.there("empty").display().to_string(), format!("{}/", lab.here.path().display()));
    assert!(empty().await?.any()? && lab.here.path().join("empty").is_dir());
    assert!(!empty().await?.any()?);
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_pattern_go_below_the_place_also_where_it_is_not_there_yet() -> Result {
    let lab = Lab::new();
    for name in ["a.log", "b.log"] {
        fs::write(lab.there(name), "there")?;
    }
    lab.host.get(lab.there("*.log").display().to_string(), lab.here.path().join("logs").display().to_string()).await?;
    assert_eq!(walk(lab.here.path()), ["a.log", "b.log"].map(|name| lab.here.path().join("logs").join(name)));
    Ok(())
}

#[tokio::test]
async fn a_host_can_not_choose_where_its_files_are_written() -> Result {
    use fabrs::transport::{Fake, FakeAnswer};

    let here = tempfile::tempdir()?;
    for name in ["../evil", "/tmp/evil", "a/../../evil", "./../evil"] {
        let listed = FakeAnswer::stdout(format!("fabrs-here\n\0x81a4 0 0 1 0 0 1 ./{name}\0fabrs-end\0"));
        let client = Client::builder().dial(Fake::new().on("get /srv/x/", listed)).build();
        let to = here.path().join("place").display().to_string();
        let error = refused(client.connect("web1")?.get("/srv/x/", to).await, ErrorKind::File);
        assert!(error.to_string().contains("would be written outside of"), "{name}: {error:?}");
    }
    let listed = FakeAnswer::stdout("fabrs-here\nf\0/srv/a/app.log\0f\0/srv/b/app.log\0");
    let client = Client::builder().dial(Fake::new().on("list /srv/*/app.log", listed)).build();
    let to = format!("{}/", here.path().display());
    let error = refused(client.connect("web1")?.get("/srv/*/app.log", to).await, ErrorKind::Usage);
    assert!(error.to_string().contains("would both be written to"), "{error:?}");
    assert_eq!(walk(here.path()), Vec::<std::path::PathBuf>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_can_not_be_written_is_named() -> Result {
    let lab = Lab::new();
    fs::write(lab.there("x"), "x")?;
    let file = lab.file("file", "old");
    let below = file.join("x");
    let error = refused(
        lab.host.get(lab.there("x").display().to_string(), below.display().to_string()).await,
        ErrorKind::Local,
    );
    assert!(error.to_string().contains("could not write"), "{error:?}");
    assert_eq!(text(&file), "old");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_through_a_symlink_that_a_host_has_sent_before() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let secret = tempfile::tempdir()?;
        let (there, here) = (lab.there("x"), lab.here.path().join("x"));
        fs::create_dir_all(&there)?;
        symlink(secret.path(), there.join("in"))?;
        let get = || lab.host.get(there.display().to_string(), format!("{}/", lab.here.path().display()));
        get().await?;
        assert_eq!(fs::read_link(here.join("in"))?, secret.path());
        fs::remove_file(there.join("in"))?;
        fs::create_dir(there.join("in"))?;
        for name in ["in/evil", "in/worse"] {
            fs::write(there.join(name), name)?;
        }
        let error = refused(get().await, ErrorKind::Local);
        assert!(block(&error).contains("in` is a symlink"), "{}", block(&error));
        assert_eq!(walk(secret.path()), Vec::<std::path::PathBuf>::new());
        // A symlink made by the user is followed.
        let own = lab.here.path().join("own");
        symlink(lab.file("elsewhere/x", "").parent().expect("it is below"), &own)?;
        lab.host.get(there.join("in").display().to_string(), format!("{}/", own.display())).await?;
        assert_eq!(text(lab.here.path().join("elsewhere/in/evil")), "in/evil");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_of_one_name_are_none_where_only_names_are_kept() -> Result {
    let lab = Lab::new();
    for name in ["a/same/x", "b/same/y", "b/none/same/z"] {
        fs::create_dir_all(lab.there("tree").join(name).parent().expect("it is below"))?;
        fs::write(lab.there("tree").join(name), name)?;
    }
    let to = format!("{}/all/{{basename}}", lab.here.path().display());
    lab.host.get(lab.there("tree").display().to_string(), to).await?;
    assert_eq!(walk(lab.here.path()), ["x", "y", "z"].map(|name| lab.here.path().join("all").join(name)));
    assert_eq!(fs::read_dir(lab.here.path().join("all"))?.count(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_with_nothing_in_it_is_told_where_it_is_new() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        fs::create_dir_all(lab.there("tree/none/in"))?;
        let get = || lab.host.get(lab.there("tree").display().to_string(), format!("{}/", lab.here.path().display()));
        let new = lab.here.path().join("tree/none/in");
        assert_eq!(get().await?.changed()?, [new.to_str().expect("UTF-8")]);
        assert!(!get().await?.any()?);
    }
    Ok(())
}
