//! When a tool is compiled again, and when not.

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use fabrs_launcher::{BuildEvent, BuildProgress, ensure_compiled};
use fabrs_project::Project;

use crate::test_dir::{TestDir, output};

#[test]
fn without_a_change_nothing_is_started_and_nothing_said() {
    let dir = TestDir::new();
    let project = dir.project("shop", "fabrs::task!(\"hello\");");
    let (printed, _) = dir.run(&project);

    // Here is no cargo, nor anything else that could be started.
    let (compiled, events) = dir.try_compile(&project, &[("PATH", ""), ("CARGO_HOME", "/nowhere")]);
    assert_eq!(output(&compiled.unwrap()), printed);
    assert_eq!(events.events, Vec::<String>::new());
}

#[test]
fn a_changed_file_is_compiled_also_if_it_is_older_than_what_it_replaces() {
    let dir = TestDir::new();
    let project = dir.project("shop", "mod a;\nfabrs::task!(\"{}\", a::TEXT);");
    dir.write("shop/a.rs", "pub const TEXT: &str = \"one\";");
    assert!(dir.run(&project).0.starts_with("one"));
    dir.write("shop/a.rs", "pub const TEXT: &str = \"two\";");
    assert!(dir.run(&project).0.starts_with("two"));

    // As `rsync -a` and `tar` leave it: cargo by itself would see nothing new.
    dir.write("shop/a.rs", "pub const TEXT: &str = \"old\";");
    let file = File::options().write(true).open(dir.path("shop/a.rs")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    assert!(dir.run(&project).0.starts_with("old"));
}

#[test]
fn a_variable_that_is_compiled_in_is_an_input() {
    let dir = TestDir::new();
    let project = dir.project("shop", "fabrs::task!(\"{:?}\", option_env!(\"SHOP_STAGE\"));");
    let run = |changes: &[(&str, &str)]| output(&dir.try_compile(&project, changes).0.unwrap());
    assert!(run(&[]).starts_with("None"));
    assert!(run(&[("SHOP_STAGE", "blue")]).starts_with("Some(\"blue\")"));
    assert!(!dir.try_compile(&project, &[("SHOP_STAGE", "blue")]).1.is_compiling());
    assert!(run(&[]).starts_with("None"));
}

/// Changes a file once the compiler has begun.
struct EditDuringBuild<F> {
    edit: Option<F>,
}

impl<F: FnOnce()> BuildProgress for EditDuringBuild<F> {
    fn allow_colour(&self) -> bool {
        false
    }

    fn report(&mut self, event: BuildEvent<'_>) {
        if matches!(event, BuildEvent::Crate { name: "tasks.rs", .. })
            && let Some(edit) = self.edit.take()
        {
            edit();
        }
    }
}

#[test]
fn a_file_that_is_edited_while_it_is_compiled_is_compiled_again() {
    let dir = TestDir::new();
    let project = dir.project("shop", "mod a;\nfabrs::task!(\"{}\", a::TEXT);");
    dir.write("shop/a.rs", "pub const TEXT: &str = \"one\";");
    let edit = || dir.write("shop/a.rs", "pub const TEXT: &str = \"two\";");
    ensure_compiled(&project, &dir.environment(&[]), &mut EditDuringBuild { edit: Some(edit) }).unwrap();
    assert!(dir.run(&project).0.starts_with("two"));
    assert!(!dir.run(&project).1.is_compiling());
}

#[test]
fn a_moved_folder_is_another_project() {
    let dir = TestDir::new();
    let before = dir.project("shop", "fabrs::task!(\"{}\", file!());");
    dir.run(&before);
    fs::rename(dir.path("shop"), dir.path("store")).unwrap();
    let after = Project::find(&dir.path("store")).unwrap();
    let (printed, events) = dir.run(&after);
    assert!(events.is_compiling());
    assert!(printed.starts_with(after.tasks_file.to_str().unwrap()), "{printed}");
    assert!(dir.cache_folder(&before).join("build-record").exists());
}

#[test]
fn what_a_killed_fab_left_is_mended() {
    let dir = TestDir::new();
    let project = dir.project("shop", "fabrs::task!(\"hello\");");
    let (printed, _) = dir.run(&project);
    let cache_folder = dir.cache_folder(&project);
    let tool = cache_folder.join(format!("bin/tasks-{}", project.hash()));

    let damages: [&dyn Fn(); 6] = [
        &|| fs::remove_file(&tool).unwrap(),
        &|| File::options().write(true).open(&tool).unwrap().set_len(100).unwrap(),
        &|| fs::write(cache_folder.join("build-record"), "fabrs-build-record 0\n").unwrap(),
        &|| fs::write(cache_folder.join("Cargo.toml"), "[pack").unwrap(),
        &|| fs::remove_dir_all(&cache_folder).unwrap(),
        &|| fs::remove_dir_all(dir.path("cache")).unwrap(),
    ];
    for damage in damages {
        damage();
        assert_eq!(dir.run(&project).0, printed);
        assert!(!dir.run(&project).1.is_compiling());
    }
}
