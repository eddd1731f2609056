//! Write errors of temporary files: the error names the directory of the temporary file.

use std::fs;

use fabrs_testing::{Fab, SmallDisk};

use crate::fixtures::{shop, shop_hosts, with_ssh_config};

const FULL: &str = "caused by: No space left on device (os error 28)";

/// Creates an empty directory `small` for a run. Returns the run and the path.
fn with_folder(run: Fab) -> (Fab, String) {
    let small = run.dir().join("small");
    fs::create_dir(&small).expect("the test owns the directory");
    (run, small.display().to_string())
}

#[test]
fn a_put_of_a_reader_with_a_full_tmpdir_names_the_temporary_file() {
    let sshd = shop_hosts();
    for hosts in ["web1", "web1,web2"] {
        let (run, small) =
            with_folder(with_ssh_config(shop(), &sshd).args(["--keep-going", "-H", hosts, "put-reader"]));
        let Some(_disk) = SmallDisk::mount(small.as_ref()) else { return };
        let run = run.arg(sshd.scratch().join("x")).env("TMPDIR", &small).code(1).stderr_lacks("read a reader");
        let error = format!("could not write a temporary file in `{small}`\n");
        let ran = run.stderr_contains("\nhint: set TMPDIR to an existing directory with enough free space\n").run();
        for count in [ran.stderr.matches(&error).count(), ran.stderr.matches(FULL).count()] {
            assert_eq!(count, hosts.split(',').count(), "{}", ran.stderr);
        }
        assert!(!sshd.scratch().join("x").exists());
    }
}

#[test]
fn a_missing_tmpdir_is_named() {
    let sshd = shop_hosts();
    let target = sshd.scratch().join("x").display().to_string();
    let text = "could not write a temporary file in `/no/such/folder`\n";
    for arguments in [&["put-reader", &target][..], &["copy", "/etc/hostname", &target]] {
        let run = with_ssh_config(shop(), &sshd).args(["-H", "web1"]).args(arguments).env("TMPDIR", "/no/such/folder");
        let ran =
            run.code(1).stderr_contains("\nhint: set TMPDIR to an existing directory with enough free space\n").run();
        assert!(ran.stderr.contains(text) && ran.stderr.contains("No such file or directory"), "{}", ran.stderr);
    }
}

#[test]
fn a_full_local_disk_names_the_directory_of_the_temporary_file() {
    let sshd = shop_hosts();
    let from = sshd.scratch().join("from");
    fs::create_dir(&from).expect("every user can write to the directory");
    for name in ["a", "b", "c"] {
        fs::write(from.join(name), vec![b'x'; 700_000]).expect("the test owns the directory");
    }
    let (run, small) = with_folder(with_ssh_config(shop(), &sshd).args(["-H", "web1", "fetch"]));
    let Some(_disk) = SmallDisk::mount(small.as_ref()) else { return };
    let ran = run.arg(&from).arg(format!("{small}/")).code(1).stderr_lacks("TMPDIR").run();
    let error = format!("error: web1: could not write a temporary file in `{small}`\n");
    assert!(ran.stderr.contains(&error) && ran.stderr.contains(FULL), "{}", ran.stderr);
}
