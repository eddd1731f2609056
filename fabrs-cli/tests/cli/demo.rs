//! `-H @demo`: runs on contained demo hosts, without any real host.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fabrs_testing::{Process, marker, processes_matching, wait_until};

use crate::fixtures::{fab, shell, shop, shop_folder, sorted, without_times};
use crate::quickstart::copy_dir;
use crate::scratch_project::ScratchProject;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_shell_line_runs_on_demo_and_sets_the_exit_code() {
    fab()
        .args(["-H", "@demo", "--", "hostname; id -un; sudo id -un; printf err >&2; exit 7"])
        .code(7)
        .stdout("demo\ndemo\nroot\n")
        .stderr("err")
        .run();
    fab().args(["-H", "@demo", "--", "kill -TERM $$"]).code(128 + 15).stderr("").run();
}

#[test]
fn several_demo_hosts_are_numbered_and_isolated() {
    let ran = fab().args(["-H", "@demo:3", "--", "hostname; echo $(hostname) > /tmp/x; cat /tmp/x"]).run();
    let expected =
        ["[demo1] demo1", "[demo1] demo1", "[demo2] demo2", "[demo2] demo2", "[demo3] demo3", "[demo3] demo3"];
    assert_eq!(sorted(&ran.stdout), expected);
    assert_eq!(ran.stderr, "hostname; echo $(hostname) > /tmp/x;...: 3 ok\n");
}

#[test]
fn demo_and_local_run_together() {
    fab().args(["-H", "@demo,@local", "--serial", "--", "echo x"]).stdout("[demo] x\n[local] x\n").run();
}

#[test]
fn connection_options_do_not_redirect_demo() {
    let run_as = |user: &str| {
        fab().args(["-H", "@demo", "-u", user, "--port", "2", "-g", "no.such.host", "-i", "/etc/passwd"]).args([
            "-S",
            "/dev/null",
            "--no-input",
            "--",
            "id -un; echo $HOME",
        ])
    };
    run_as("deploy").stdout("deploy\n/home/deploy\n").stderr("").run();
    run_as("root").stdout("root\n/root\n").stderr("").run();
}

#[test]
fn tasks_run_on_demo_instead_of_their_own_hosts() {
    let ran = shop().args(["-H", "@demo:2", "--serial", "hello"]).run();
    assert_eq!(ran.stdout, "[demo1] hello\n[demo2] hello\n");
    let task_lines = ["[demo1] task hello", "[demo1] task hello: ok", "[demo2] task hello", "[demo2] task hello: ok"];
    assert_eq!(without_times(&ran.stderr), [&task_lines[..], &["hello: 2 ok"]].concat());
}

#[test]
fn changes_on_demo_do_not_reach_this_machine() {
    let name = marker();
    let line = format!("sudo touch /etc/x.{name} /srv/x.{name}; touch ~/x.{name} /tmp/x.{name}; echo done");
    fab().args(["-H", "@demo", "--", &line]).stdout("done\n").stderr("").run();
    for folder in ["/etc", "/srv", "/tmp"] {
        assert!(!fs::exists(format!("{folder}/x.{name}")).expect("the folder can be read"), "{folder}");
    }
}

#[test]
fn a_dry_run_on_demo_changes_nothing() {
    fab().args(["-n", "-H", "@demo", "--", "echo x"]).stdout("").stderr("[demo] would run: echo x\n").run();
    fab()
        .args(["-n", "-H", "@demo:2", "--serial", "--", "echo x"])
        .stdout("")
        .stderr("[demo1] would run: echo x\n[demo2] would run: echo x\necho x: 2 ok\ndry run: nothing was changed\n")
        .run();
}

#[test]
fn a_command_timeout_ends_the_shell_line() {
    let nap = marker();
    let line = format!("sleep {nap} | cat");
    fab()
        .args(["-H", "@demo", "-T", "1", "--", &line])
        .code(1)
        .stderr(format!("error: demo: `{line}` ran longer than 1 second and was ended\n"))
        .run();
    assert_eq!(processes_matching(&nap), Vec::<Process>::new());
}

#[test]
fn ctrl_c_stops_commands_on_demo() {
    let nap = marker();
    let line = format!("trap 'echo ended; exit 1' TERM; echo begun; sleep {nap} & wait");
    let running = fab().args(["-H", "@demo:2", "--", &line]).code(130).spawn();
    for host in ["demo1", "demo2"] {
        running.wait_for_stdout(&format!("[{host}] begun\n"), LIMIT);
    }
    running.interrupt();
    let ran = running.wait();
    // The commands received a signal and ended by themselves.
    assert!(ran.stdout.contains("[demo1] ended\n") && ran.stdout.contains("[demo2] ended\n"), "{}", ran.stdout);
    assert_eq!(processes_matching(&nap), Vec::<Process>::new());
}

#[test]
fn a_killed_fab_leaves_no_demo_processes() {
    let nap = marker();
    let line = format!("setsid -f sleep {nap} > /dev/null 2>&1; sudo sleep {nap}");
    let running = fab().args(["-H", "@demo:2", "--", &line]).any_code().spawn();
    let asleep = || processes_matching(&nap).iter().filter(|process| process.cmdline.starts_with("sleep")).count();
    wait_until("both commands of each host run", LIMIT, || asleep() == 4);
    running.kill();
    drop(running.wait());
    wait_until("all processes have ended", LIMIT, || processes_matching(&nap).is_empty());
}

#[test]
fn an_invalid_demo_count_is_an_error_and_a_file_named_demo_is_read() {
    let block = "error: invalid number of hosts in `@demo:0`\nhint: use `@demo:N` with N from 1 to 32\n";
    fab().args(["-H", "@demo:0", "--", "true"]).code(2).stderr(block).run();
    let fab = fab().project(&[("demo", "@local\n")]);
    fab.args(["-H", "@./demo", "--", "echo x"]).stdout("x\n").run();
}

#[test]
fn without_namespaces_demo_fails_and_runs_nothing() {
    let name = marker();
    let folder = shop_folder().join(&name);
    for answers in ["", "-y", "--no-input"] {
        let script = format!(
            "exec unshare --user --map-root-user --pid --fork --kill-child --mount-proc sh -c 'echo 0 > \
             /proc/sys/user/max_user_namespaces && exec \"$FAB\" {answers} -H @demo -- mkdir \"{}\"'",
            folder.display()
        );
        shell(&script)
            .code(2)
            .stdout("")
            .stderr(
                "error: `@demo` was not started: without containment, its commands would run on this machine as root\n  \
                 caused by: could not create namespaces: No space left on device (os error 28)\nhint: run `unshare -Urm true` \
                 to test if namespaces are allowed; most containers forbid them\n",
            )
            .run();
        assert!(!folder.exists());
    }
}

#[test]
fn the_quickstart_deploy_is_planned_completely() {
    let scratch_project = ScratchProject::open("quickstart of a demo");
    copy_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart"), &scratch_project.path(""));
    let ran = scratch_project.fab("").args(["-n", "-H", "@demo:2", "deploy"]).own_session().run();
    assert_eq!(ran.stderr.matches("] would put site -> /srv/site/releases/").count(), 2, "{}", ran.stderr);
    assert!(ran.stderr.ends_with("deploy: 2 ok\ndry run: nothing was changed\n"), "{}", ran.stderr);
}
