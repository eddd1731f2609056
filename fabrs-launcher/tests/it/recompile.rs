//! Detection of changed inputs: a tool is compiled again only after a change.

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use fabrs_launcher::{BuildEvent, BuildProgress, ensure_compiled};
use fabrs_project::Project;

use crate::test_dir::{TestDir, output};

#[test]
fn an_unchanged_project_starts_no_process_and_reports_no_event() {
    let dir = TestDir::new();
    let project = dir.project("shop", "fabrs::task!(\"hello\");");
    let (printed, _) = dir.run(&project);

    // With an empty PATH no program can be started, not even cargo.
    let (compiled, events) = dir.try_compile(&project, &[("PATH", ""), ("CARGO_HOME", "/nowhere")]);
    assert_eq!(output(&compiled.unwrap()), printed);
    assert_eq!(events.events, Vec::<String>::new());
}

#[test]
fn a_changed_file_with_an_older_time_is_compiled() {
    let dir = TestDir::new();
    let project = dir.project("shop", "mod a;\nfabrs::task!(\"{}\", a::TEXT);");
    dir.write("shop/a.rs", "pub const TEXT: &str = \"one\";");
    assert!(dir.run(&project).0.starts_with("one"));
    dir.write("shop/a.rs", "pub const TEXT: &str = \"two\";");
    assert!(dir.run(&project).0.starts_with("two"));

    // `rsync -a` and `tar` preserve old times. Cargo alone would not detect the change.
    dir.write("shop/a.rs", "pub const TEXT: &str = \"old\";");
    let file = File::options().write(true).open(dir.path("shop/a.rs")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    assert!(dir.run(&project).0.starts_with("old"));
}

#[test]
fn a_variable_read_at_compile_time_is_an_input() {
    let dir = TestDir::new();
    let project = dir.project("shop", "fabrs::task!(\"{:?}\", option_env!(\"SHOP_STAGE\"));");
    let run = |changes: &[(&str, &str)]| output(&dir.try_compile(&project, changes).0.unwrap());
    assert!(run(&[]).starts_with("None"));
    assert!(run(&[("SHOP_STAGE", "blue")]).starts_with("Some(\"blue\")"));
    assert!(!dir.try_compile(&project, &[("SHOP_STAGE", "blue")]).1.is_compiling());
    assert!(run(&[]).starts_with("None"));
}

/// Edits a file as soon as the compilation of `tasks.rs` starts.
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
fn a_file_edited_during_the_build_is_compiled_again() {
    let dir = TestDir::new();
    let project = dir.project("shop", "mod a;\nfabrs::task!(\"{}\", a::TEXT);");
    dir.write("shop/a.rs", "pub const TEXT: &str = \"one\";");
    let edit = || dir.write("shop/a.rs", "pub const TEXT: &str = \"two\";");
    ensure_compiled(&project, &dir.environment(&[]), &mut EditDuringBuild { edit: Some(edit) }).unwrap();
    assert!(dir.run(&project).0.starts_with("two"));
    assert!(!dir.run(&project).1.is_compiling());
}

#[test]
fn a_moved_folder_is_a_new_project() {
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
fn a_damaged_cache_is_repaired() {
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
