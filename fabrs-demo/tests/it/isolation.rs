//! Isolation: a demo changes nothing on the machine and cannot read private data of the machine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fabrs_testing::{Account, Capability, Sshd, marker};

use crate::fixtures::{demo, demo_program, run, start_program, stdout_of, text};

/// Returns all files a task might change, with size, owner, mode and modification time.
fn machine_files() -> BTreeMap<PathBuf, (u64, u32, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> =
        ["/etc", "/srv", "/opt", "/usr/local", "/usr/bin", "/var/www", "/var/spool/cron"].map(PathBuf::from).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.path().symlink_metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            let facts = (metadata.len(), metadata.uid(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec());
            found.insert(entry.path(), facts);
        }
    }
    assert!(found.contains_key(Path::new("/etc/passwd")), "the scan covers /etc");
    found
}

#[test]
fn writes_on_a_host_leave_the_machine_unchanged() {
    if Capability::Accounts.is_available() {
        // Parallel tests create this account once. The account is created now, so the initial
        // and the final state of `/etc` are equal.
        drop(Sshd::builder().users([Account::Plain]).start());
    }
    let before = machine_files();
    let name = marker();
    let home = std::env::home_dir().expect("the user has a home");
    let demo = demo(&["demo"]);
    let line = format!(
        "set -e; sudo touch /etc/x.{name} /srv/x.{name} /x.{name}; echo x > $HOME/x.{name}; echo x > /tmp/x.{name}; \
         sudo mkdir -p '{0}'; sudo touch '{0}/x.{name}'; echo 'eve::0:0::/:/bin/sh' | sudo tee -a /etc/passwd; \
         sudo rm -rf /etc/hosts /etc/ssl /home /root; sudo chmod 777 /etc; ls /etc/x.{name}",
        home.display()
    );
    assert!(stdout_of(&demo, "demo", &line).ends_with(&format!("/etc/x.{name}\n")));
    // These changes fail.
    run(&demo, "demo", "sudo rm -rf --no-preserve-root /usr/bin /usr/local /opt; sudo touch /usr/bin/x /opt/x");
    assert_eq!(machine_files(), before);
    for folder in ["/etc", "/srv", "/", "/tmp", &home.to_string_lossy()] {
        let path = Path::new(folder).join(format!("x.{name}"));
        assert!(!path.exists(), "{}", path.display());
    }
}

#[test]
fn programs_of_the_machine_are_read_only() {
    let demo = demo(&["demo"]);
    let output = run(&demo, "demo", "sudo touch /usr/bin/x");
    assert!(text(&output.stderr).contains("Read-only file system"), "{output:?}");
    // A writable remount must fail as well: root inside owns none of the mounts.
    let remount = run(&demo, "demo", "sudo mount -o remount,bind,rw /usr && sudo touch /usr/bin/x");
    assert!(!remount.status.success() && !Path::new("/usr/bin/x").exists(), "{remount:?}");
}

#[test]
fn two_hosts_have_different_names_files_and_processes() {
    let demo = demo(&["demo1", "demo2"]);
    stdout_of(&demo, "demo1", "echo one > /tmp/which; setsid sleep 1000 > /dev/null 2>&1 < /dev/null &");
    assert_eq!(stdout_of(&demo, "demo1", "cat /tmp/which; hostname; pgrep -c sleep"), "one\ndemo1\n1\n");
    let second = run(&demo, "demo2", "hostname; cat /tmp/which || pgrep -c sleep");
    assert_eq!(text(&second.stdout), "demo2\n0\n");
}

#[test]
fn private_files_of_the_machine_are_hidden() {
    let here = tempfile::NamedTempFile::new().expect("a temporary file");
    let demo = demo(&["demo"]);
    let tests = env!("CARGO_MANIFEST_DIR");
    let line = format!("ls '{}' '{tests}' 2>&1 | grep -c 'No such file'", here.path().display());
    assert_eq!(stdout_of(&demo, "demo", &line), "2\n");
    assert_eq!(stdout_of(&demo, "demo", "ls /home; sudo ls -A /root"), "demo\n");
}

#[test]
fn processes_of_the_machine_are_hidden() {
    let demo = demo(&["demo"]);
    let own = std::process::id();
    let output = run(&demo, "demo", &format!("sudo kill -0 {own} && ps ax | wc -l"));
    assert!(text(&output.stderr).contains("No such process"), "{output:?}");
    let count: u32 = stdout_of(&demo, "demo", "ps -e -o pid= | wc -l").trim().parse().expect("a number");
    assert!(count < 10, "{count}");
}

#[test]
fn the_environment_of_the_program_is_hidden() {
    let secret = format!("token-{}", marker());
    let mut command = demo_program();
    command.env("API_TOKEN", &secret);
    let program = start_program(command);
    let found = program.run(&format!("env; sudo sh -c 'cat /proc/[0-9]*/environ' | grep -a -c '[t]{}'", &secret[1..]));
    assert!(!text(&found.stdout).contains(&secret), "{found:?}");
    assert!(text(&found.stdout).ends_with("\n0\n"), "{found:?}");
}

#[test]
fn kernel_settings_are_read_only() {
    let demo = demo(&["demo"]);
    let before = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("the file exists");
    assert_eq!(stdout_of(&demo, "demo", "cat /proc/sys/kernel/core_pattern"), before);
    for path in ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness", "/proc/sysrq-trigger"] {
        let output = run(&demo, "demo", &format!("sudo sh -c 'echo x > {path}'"));
        assert!(!output.status.success(), "{path}: {output:?}");
    }
    assert_eq!(fs::read_to_string("/proc/sys/kernel/core_pattern").expect("the file exists"), before);
}
