//! Output that can't be written: a full disk is an error, a closed pipe is not.

use std::fs;

use fabrs_testing::{Fab, FabOutput, SmallDisk, Sshd};

use crate::fixtures::{marker_file, shell, shop_folder, shop_hosts};

/// Returns a script that runs in the shop project. `$CONFIG` is the `ssh_config` of the server.
fn shop_script(sshd: &Sshd, text: &str) -> Fab {
    shell(text).current_dir(shop_folder()).env("CONFIG", sshd.ssh_config())
}

/// Checks that the last output of a run is a single error. Returns the number of lost bytes.
#[track_caller]
fn assert_lost_output(ran: &FabOutput, stream: &str, cause: &str) -> u64 {
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
    let block = ran.stderr.split("error: output was lost: ").nth(1).expect("the error is printed");
    let (bytes, rest) = block.split_once(&format!(" bytes of {stream}\n")).expect("bytes and stream are named");
    assert!(rest.starts_with(&format!("  caused by: {cause}")), "{}", ran.stderr);
    bytes.parse().expect("a number of bytes")
}

#[test]
fn a_shell_line_with_a_full_stdout_fails_with_the_lost_bytes_and_cause() {
    let sshd = shop_hosts();
    for (options, hosts) in [("", "web1"), ("", "web1,web2"), ("--json", "web1")] {
        let text = r#""$FAB" -S "$CONFIG" $OPTIONS -H "$HOSTS" -- 'yes | head -c 1000000' > /dev/full"#;
        let ran = shop_script(&sshd, text).env("OPTIONS", options).env("HOSTS", hosts).code(1).run();
        let bytes = assert_lost_output(&ran, "stdout", "could not write to stdout: No space left on device");
        assert!(bytes > 0, "{}", ran.stderr);
    }
}

#[test]
fn a_task_with_a_full_stdout_continues_and_fails() {
    let sshd = shop_hosts();
    for options in ["", "--json"] {
        let marker = marker_file(&sshd);
        let text = r#""$FAB" -S "$CONFIG" $OPTIONS -H web1 talk "$MARK" > /dev/full"#;
        let ran = shop_script(&sshd, text).env("OPTIONS", options).env("MARK", marker.path()).code(1).run();
        assert!(marker.exists(), "{options}: {}", ran.stderr);
        fs::remove_file(marker.path()).expect("the test created the file");
        let bytes = assert_lost_output(&ran, "stdout", "could not write to stdout: No space left on device");
        assert!(bytes > 50_000 * 6, "{bytes}");
    }
}

#[test]
fn a_task_with_a_full_stderr_continues_and_fails() {
    let sshd = shop_hosts();
    let marker = marker_file(&sshd);
    let text = r#""$FAB" -S "$CONFIG" -H web1 hello mark "$MARK" 2> /dev/full"#;
    shop_script(&sshd, text).env("MARK", marker.path()).code(1).stdout("[web1] hello\n").run();
    assert!(marker.exists());
}

#[test]
fn a_task_continues_after_the_reader_of_json_exits() {
    let sshd = shop_hosts();
    let marker = marker_file(&sshd);
    let text = r#"{ "$FAB" --json -S "$CONFIG" -H web1 talk "$MARK"; echo "code $?" >&2; } | head -1"#;
    shop_script(&sshd, text).env("MARK", marker.path()).stderr("code 0\n").run();
    assert!(marker.exists());
}

/// The reader starts after the command has printed everything. By then up to 16 MiB are in flight,
/// and 33 MiB are kept in memory.
#[test]
fn lost_output_is_an_error_even_if_all_commands_succeed() {
    let sshd = shop_hosts();
    let line = "yes 'a line kept in memory until the reader starts' | head -c 64000000; touch \"$MARK\"";
    for (options, call) in [
        ("", "-H web1 -- \"$LINE\""),
        ("--json", "-H web1 -- \"$LINE\""),
        ("", "-H web1 pour \"$MARK\""),
        ("--json", "-H web1 pour \"$MARK\""),
    ] {
        let marker = marker_file(&sshd);
        let text = format!(
            r#"{{ "$FAB" $OPTIONS -S "$CONFIG" {call}; echo "code $?" >&2; }} |
            {{ until [ -e "$MARK" ]; do sleep 0.05; done; cat >/dev/null; }}"#
        );
        let run = shop_script(&sshd, &text).env("OPTIONS", options).env("MARK", marker.path());
        let line = line.replace("$MARK", &marker.path().display().to_string());
        let small = run.dir().join("small");
        fs::create_dir(&small).expect("the test owns the directory");
        let Some(_disk) = SmallDisk::mount(&small) else { return };
        let ran = run.env("LINE", line).env("TMPDIR", &small).run();
        assert!(ran.stderr.ends_with("code 1\n"), "{call}: {}", ran.stderr);
        let cause = format!("could not write output to a temporary file in `{}`: No space left", small.display());
        assert!(assert_lost_output(&ran, "stdout", &cause) > 1_000_000, "{call}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("\nhint: set TMPDIR to an existing directory with enough free space\n"),
            "{}",
            ran.stderr
        );
        fs::remove_file(marker.path()).expect("the test created the file");
    }
}
