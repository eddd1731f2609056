//! What runs on a host while it is locked, and what it says.

use fabrs::{ShellLine, cmd};
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::who::Who;

/// The file whose lock is held; it says who holds it.
pub(super) const FILE: &str = "deploy.lock";
/// Only whoever has this one's lock, for a moment, may try for the other, so that what it says is always of who holds it.
const TURN: &str = "deploy.lock.turn";
/// What a person has locked by hand.
pub(crate) const KEPT: &str = "deploy.locked";

/// How many seconds without a word from the run the lock is held.
const SILENCE: u32 = 30;

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) by: Who,
    /// Since when: RFC 3339, UTC, by the clock of who holds it.
    pub(super) since: String,
    /// What is done.
    pub(super) what: String,
}

/// What a host says when the lock is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is ours.
    Locked,
    /// Another run has it; who, where that could be read.
    Held(Option<Holder>),
    /// A person has locked it by hand.
    Kept(Option<Kept>),
    /// The host has no `flock`.
    NoFlock,
    /// Something that is no answer.
    Other,
}

impl Answer {
    pub(super) fn read(line: &str) -> Self {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "locked" => Self::Locked,
            "held" => Self::Held(serde_json::from_str(rest).ok()),
            "kept" => Self::Kept(serde_json::from_str(rest).ok()),
            "no-flock" => Self::NoFlock,
            _ => Self::Other,
        }
    }
}

/// What ends a lock in order.
pub(super) const BYE: &str = "bye";

/// Returns the line that holds the lock of a site as long as it is told to: after the first answer it repeats what it reads.
///
/// It outlives an answer that nobody reads any more, since the end of its input is still to come. What it reads is the folder that the run is at work in and that is not live yet. Where it reads no more, and no [`BYE`] came
/// before, the run has died: before the lock is let go, what it has left running in that folder is ended.
pub(super) fn line(root: &str, holder: &Holder) -> ShellLine {
    let says = serde_json::to_string(holder).unwrap_or_default();
    cmd!(
        r#"command -v flock > /dev/null || {{ echo no-flock; exit; }}
        mkdir -p {root} && cd {root} || exit
        exec 8>> {TURN} 9>> {FILE} || exit
        flock 8 || exit
        if [ -e {KEPT} ]; then printf 'kept %s\n' "$(tr '\n' ' ' < {KEPT})"; exit; fi
        flock -n 9 || {{ printf 'held %s\n' "$(tr '\n' ' ' < {FILE})"; exit; }}
        printf '%s\n' {says} > {FILE}
        exec 8>&-
        echo locked
        within() {{ if command -v timeout > /dev/null; then timeout {SILENCE} "$@"; else "$@"; fi; }}
        folder=; trap '' PIPE
        while alive=$(within head -n 1 9>&-) && [ -n "$alive" ]; do
            echo "$alive" 2> /dev/null; if [ "$alive" = {BYE} ]; then : > {FILE}; exit; fi; folder=${alive#* }
        done
        case $folder in */releases/*) ;; *) exit ;; esac
        folder=$(cd "$folder" 2> /dev/null && pwd -P) && [ "$(cd current 2> /dev/null && pwd -P)" != "$folder" ] || exit
        n=0; left=yes
        while [ "$left" ] && [ $n -lt 30 ]; do
            left=; if [ $n -lt 10 ]; then signal=TERM; else signal=KILL; fi; n=$((n+1))
            for cwd in /proc/[0-9]*/cwd; do case $(readlink "$cwd" 2> /dev/null) in "$folder" | "$folder"/*)
                pid=${cwd#/proc/}; kill -s $signal "${pid%/cwd}" 2> /dev/null && left=yes ;;
            esac; done
            [ -z "$left" ] || sleep 0.1
        done"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_can_not_be_read_whole_is_still_that_answer() {
        assert_eq!(Answer::read("locked"), Answer::Locked);
        assert_eq!(Answer::read("held "), Answer::Held(None));
        assert_eq!(Answer::read("kept by the night shift"), Answer::Kept(None));
        assert_eq!(Answer::read("motd: welcome"), Answer::Other);
        let holder =
            r#"held {"by":{"user":"alice","machine":"laptop"},"since":"2026-11-03T14:02:11Z","what":"deploy"}"#;
        let Answer::Held(Some(holder)) = Answer::read(holder) else { panic!("it says who") };
        assert_eq!(holder.by.to_string(), "alice@laptop");
    }
}
