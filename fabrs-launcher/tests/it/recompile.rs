//! When a tool is compiled again, and when not.

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use fabrs_launcher::{BuildEvent, BuildProgress, ensure_compiled};
use fabrs_project::Project;

use crate::test_dir::{Place, output};

#[test]
fn without_a_change_nothing_is_started_and_nothing_said() {
    let place = Place::new();
    let project = place.project("shop", "fabrs::task!(\"hello\");");
    let (printed, _) = place.run(&project);

    // Here is no cargo, nor anything else that could be started.
    let (prepared, heard) = place.try_prepare(&project, &[("PATH", ""), ("CARGO_HOME", "/nowhere")]);
    assert_eq!(output(&prepared.unwrap()), printed);
    assert_eq!(heard.notes, Vec::<String>::new());
}

#[test]
fn a_changed_file_is_compiled_also_if_it_is_older_than_what_it_replaces() {
    let place = Place::new();
    let project = place.project("shop", "mod a;\nfabrs::task!(\"{}\", a::TEXT);");
    place.write("shop/a.rs", "pub const TEXT: &str = \"one\";");
    assert!(place.run(&project).0.starts_with("one"));
    place.write("shop/a.rs", "pub const TEXT: &str = \"two\";");
    assert!(place.run(&project).0.starts_with("two"));

    // As `rsync -a` and `tar` leave it: cargo by itself would see nothing new.
    place.write("shop/a.rs", "pub const TEXT: &str = \"old\";");
    let file = File::options().write(true).open(place.path("shop/a.rs")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    assert!(place.run(&project).0.starts_with("old"));
}

#[test]
fn a_variable_that_is_compiled_in_is_an_input() {
    let place = Place::new();
    let project = place.project("shop", "fabrs::task!(\"{:?}\", option_env!(\"SHOP_STAGE\"));");
    let run = |changes: &[(&str, &str)]| output(&place.try_prepare(&project, changes).0.unwrap());
    assert!(run(&[]).starts_with("None"));
    assert!(run(&[("SHOP_STAGE", "blue")]).starts_with("Some(\"blue\")"));
    assert!(!place.try_prepare(&project, &[("SHOP_STAGE", "blue")]).1.compiling());
    assert!(run(&[]).starts_with("None"));
}

/// Changes a file once the compiler has begun.
struct Editing<F> {
    edit: Option<F>,
}

impl<F: FnOnce()> BuildProgress for Editing<F> {
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
    let place = Place::new();
    let project = place.project("shop", "mod a;\nfabrs::task!(\"{}\", a::TEXT);");
    place.write("shop/a.rs", "pub const TEXT: &str = \"one\";");
    let edit = || place.write("shop/a.rs", "pub const TEXT: &str = \"two\";");
    ensure_compiled(&project, &place.environment(&[]), &mut Editing { edit: Some(edit) }).unwrap();
    assert!(place.run(&project).0.starts_with("two"));
    assert!(!place.run(&project).1.compiling());
}

#[test]
fn a_moved_folder_is_another_project() {
    let place = Place::new();
    let before = place.project("shop", "fabrs::task!(\"{}\", file!());");
    place.run(&before);
    fs::rename(place.path("shop"), place.path("store")).unwrap();
    let after = Project::find(&place.path("store")).unwrap();
    let (printed, heard) = place.run(&after);
    assert!(heard.compiling());
    assert!(printed.starts_with(after.tasks_file.to_str().unwrap()), "{printed}");
    assert!(place.room(&before).join("stamp").exists());
}

#[test]
fn what_a_killed_fab_left_is_mended() {
    let place = Place::new();
    let project = place.project("shop", "fabrs::task!(\"hello\");");
    let (printed, _) = place.run(&project);
    let room = place.room(&project);
    let tool = room.join(format!("bin/tasks-{}", project.hash()));

    let damages: [&dyn Fn(); 6] = [
        &|| fs::remove_file(&tool).unwrap(),
        &|| File::options().write(true).open(&tool).unwrap().set_len(100).unwrap(),
        &|| fs::write(room.join("stamp"), "fabrs-stamp 1\n").unwrap(),
        &|| fs::write(room.join("Cargo.toml"), "[pack").unwrap(),
        &|| fs::remove_dir_all(&room).unwrap(),
        &|| fs::remove_dir_all(place.path("cache")).unwrap(),
    ];
    for damage in damages {
        damage();
        assert_eq!(place.run(&project).0, printed);
        assert!(!place.run(&project).1.compiling());
    }
}
