//! Errors of Vagrant with an exit code and a hint.

use std::path::Path;
use std::process::ExitStatus;

use fabrs_openssh::config::SshConfig;

use crate::config::vagrant::messages::{COMMAND, quoted_path};
use crate::error::{CauseText, Error, ErrorKind};

/// The maximum number of lines shown from Vagrant's message.
const MAX_MESSAGE_LINES: usize = 8;

/// Returns the error of a failed run, based on the text of the message. Vagrant has one exit status
/// for all errors, and its messages are always English.
pub(super) fn vagrant_error(
    status: ExitStatus,
    stdout: &str,
    stderr: &str,
    machines: &[String],
    folder: &Path,
) -> Error {
    let message = unwrapped(stderr);
    let folder = quoted_path(folder);
    if message.contains("not yet ready for SSH") {
        return match first_missing_machine(stdout, machines) {
            Some(machine) => {
                let text = format!("the Vagrant machine `{machine}` is not running");
                Error::new(ErrorKind::Connect, text).hint(format!("run `vagrant up {machine}`"))
            }
            None => Error::new(ErrorKind::Connect, "a Vagrant machine is not running")
                .hint("run `vagrant up`, or select machines with `vagrant = [\"NAME\"]` in fabrs.toml"),
        };
    }
    let text = match status.code() {
        Some(code) => format!("`{COMMAND}` in {folder} ended with exit status {code}"),
        None => format!("`{COMMAND}` in {folder} was killed by a signal"),
    };
    let unknown = message.contains("was not found configured for this Vagrant environment");
    let error = Error::new(if unknown { ErrorKind::Config } else { ErrorKind::Local }, text);
    let error = error.hint("run `vagrant status` to see the machines and their state");
    if stderr.trim().is_empty() { error } else { error.caused_by(CauseText(first_lines(stderr))) }
}

/// Returns the first requested machine missing in the output, because Vagrant stops at a machine
/// that does not run. Returns `None` if all machines were requested, since their names are unknown.
fn first_missing_machine<'m>(stdout: &str, machines: &'m [String]) -> Option<&'m str> {
    let listed = SshConfig::parse(stdout, COMMAND).unwrap_or_default();
    let listed = listed.host_names();
    machines.iter().map(String::as_str).find(|machine| !listed.contains(machine))
}

/// Joins the wrapped lines of Vagrant.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.trim().lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    if lines.len() > MAX_MESSAGE_LINES {
        lines.truncate(MAX_MESSAGE_LINES);
        lines.push("…");
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[track_caller]
    fn case(stdout: &str, stderr: &str, machines: &[&str], code: u8, block: &str) {
        let machines: Vec<String> = machines.iter().map(ToString::to_string).collect();
        let error = vagrant_error(ExitStatus::from_raw(1 << 8), stdout, stderr, &machines, Path::new("/srv/shop"));
        assert_eq!(error.block().to_string(), block);
        assert_eq!(error.exit_code().code(), code);
    }

    #[test]
    fn a_stopped_machine_is_unreachable_and_named_if_requested() {
        let not_ready = include_str!("recorded/not_ready.txt");
        let all = "error: a Vagrant machine is not running\n\
                   hint: run `vagrant up`, or select machines with `vagrant = [\"NAME\"]` in fabrs.toml";
        case("", not_ready, &[], 4, all);
        let db = "error: the Vagrant machine `db` is not running\nhint: run `vagrant up db`";
        case("Host web\n  Port 2222\n", not_ready, &["web", "db", "queue"], 4, db);
        case("", not_ready, &["db"], 4, db);
    }

    #[test]
    fn an_unknown_machine_is_a_configuration_error() {
        case(
            "",
            include_str!("recorded/unknown_machine.txt"),
            &["nope"],
            2,
            "error: `vagrant ssh-config` in `/srv/shop` ended with exit status 1\n\
             \x20 caused by: The machine with the name 'nope' was not found configured for\n\
             \x20            this Vagrant environment.\n\
             hint: run `vagrant status` to see the machines and their state",
        );
    }

    #[test]
    fn other_errors_show_the_first_lines_of_vagrants_message() {
        let many: String = (0..50).map(|n| n.to_string() + "\n\n").collect();
        case(
            "",
            &many,
            &[],
            1,
            "error: `vagrant ssh-config` in `/srv/shop` ended with exit status 1\n  caused by: 0\n\
             \x20            1\n             2\n             3\n             4\n             5\n             6\n\
             \x20            7\n             …\n\
             hint: run `vagrant status` to see the machines and their state",
        );
        let killed = vagrant_error(ExitStatus::from_raw(9), "", "", &[], Path::new("/srv/shop"));
        assert_eq!(killed.to_string(), "`vagrant ssh-config` in `/srv/shop` was killed by a signal");
    }
}
