//! Errors of an invalid `tasks.rs`, with their locations.

use crate::fixtures::{cache, fab, project};

#[test]
fn a_compile_error_names_the_users_file_and_line_and_suggests_a_fix() {
    // This test may be the first to compile a project.
    let run = fab().limit(std::time::Duration::from_mins(10)).current_dir(project("broken"));
    let ran = run.args(["-H", "web1", "deploy", "t1"]).code(2).stdout("").run();
    let text = &ran.stderr;
    for part in [
        " --> tasks.rs:8:9\n",
        " --> tasks.rs:15:24\n",
        "error[E0277]: `String` is not a shell line\n",
        "write `cmd!(\"… {value} …\")`: it quotes each value\n",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    assert!(text.ends_with("\nerror: could not compile `tasks.rs`\n"), "{text}");
    // Generated files must not appear in the error.
    let cache = cache();
    for part in ["Cargo.toml", "main.rs", "`tasks-", cache.to_str().expect("test directories have plain names")] {
        assert!(!text.contains(part), "`{part}` is in\n{text}");
    }
}

#[test]
fn two_tasks_with_the_same_name_are_an_error_with_both_locations() {
    let folder = project("twice");
    let block = format!(
        "error: two tasks have the name `reload`: {0}/tasks.rs:8 and {0}/tasks.rs:16\nhint: rename one of them\n",
        folder.display()
    );
    for arguments in [&["reload"][..], &["--list"], &["-n", "reload"]] {
        let run = fab().limit(std::time::Duration::from_mins(10)).current_dir(&folder).args(arguments);
        let ran = run.code(2).stdout("").run();
        assert!(ran.stderr.ends_with(&block), "{}", ran.stderr);
    }
}

#[test]
fn a_task_with_the_name_of_an_environment_is_an_error() {
    let folder = project("named_as_environment");
    let block = format!(
        "error: `live` is both an environment and a task ({}/tasks.rs:7)\nhint: rename one of them\n",
        folder.display()
    );
    let run = fab().limit(std::time::Duration::from_mins(10)).current_dir(&folder);
    let ran = run.arg("live").code(2).stdout("").run();
    assert!(ran.stderr.ends_with(&block), "{}", ran.stderr);
}
