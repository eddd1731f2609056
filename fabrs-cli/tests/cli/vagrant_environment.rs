//! The built-in environment `vagrant` of a project with a Vagrantfile.

use std::fs;

use fabrs_testing::{Fab, Sshd};

use crate::groups::groups;
use crate::scratch_project::ScratchProject;
use crate::vagrant::{print_ssh_config, vagrant_calls, vagrant_project, with_fake_vagrant};

/// Returns a run in the compiled project with tasks for groups. Its folder has a Vagrantfile, and
/// its `fabrs.toml` has no `[env.vagrant]`.
fn compiled_project(sshd: &Sshd) -> Fab {
    with_fake_vagrant(groups(), &print_ssh_config(sshd, &["web", "db"]))
}

#[test]
fn the_machines_of_a_vagrantfile_need_no_fabrs_toml() {
    let sshd = Sshd::start();
    let fab = vagrant_project("", &print_ssh_config(&sshd, &["web", "db"]));
    fs::remove_file(fab.dir().join("fabrs.toml")).expect("the test owns the file");
    let ran = fab.args(["vagrant", "--serial", "--", "echo x"]).stdout("[web] x\n[db] x\n").run();
    assert_eq!(vagrant_calls(&ran.dir), "ssh-config\n");
}

#[test]
fn every_machine_is_in_every_role() {
    let sshd = Sshd::start();
    let run = |arguments: &[&str]| compiled_project(&sshd).arg("vagrant").args(arguments).run().stdout;
    assert_eq!(run(&["members", "--role", "web", "--role", "any"]), "[local] web: web db\n[local] any: web db\n");
    assert_eq!(run(&["backs-up-all"]), "[local] backed up: web db\n", "the task `back-up` has the role `db`");
    let ran = compiled_project(&sshd).args(["vagrant", "backs-up"]).run();
    assert!(ran.stderr.ends_with("backs-up: 2 ok\n"), "a task with the role `web` calls it: {}", ran.stderr);
    assert_eq!(run(&["-H", "db", "members", "--role", "web"]), "[local] web: db\n", "`-H` narrows the role");
}

#[test]
fn list_shows_the_vagrant_environment_without_running_vagrant() {
    let list = |options: &[&str]| with_fake_vagrant(groups(), "exit 9").args(options).run();
    let text = list(&["--list"]);
    assert!(text.stdout.ends_with("\n  vagrant   all Vagrant machines\n"), "{}", text.stdout);
    let json = list(&["--list", "--json"]);
    assert!(json.stdout.contains(r#""environments":["live","machines","vagrant"]"#), "{}", json.stdout);
    for ran in [text, json] {
        assert_eq!(vagrant_calls(&ran.dir), "");
    }
}

#[test]
fn an_env_vagrant_table_overrides_the_built_in_environment() {
    let own = vagrant_project("[env.vagrant]\nhosts = ['@local']\n", "exit 9");
    let ran = own.args(["vagrant", "--", "echo x"]).stdout("x\n").run();
    assert_eq!(vagrant_calls(&ran.dir), "");
}

#[test]
fn a_task_named_vagrant_overrides_the_built_in_environment() {
    let project = ScratchProject::open("vagrant task");
    project.write("Vagrantfile", "");
    project.write(
        "tasks.rs",
        "use fabrs::prelude::*;\n\n#[task(local)]\nasync fn vagrant() -> Result {\n    \
         local(\"echo task\").await?;\n    Ok(())\n}\n",
    );
    let run = || with_fake_vagrant(project.fab(""), "exit 9");
    run().arg("vagrant").stdout("[local] task\n").run();
    run().args(["-H", "@local", "vagrant", "--", "echo line"]).stdout("[local] task\n[local] line\n").run();
    run().arg("--list").stdout("Tasks:\n  vagrant\n").run();
}

#[test]
fn a_folder_without_a_vagrantfile_has_no_environment() {
    let fab = vagrant_project("", "exit 9").project(&[("below/fabrs.toml", "")]);
    let below = fab.dir().join("below");
    let ran = fab.current_dir(below).args(["vagrant", "--", "echo x"]).code(2).stdout("").run();
    let hint = "hint: add `[env.vagrant]` to `fabrs.toml`\n";
    assert_eq!(ran.stderr, format!("error: unknown environment `vagrant`\n{hint}"));
}
