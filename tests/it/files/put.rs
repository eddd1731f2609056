//! Uploads by the shell backend: the targets of files, their modes, and the files that are sent at
//! all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use fabrs::prelude::*;

use super::{Lab, mode, text, walk};
use crate::support::{block, client_of, refused, soon, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_lands_whole_with_its_mode_and_is_not_sent_again() -> Result {
    let lab = Lab::new();
    let (file, target) = (lab.file("app.conf", "workers = 4\n"), lab.there("app.conf"));
    let put = || lab.host.put(&file, target.display().to_string());
    assert!(put().mode(0o640).await?.any()?);
    assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 4\n", 0o640));
    let inode = fs::metadata(&target)?.ino();
    let changes = put().mode(0o640).await?;
    assert_eq!((changes.any()?, changes.files()?), (false, vec![target.to_str().expect("UTF-8")]));
    assert_eq!(fs::metadata(&target)?.ino(), inode, "it was not touched");
    assert!(put().mode(0o600).await?.any()?, "a mode is a change too");
    assert_eq!((mode(&target), fs::metadata(&target)?.ino()), (0o600, inode));
    lab.file("app.conf", "workers = 5\n");
    assert_eq!(put().await?.changed()?, [target.to_str().expect("UTF-8")]);
    assert_eq!((text(&target).as_str(), mode(&target)), ("workers = 5\n", 0o600), "what is replaced keeps its mode");
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relative_target_is_below_the_directory_and_an_absolute_one_is_not() -> Result {
    let lab = Lab::new();
    let file = lab.file("x", "x");
    fs::create_dir(lab.there("with blank"))?;
    fs::set_permissions(lab.there("with blank"), fs::Permissions::from_mode(0o777))?;
    let there = lab.host.cd(lab.there("with blank").display().to_string());
    there.put(&file, "it's here").await?;
    there.env("X", "y").prefix("false").put(&file, lab.there("absolute").display().to_string()).await?;
    assert_eq!(text(lab.there("with blank/it's here")), "x");
    assert_eq!(text(lab.there("absolute")), "x", "what is said for commands is nothing to files");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o751))?;
    there.put(&file, "").preserve_mode().await?;
    assert_eq!((text(lab.there("with blank/x")).as_str(), mode(&lab.there("with blank/x"))), ("x", 0o751));
    let name = format!("fabrs-home-{}", std::process::id());
    lab.host.put(&file, format!("~/{name}")).await?;
    lab.host.put(&file, name.clone()).await?;
    assert_eq!(lab.host.probe(cmd!("cat ~/{name}; rm ~/{name}")).line().await?, "x");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn into_a_folder_a_file_keeps_its_name() -> Result {
    let lab = Lab::new();
    let file = lab.file("own name", "x");
    let folder = lab.sshd.scratch().display().to_string();
    for target in [folder.clone(), format!("{folder}/")] {
        lab.host.put(&file, target).await?;
        assert_eq!(text(lab.there("own name")), "x");
    }
    let error = refused(lab.host.put(b"x".to_vec(), format!("{folder}/")).await, ErrorKind::Usage);
    assert!(block(&error).contains("bytes have no name"), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_and_patterns_arrive_with_all_that_is_in_them() -> Result {
    let lab = Lab::new();
    for name in ["site/index.html", "site/css/a.css", "site/css/b c.css", "site/css/deep/d.css"] {
        lab.file(name, name);
    }
    let (site, target) = (lab.here.path().join("site"), lab.there("www"));
    let changes = lab.host.put(&site, target.display().to_string()).await?;
    assert_eq!(changes.changed()?.len(), 4);
    let names: Vec<_> = walk(&target)
        .iter()
        .map(|path| path.strip_prefix(&target).map(|p| p.display().to_string()))
        .collect::<std::result::Result<_, _>>()?;
    assert_eq!(names, ["css/a.css", "css/b c.css", "css/deep/d.css", "index.html"]);
    lab.file("site/css/a.css", "changed");
    let changes = lab.host.put(&site, target.display().to_string()).await?;
    assert_eq!(changes.changed()?, [target.join("css/a.css").to_str().expect("UTF-8")], "only what differs is sent");

    let pattern = lab.here.path().join("site/css/*.css");
    lab.host.put(pattern, lab.there("styles").display().to_string()).await?;
    assert_eq!(walk(&lab.there("styles")).len(), 2);
    let none = refused(lab.host.put(site.join("*.none"), "x").await, ErrorKind::Local);
    assert!(none.to_string().contains("no such local file:"), "{none:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_symlink_leads_to_is_replaced_and_the_symlink_stays() -> Result {
    let lab = Lab::new();
    let (file, folder) = (lab.file("x", "new"), lab.open_folder());
    let (real, link) = (folder.join("real"), folder.join("link"));
    fs::write(&real, "old")?;
    fs::set_permissions(&real, fs::Permissions::from_mode(0o666))?;
    symlink("real", &link)?;
    lab.host.put(&file, link.display().to_string()).await?;
    assert!(fs::symlink_metadata(&link)?.is_symlink());
    assert_eq!((text(&real).as_str(), mode(&real)), ("new", 0o666));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_end_or_no_place_of_its_own_is_refused_before_anything_is_put() -> Result {
    let lab = Lab::new();
    let files = [lab.file("a/app.conf", "a"), lab.file("b/app.conf", "b")];
    let target = lab.there("target").display().to_string();
    let twice = refused(lab.host.put(files, target.clone()).await, ErrorKind::Usage);
    assert!(twice.to_string().contains("have the same target"), "{twice:?}");
    let device = refused(lab.host.put("/dev/zero", target).await, ErrorKind::Local);
    assert!(device.to_string().contains("is not a regular file"), "{device:?}");
    assert!(!lab.there("target").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_is_a_host_like_any() -> Result {
    let lab = Lab::new();
    let (file, target) = (lab.file("x", "x"), lab.here.path().join("y"));
    let client = Client::builder().build();
    assert!(client.local()?.put(&file, target.display().to_string()).mode(0o600).await?.any()?);
    assert_eq!((text(&target).as_str(), mode(&target)), ("x", 0o600));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_put_says_why_and_leaves_the_old_file() -> Result {
    let lab = Lab::new();
    let (file, target) = (lab.file("x", "new"), lab.there("folder/x"));
    let put = |target: String| lab.host.put(&file, target);
    let missing = refused(put(target.display().to_string()).await, ErrorKind::File);
    let shown = block(&missing);
    assert!(shown.contains("caused by: no such directory:") && shown.contains("host: could not put"), "{shown}");

    fs::create_dir(lab.there("folder"))?;
    fs::write(&target, "old")?;
    fs::create_dir(lab.there("folder/is a directory"))?;
    fs::create_dir(lab.there("folder/is a directory/x"))?;
    let folder = refused(put(lab.there("folder/is a directory").display().to_string()).await, ErrorKind::File);
    assert!(block(&folder).contains("is a directory"), "{folder:?}");

    // The login may not write to this directory.
    fs::set_permissions(lab.there("folder"), fs::Permissions::from_mode(0o755))?;
    if fabrs_testing::Capability::Accounts.is_available() {
        let denied = refused(put(target.display().to_string()).await, ErrorKind::File);
        let shown = block(&denied);
        assert!(shown.contains("Permission denied") && shown.contains("hint: `.sudo()`"), "{shown}");
        assert_eq!(text(&target), "old");
    }
    let here = refused(lab.host.put(lab.here.path().join("none"), "x").await, ErrorKind::Local);
    assert!(here.to_string().contains("none"), "{here:?}");
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test]
async fn a_dry_run_knows_that_a_file_in_a_missing_folder_is_new_and_warns_unless_the_plan_may_make_the_folder() -> Result
{
    use fabrs::config::Mode;

    let lab = Lab::new();
    let (seen, sink) = crate::support::capture();
    let settings = crate::support::settings(&crate::support::ssh_config(&lab.sshd, ""));
    let client = Client::builder().settings(settings.mode(Mode::DryRun)).sink(sink).build();
    let host = client.connect(lab.sshd.alias())?;
    let target = lab.there("missing/x").display().to_string();
    assert!(host.put(b"x", &target).await?.any()?);
    let warnings = told(&seen, "warning", "text");
    let folder = format!("no such directory: {}, and no planned change creates it", lab.there("missing").display());
    assert!(warnings.len() == 1 && warnings[0].contains(&folder), "{warnings:?}");
    assert!(host.put(b"y", &target).await?.any()?);
    assert_eq!(told(&seen, "warning", "text").len(), 1, "an earlier step may make it");
    client.close().await;
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test]
async fn a_dry_run_plans_a_put_to_an_unreachable_host_whole_and_its_changes_are_unknown() -> Result {
    use fabrs::config::{Mode, Settings};
    use fabrs::transport::Fake;

    let (seen, sink) = crate::support::capture();
    let settings = Settings::default().mode(Mode::DryRun);
    let client = Client::builder().settings(settings).dial(Fake::new().unreachable("web1")).sink(sink).build();
    let file = tempfile::NamedTempFile::new()?;
    let changes = client.connect("web1")?.put(file.path(), "/etc/shop.conf").mode(0o640).sudo().await?;
    let shown = format!("put {} -> /etc/shop.conf (mode 0640) by sudo", file.path().display());
    assert_eq!(told(&seen, "planned", "operation"), [shown]);
    let error = refused(changes.any(), ErrorKind::NotRun);
    assert!(error.to_string().contains("put.rs"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_lands_for_its_owner_alone_and_neither_it_nor_its_checksum_is_shown() -> Result {
    let lab = Lab::new();
    let secret = Secret::new("a secret of the files");
    let there = lab.there("token");
    let put = || lab.host.put(&secret, there.display().to_string());
    assert!(put().await?.any()?);
    assert_eq!((text(&there).as_str(), mode(&there)), ("a secret of the files", 0o600));
    assert!(!put().await?.any()?, "and is not written again");
    assert!(put().mode(0o640).await?.any()?, "a mode is a change");
    assert_eq!(mode(&there), 0o640);
    assert!(lab.host.put(Secret::new("a secret of the other"), there.display().to_string()).await?.any()?);
    assert_eq!(mode(&there), 0o640, "what is replaced keeps its mode");
    let said = format!("{:?} {:?}", lab.host.put(&secret, "x"), put().await?);
    assert!(!said.contains("a secret of"), "{said}");
    assert_eq!(walk(&lab.sshd.scratch()), [there]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_is_filled_in_for_its_host_and_lands_as_every_file() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let path = lab.file("conf/site.conf.j2", "# {{ host }}\nport = {{ port }}\n{% include 'more.j2' %}");
        lab.file("conf/more.j2", "app = {{ app }}\n");
        let config = fabrs::config::Config::parse("vars.app = 'shop'", "fabrs.toml".as_ref())?;
        let inventory = fabrs::config::Inventory::new(&config, None)?;
        let host = client_of(&lab.sshd, "").inventory(inventory).build().connect("host")?;
        let template = || Template::file(&path).set("port", 8000);
        let target = lab.there("site.conf").display().to_string();
        assert!(host.put(template(), target.clone()).await?.any()?);
        assert_eq!(text(&target), "# host\nport = 8000\napp = shop\n");
        assert!(!host.put(template(), target.clone()).await?.any()?);
        let error = refused(host.put(Template::file(&path), target.clone()).await, ErrorKind::Local);
        let block = block(&error);
        assert!(block.contains("could not render") && block.contains("site.conf.j2:2"), "{block}");
        assert_eq!(text(&target), "# host\nport = 8000\napp = shop\n");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reader_gives_is_put_on_each_host_and_read_once() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let content: Vec<u8> = (0..=250u8).cycle().take(9 << 20).collect();
        let source = Source::reader(std::io::Cursor::new(content.clone()));
        for name in ["one", "other"] {
            let put = soon(lab.host.put(source.clone(), lab.there(name).display().to_string()));
            assert_eq!(put.await?.changed()?.len(), 1);
            assert!(fs::read(lab.there(name))? == content);
        }
        assert!(!soon(lab.host.put(source, lab.there("one").display().to_string())).await?.any()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mode_that_was_written_without_its_octal_sign_is_a_usage_error() -> Result {
    let lab = Lab::new();
    let (file, target) = (lab.file("x", "x"), lab.there("x"));
    let to = || target.display().to_string();
    for mode in [644, 600, 755, 0o10000] {
        refused(soon(lab.host.put(&file, to()).mode(mode)).await, ErrorKind::Usage);
        refused(soon(lab.host.ensure_dir(to()).mode(mode)).await, ErrorKind::Usage);
        refused(soon(lab.host.get(to(), lab.here.path().display().to_string()).mode(mode)).await, ErrorKind::Usage);
    }
    assert!(!target.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn below_a_file_there_is_no_folder_to_put_into() -> Result {
    let lab = Lab::new();
    fs::write(lab.there("x"), "a file")?;
    let error =
        refused(soon(lab.host.put(b"y".to_vec(), lab.there("x/y").display().to_string())).await, ErrorKind::File);
    assert!(block(&error).contains("x is not a directory") && !block(&error).contains("ensure_dir"), "{error:?}");
    Ok(())
}
