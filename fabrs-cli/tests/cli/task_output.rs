//! Text printed by tasks with `println!` and by local programs.

use std::fs;

use fabrs_testing::{Fab, Sshd, marker, processes_matching, wait_until};

use crate::fixtures::{LIMIT, marker_file, shell, shop, shop_folder, shop_hosts, with_ssh_config};

/// Returns a script that runs in the shop project. `$CONFIG` is the `ssh_config` of the server.
fn shop_script(sshd: &Sshd, text: &str) -> Fab {
    shell(text).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config())
}

#[test]
fn a_task_that_prints_to_a_closed_pipe_continues() {
    let sshd = shop_hosts();
    for streams in ["", "2>&1", "2>&-", "3>&1 >&2 2>&3"] {
        let marker = marker_file(&sshd);
        let text = format!(
            r#"{{ {{ "$FAB" -S "$CONFIG" -H web1 prints "$MARK" {streams}; echo "code $?" >"$CODE"; }} | head -1; }} 2>/dev/null"#
        );
        let run = shop_script(&sshd, &text);
        let code = run.dir().join("code");
        let ran = run.env("MARK", marker.path()).env("CODE", &code).run();
        assert_eq!(ran.stdout.lines().count(), 1, "{streams}: {}", ran.stdout);
        assert_eq!(fs::read_to_string(code).expect("the script wrote the file"), "code 0\n", "{streams}");
        assert!(marker.exists(), "{streams}");
        fs::remove_file(marker.path()).expect("the test created the file");
    }
}

#[test]
fn a_task_that_prints_to_a_full_disk_continues_and_fails() {
    let sshd = shop_hosts();
    for (full, stderr) in [
        (">/dev/full", "\nerror: output was lost: "),
        ("2>/dev/full", ""),
        (">/dev/full 2>&1", ""),
        ("--json >/dev/full", "error: output was lost: "),
    ] {
        let marker = marker_file(&sshd);
        let text = format!(r#""$FAB" -S "$CONFIG" -H web1 prints "$MARK" {full}"#);
        let run = shop_script(&sshd, &text).env("MARK", marker.path()).code(1).stderr_contains(stderr);
        let ran = run.stderr_lacks("panicked").run();
        assert!(marker.exists(), "{full}: {}", ran.stderr);
        fs::remove_file(marker.path()).expect("the test created the file");
    }
}

#[test]
fn printed_text_arrives_complete_and_in_order() {
    let sshd = shop_hosts();
    let marker = marker_file(&sshd);
    let ran = with_ssh_config(shop(), &sshd).args(["-H", "web1", "prints"]).arg(marker.path()).run();
    let numbered = |word: &str| (0..20_000).fold(String::new(), |text, number| text + &format!("{word} {number}\n"));
    assert!(ran.stdout == numbered("line") + "of a program\n", "{} lines", ran.stdout.lines().count());
    assert!(ran.stderr.contains(&numbered("note")), "{} lines", ran.stderr.lines().count());
}

#[test]
fn printed_text_keeps_its_order_among_command_output() {
    let sshd = shop_hosts();
    for _ in 0..20 {
        let text = r#""$FAB" -S "$CONFIG" -H web1 steps 2>&1"#;
        let ran = shop_script(&sshd, text).run();
        let lines: Vec<&str> = ran.stdout.lines().collect();
        let expected = ["[web1] task steps", "one", "[web1] two", "three", "four", "five", "six", "[web1] seven"];
        assert_eq!(lines[..8], expected, "{}", ran.stdout);
        // Without a line end, the text stays in the buffer of std, as in any program.
        assert!(ran.stdout.ends_with("\nno end"), "{}", ran.stdout);
    }
}

#[test]
fn tasks_see_the_terminal_of_fab() {
    let sshd = shop_hosts();
    let mut fab = with_ssh_config(shop(), &sshd).args(["colours"]).spawn_on_terminal();
    fab.expect("terminal: true true\r\n", LIMIT);
    assert_eq!(fab.wait(LIMIT), 0);
    with_ssh_config(shop(), &sshd).args(["colours"]).stdout("terminal: false false\n").run();
}

#[test]
fn a_program_that_outlives_the_run_does_not_delay_its_end() {
    let sshd = shop_hosts();
    let nap = marker();
    let run = shop_script(&sshd, r#""$FAB" -S "$CONFIG" leave-sleep "$NAP" >"$LOG" 2>&1; cat "$LOG""#);
    let log = run.dir().join("log");
    run.env("NAP", &nap).env("LOG", log).stdout_contains("\nbegun\n").run();
    for process in processes_matching(&nap) {
        process.terminate();
    }
    wait_until("the program has ended", LIMIT, || processes_matching(&nap).is_empty());
}

#[test]
fn a_task_that_prints_to_a_closed_terminal_continues() {
    let sshd = shop_hosts();
    let (marker, scratch) = (marker_file(&sshd), sshd.scratch());
    let on_terminal = "trap '' HUP; \
         (setsid --wait \"$FAB\" -S \"$CONFIG\" -H web1 print-later \"$BEGUN\" \"$GO\" \"$MARK\"; echo \"code $?\" >\"$CODE\") & \
         until [ -e \"$BEGUN\" ]; do sleep 0.05; done";
    let text = "script -qfc \"$ON_TERMINAL\" /dev/null >/dev/null; touch \"$GO\"; \
         until [ -s \"$CODE\" ]; do sleep 0.05; done; cat \"$CODE\"";
    let run = shop_script(&sshd, text).env("ON_TERMINAL", on_terminal);
    let code = run.dir().join("code");
    let run = run.env("BEGUN", scratch.join("begun")).env("GO", scratch.join("go")).env("CODE", code);
    run.env("MARK", marker.path()).env("SHELL", "/bin/sh").stdout("code 0\n").run();
    assert!(marker.exists());
}
