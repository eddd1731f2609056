//! [`HostRevert`]: a pending or finished revert of a host by itself.

use fabrs::event::escape_controls;
use serde::Serialize;

use super::id::ReleaseId;

/// The revert of a host by itself: see
/// [`Site::revert_unless_confirmed`](crate::Site::revert_unless_confirmed).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HostRevert {
    /// The unconfirmed release.
    pub release: ReleaseId,
    /// The state of the revert.
    pub state: HostRevertState,
}

/// The state of the revert of a host by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HostRevertState {
    /// The run is connected. The host reverts if the run is cut off.
    Armed,
    /// The run was cut off. The host reverts after this number of seconds.
    Pending {
        /// The seconds until the revert. 0 while another run or a person locks the site.
        seconds_left: u64,
    },
    /// The watchdog process has ended, for example in a reboot of the host. The unconfirmed release
    /// stays live.
    WatchdogEnded,
    /// The host reverted, or could not revert: a sentence with the result. Kept until the next
    /// switch.
    Finished(String),
}

impl HostRevert {
    /// Parses the line of a survey after the id of the release.
    pub(super) fn parse(release: ReleaseId, text: &str) -> Self {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let state = match word {
            "pending" => HostRevertState::Pending { seconds_left: rest.trim().parse().unwrap_or(0) },
            "ended" => HostRevertState::WatchdogEnded,
            "result" => HostRevertState::Finished(escape_controls(rest.trim_end()).into_owned()),
            _ => HostRevertState::Armed,
        };
        Self { release, state }
    }

    /// Returns whether the release of this revert is live without a confirmation.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        !matches!(self.state, HostRevertState::Finished(_))
    }

    /// Returns the state as a remark for `status`.
    pub(crate) fn describe(&self) -> String {
        match &self.state {
            HostRevertState::Armed => "unconfirmed".to_owned(),
            HostRevertState::Pending { seconds_left } => {
                format!("unconfirmed, reverts in {}", describe_seconds(*seconds_left))
            }
            HostRevertState::WatchdogEnded => {
                "unconfirmed, and its watchdog has ended: roll back, or deploy again".to_owned()
            }
            HostRevertState::Finished(text) => text.clone(),
        }
    }
}

/// Returns a duration rounded up to minutes, or to seconds below two minutes.
fn describe_seconds(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_a_state_has_the_name_of_the_state() {
        let revert = HostRevert::parse("20261103140211".parse().unwrap(), "pending 61");
        let json = serde_json::to_string(&revert).unwrap();
        assert_eq!(json, r#"{"release":"20261103140211","state":{"pending":{"seconds_left":61}}}"#);
        let armed = HostRevert::parse(ReleaseId::default(), "armed");
        assert_eq!(serde_json::to_value(&armed.state).unwrap(), "armed");
    }

    #[test]
    fn the_line_of_a_survey_is_shown_as_a_remark() {
        for (line, expected) in [
            ("armed", "unconfirmed"),
            ("pending 61", "unconfirmed, reverts in 61 s"),
            ("pending 170", "unconfirmed, reverts in 3 min"),
            ("ended", "unconfirmed, and its watchdog has ended: roll back, or deploy again"),
            ("result it was \u{1b}[2Kreverted ", "it was \\u{1b}[2Kreverted"),
        ] {
            assert_eq!(HostRevert::parse(ReleaseId::default(), line).describe(), expected);
        }
    }
}
