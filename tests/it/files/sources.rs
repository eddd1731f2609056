//! The sources of an upload: several sources, patterns, excluded files and directories.

use std::fs;

use fabrs::prelude::*;

use super::{FileFixture, text, walk};
use crate::support::{error_text, expect_error, within_limit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sources_keep_their_names() -> Result {
    let fixture = FileFixture::new();
    let file = fixture.file("one.txt", "one");
    fixture.file("folder/two.txt", "two");
    let target = fixture.remote("into");
    fixture.host.put([file, fixture.local.path().join("folder")], target.display().to_string()).await?;
    assert_eq!((text(target.join("one.txt")), text(target.join("folder/two.txt"))), ("one".into(), "two".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn excluded_and_ignored_files_are_not_uploaded() -> Result {
    let fixture = FileFixture::new();
    for name in ["src/app.py", "src/app.pyc", "src/lib/x.pyc", "src/tests/data/big", "src/tests/t.py", "src/build/out"]
    {
        fixture.file(name, "x");
    }
    fixture.file("src/.gitignore", "/build\n");
    let put =
        |target: &str| fixture.host.put(fixture.local.path().join("src"), fixture.remote(target).display().to_string());
    put("one").exclude("*.pyc").exclude("tests/data").ignore_files().await?;
    let names = |target: &str| {
        let root = fixture.remote(target);
        walk(&root).iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("one"), [".gitignore", "app.py", "tests/t.py"]);
    let error = expect_error(put("two").exclude("[").await, ErrorKind::Usage);
    assert!(error_text(&error).contains("invalid pattern"), "{}", error_text(&error));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_keeps_paths_below_its_fixed_prefix() -> Result {
    let fixture = FileFixture::new();
    for name in ["static/a.css", "static/x/b.css", "static/x/c.js", "static/.hidden.css", "static/y/z/d.css"] {
        fixture.file(name, name);
    }
    let names = |target: &str| {
        let root = fixture.remote(target);
        walk(&root).iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect::<Vec<_>>()
    };
    let put = |pattern: &str, target: &str| {
        fixture.host.put(fixture.local.path().join(pattern), fixture.remote(target).display().to_string())
    };
    put("static/**/*.css", "all").await?;
    assert_eq!(names("all"), ["a.css", "x/b.css", "y/z/d.css"]);
    put("static/*.{css,js}", "flat").await?;
    assert_eq!(names("flat"), ["a.css"]);
    put("static/?", "folders").await?;
    assert_eq!(names("folders"), ["x/b.css", "x/c.js", "y/z/d.css"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_directory_is_uploaded() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        fs::create_dir(fixture.local.path().join("tree"))?;
        within_limit(fixture.host.put(fixture.local.path().join("tree"), fixture.remote("tree").display().to_string()))
            .await?;
        assert!(fixture.remote("tree").is_dir());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_and_a_directory_with_one_target_are_refused() -> Result {
    let fixture = FileFixture::new();
    let (file, folder) = (fixture.file("a/x", "x"), fixture.file("b/x/y", "y"));
    let sources = [file, folder.parent().expect("the path has a parent").to_owned()];
    let error = expect_error(
        within_limit(fixture.host.put(sources, fixture.remote("t").display().to_string())).await,
        ErrorKind::Usage,
    );
    assert!(error_text(&error).contains("have the same target"), "{}", error_text(&error));
    Ok(())
}
