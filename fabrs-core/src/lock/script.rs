//! The script that holds a lock on a host, and its answers.

use std::time::Duration;

use super::holder::LockHolder;
use super::lock_json::parse_json;
use super::manual::ManualLock;
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

/// Returns the script for holding a lock while heartbeats arrive. After the first answer, the
/// script repeats each message.
///
/// The script locks `NAME.lock.turn` while it tries `NAME.lock`, so `NAME.lock` always has the text
/// of its holder. Each message is received with `read`, which takes no byte after the line. If the
/// messages end without [`BYE`], the run has died. Before the lock is released, the script ends the
/// processes of the run in the working directory, unless that directory is the `current` release.
pub(super) fn lock_script(
    folder: &str,
    name: &str,
    holder: &LockHolder,
    lease: Duration,
) -> Result<ShellLine, ShellLineError> {
    let json = serde_json::to_string(holder).unwrap_or_default();
    let (folder, name, json) = (quote_path(folder)?, quote(name)?, quote(&json)?);
    let seconds = lease.as_secs().max(1);
    Ok(ShellLine::raw(format!(
        r#"command -v flock > /dev/null || {{ echo no-flock; exit; }}
        mkdir -p {folder} && cd {folder} || exit
        lock={name}.lock
        exec 8>> "$lock.turn" 9>> "$lock" || exit
        flock 8 || exit
        if [ -e {name}.locked ]; then printf 'manual %s
' "$(tr '
' ' ' < {name}.locked)"; exit; fi
        flock -n 9 || {{ printf 'held %s
' "$(tr '
' ' ' < "$lock")"; exit; }}
        printf '%s
' {json} > "$lock" && : > "$lock.phase" || exit
        exec 8>&-
        echo locked
        receive='IFS= read -r line && printf "%s
" "$line"'
        receive() {{
            if command -v timeout > /dev/null; then timeout {seconds} sh -c "$receive" 9>&-; else sh -c "$receive" 9>&-; fi
        }}
        folder= phase=; trap '' PIPE
        while line=$(receive) && [ -n "$line" ]; do
            echo "$line" 2> /dev/null
            if [ "$line" = {UNLOCK_MESSAGE} ]; then : > "$lock"; exit; fi
            rest=${{line#* }}; folder=${{rest#* }}
            if [ "${{rest%% *}}" != "$phase" ]; then phase=${{rest%% *}}; echo "$phase" > "$lock.phase"; fi
        done
        : > "$lock"
        case $folder in /?*) ;; *) exit ;; esac
        folder=$(cd "$folder" 2> /dev/null && pwd -P) && [ "$(cd current 2> /dev/null && pwd -P)" != "$folder" ] || exit
        n=0; left=yes
        while [ "$left" ] && [ $n -lt 30 ]; do
            left=; if [ $n -lt 10 ]; then signal=TERM; else signal=KILL; fi; n=$((n+1))
            for cwd in /proc/[0-9]*/cwd; do case $(readlink "$cwd" 2> /dev/null) in "$folder" | "$folder"/*)
                pid=${{cwd#/proc/}}; kill -s $signal "${{pid%/cwd}}" 2> /dev/null && left=yes ;;
            esac; done
            [ -z "$left" ] || sleep 0.1
        done"#
    )))
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
