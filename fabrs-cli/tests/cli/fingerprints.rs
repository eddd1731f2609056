//! `--yes=FINGERPRINT`: each input of a run changes the fingerprint.

use std::fs;

use fabrs_testing::{Fab, Sshd};

use crate::fixtures::{fab, shop_hosts, with_ssh_config};

const TASKS: &str = "use fabrs::prelude::*;\n\n#[task(defer_approval)]\nasync fn up() -> Result {\n    let flavour = env_var(\"FLAVOUR\").unwrap_or_default();\n    \
    current().client().expect(\"a task has a client\").approve(&flavour).await?;\n    put(\"conf.txt\", \"/tmp/fabrs-test-of-fingerprints\").await?;\n    Ok(())\n}\n";

const TOML: &str = "[env.guarded]\nhosts = [\"web1\"]\nprotected = true\n[env.guarded.vars]\nworkers = 4\n";

/// A project that changes between plans.
struct Project {
    sshd: Sshd,
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { sshd: shop_hosts(), folder: tempfile::tempdir().expect("a temporary directory") };
        project.write("tasks.rs", TASKS);
        project.write("fabrs.toml", TOML);
        project.write("conf.txt", "1\n");
        project
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("the test owns the directory");
    }

    fn run(&self) -> Fab {
        with_ssh_config(fab(), &self.sshd).current_dir(self.folder.path()).own_session()
    }

    /// Returns the fingerprint of a plan with these options.
    #[track_caller]
    fn plan(&self, options: &[&str]) -> String {
        fingerprint(self.run().args(options))
    }
}

/// Runs a dry run and returns the last printed fingerprint.
#[track_caller]
fn fingerprint(run: Fab) -> String {
    let planned = run.args(["-n", "guarded", "up"]).run();
    let shown = planned.stderr.rsplit("`--yes=").next().and_then(|rest| rest.get(..16));
    shown.unwrap_or_else(|| panic!("{}", planned.stderr)).to_owned()
}

#[test]
fn every_input_of_a_run_changes_the_fingerprint() {
    let project = Project::new();
    let first = project.plan(&[]);
    assert_eq!(project.plan(&[]), first, "the same run has the same fingerprint");
    let assert_differs = |input: &str, fingerprint: String| assert_ne!(fingerprint, first, "{input}");
    for options in [
        &["-w"][..],
        &["--skip-bad-hosts"],
        &["--keep-going"],
        &["--serial"],
        &["-P", "3"],
        &["-T", "60"],
        &["-u", "ops"],
        &["--port", "2"],
        &["-g", "web2"],
        &["-A"],
        &["-H", "web2"],
        &["-i", "/dev/null"],
        &["--override-freeze", "fixes the checkout"],
        &["--override-stages", "fixes the checkout"],
    ] {
        assert_differs(&options.join(" "), project.plan(options));
    }
    assert_differs("a variable read by the task", fingerprint(project.run().env("FLAVOUR", "sweet")));

    let config = fs::read_to_string(project.sshd.ssh_config()).expect("the harness wrote the file");
    let fingerprint_with = |first: &str| {
        let file = project.sshd.dir().join("elsewhere");
        fs::write(&file, format!("{first}\n{config}")).expect("the test owns the directory");
        fingerprint(fab().arg("-S").arg(&file).current_dir(project.folder.path()).own_session())
    };
    let unchanged = fingerprint_with("# a comment");
    for line in
        ["Host web1\n HostName 127.0.0.9", "Host web1\n User eve", "Host web1\n ProxyJump web2", "Host web1\n Port 9"]
    {
        assert_ne!(fingerprint_with(line), unchanged, "{line}");
    }

    project.write("conf.txt", "2\n");
    assert_differs("an uploaded file", project.plan(&[]));
    project.write("conf.txt", "1\n");
    project.write("fabrs.toml", &TOML.replace("workers = 4", "workers = 5"));
    assert_differs("a variable of fabrs.toml", project.plan(&[]));
    for line in ["ssh_config = '/dev/null'", "identity = '/dev/null'", "forward_agent = true"] {
        project.write("fabrs.toml", &TOML.replace("protected = true", &format!("protected = true\n{line}")));
        assert_differs(line, project.plan(&[]));
    }
    project.write("fabrs.toml", TOML);
    assert_eq!(project.plan(&[]), first, "all inputs have their first values again");
}

#[test]
fn a_fingerprint_approves_only_its_plan_in_either_case() {
    let project = Project::new();
    let capitals = project.plan(&[]).to_uppercase();
    project.run().args(["guarded", "up"]).arg(format!("--yes={capitals}")).run();
    project.write("conf.txt", "2\n");
    let run = project.run().args(["guarded", "up"]).arg(format!("--yes={capitals}"));
    run.code(1).stderr_contains("differ from the approved ones").run();
}
