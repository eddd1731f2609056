//! The script that holds a lock on a host, and its answers.

use std::time::Duration;

use super::holder::LockHolder;
use super::lock_json::parse_json;
use super::manual::ManualLock;
use crate::shell::compose::fill;
use crate::shell::{ShellLine, ShellLineError, quote, quote_path};

/// The message that releases a lock.
pub(super) const UNLOCK_MESSAGE: &str = "bye";

/// The answer of a host to a request for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LockAnswer {
    /// The run has the lock.
    Locked,
    /// Another run has the lock. `None` if its holder is unreadable.
    Held(Option<LockHolder>),
    /// A person has locked the host.
    Manual(ManualLock),
    /// The host has no `flock`.
    NoFlock,
    /// An unexpected text.
    Other,
}

impl LockAnswer {
    pub(super) fn read(line: &str) -> Self {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "locked" => Self::Locked,
            "held" => Self::Held(parse_json(rest)),
            "manual" => Self::Manual(ManualLock::read(rest)),
            "no-flock" => Self::NoFlock,
            _ => Self::Other,
        }
    }
}

/// Returns a heartbeat: the phase of the run, and its working directory.
pub(super) fn heartbeat_message(phase: &str, folder: &str) -> String {
    let phase: String = phase.chars().map(|c| if c.is_whitespace() { '-' } else { c }).collect();
    format!("alive {} {}\n", if phase.is_empty() { "-" } else { &phase }, folder.replace('\n', " "))
}

/// Returns the script for holding a lock while heartbeats arrive.
///
/// If the messages end without [`UNLOCK_MESSAGE`], the run has died. Before the lock is released,
/// the script ends the processes of the run in the working directory of the last heartbeat.
pub(super) fn lock_script(
    folder: &str,
    name: &str,
    holder: &LockHolder,
    lease: Duration,
) -> Result<ShellLine, ShellLineError> {
    let json = serde_json::to_string(holder).unwrap_or_default();
    let script = fill(
        include_str!("hold.sh"),
        &[
            ("DIRECTORY", &quote_path(folder)?),
            ("NAME", &quote(name)?),
            ("HOLDER", &quote(&json)?),
            ("LEASE_SECONDS", &lease.as_secs().max(1).to_string()),
            ("UNLOCK_MESSAGE", UNLOCK_MESSAGE),
        ],
    );
    Ok(ShellLine::raw(script.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_answer_keeps_its_kind() {
        assert_eq!(LockAnswer::read("locked"), LockAnswer::Locked);
        assert_eq!(LockAnswer::read("held "), LockAnswer::Held(None));
        let LockAnswer::Manual(manual) = LockAnswer::read("manual by the night shift") else {
            panic!("expected a manual lock")
        };
        assert_eq!(manual.reason, "by the night shift");
        assert_eq!(LockAnswer::read("motd: welcome"), LockAnswer::Other);
        let holder =
            r#"held {"by":{"user":"alice","machine":"laptop"},"since":"2026-11-03T14:02:11Z","what":"deploy"}"#;
        let LockAnswer::Held(Some(holder)) = LockAnswer::read(holder) else { panic!("expected a readable holder") };
        assert_eq!(holder.to_string(), "alice@laptop since 2026-11-03T14:02:11Z: deploy");
    }

    #[test]
    fn a_message_is_one_line_of_three_parts() {
        assert_eq!(heartbeat_message("", ""), "alive - \n");
        assert_eq!(heartbeat_message("take up", "/srv/a b\nc"), "alive take-up /srv/a b c\n");
    }
}
