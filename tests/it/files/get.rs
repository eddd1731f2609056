//! `get`: where files land here, and that a failure changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

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
    assert!(block(&error).contains("caused by: there is no file"), "{error:?}");
    assert!(!lab.here.path().join("new").exists(), "no folder either");
    let old = lab.file("old", "old");
    refused(get(old.display().to_string()).await, ErrorKind::File);
    assert_eq!(text(&old), "old");
    let pattern = lab.host.get(lab.there("*.none").display().to_string(), old.display().to_string()).await;
    refused(pattern, ErrorKind::File);
    fs::create_dir(lab.there("empty"))?;
    let nothing = lab.host.get(lab.there("empty").display().to_string(), here.display().to_string()).await?;
    assert_eq!(nothing.files()?, [""; 0]);
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
        let listed = FakeAnswer::stdout(format!("fabrs-here\n\0x81a4 0 0 1 0 0 ./{name}\0fabrs-end\0"));
        let client = Client::builder().dial(Fake::new().on("get /srv/x/", listed)).build();
        let to = here.path().join("place").display().to_string();
        let error = refused(client.connect("web1")?.get("/srv/x/", to).await, ErrorKind::File);
        assert!(error.to_string().contains("outside of where it belongs"), "{name}: {error:?}");
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
