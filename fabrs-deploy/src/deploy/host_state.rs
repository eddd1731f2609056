//! The state machine of one host in a deploy or a rollback: states, events and the table of
//! transitions.
//!
//! | state | event | next state |
//! |---|---|---|
//! | `Unchanged` | `SwitchSent` | `Switching` |
//! | `Switching` | `SwitchConfirmed` | `Switched` |
//! | `Switched` | `CheckPassed` | `Held` |
//! | `Held` | `Promoted` | `Promoted` |
//! | `Switching`, `Switched`, `Held`, `Reverting`, `SwitchedBack` | `RevertSent` | `Reverting` |
//! | `Reverting` | `SwitchConfirmed` | `SwitchedBack` |
//! | `Reverting` | `CurrentRemoved` | `Emptied` |
//! | `SwitchedBack` | `CheckPassed` | `Reverted` |
//!
//! A failed or lost command sends no event: the state then names the last confirmed fact about the
//! host. All other pairs are defects of this crate.

/// The state of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostState {
    /// No switch was sent to the host. The release and the services are the same as before.
    Unchanged,
    /// A switch to the new release was sent. Until the host confirms the switch, either release may
    /// be live.
    Switching,
    /// The new release is live. Its services are not restarted, or not checked yet.
    Switched,
    /// The host passed its health check and waits for the other hosts. A failure on another host
    /// still reverts this host.
    Held,
    /// All hosts passed their health checks: the new release is final on this host.
    Promoted,
    /// A switch back was sent. Until the host confirms the switch, either release may be live.
    Reverting,
    /// The earlier release is live again. Its services are not restarted, or not checked yet.
    SwitchedBack,
    /// The earlier release is live again, and the host passed its health check.
    Reverted,
    /// The link to the live release was removed again, since the host had no previous release.
    Emptied,
}

/// An event on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostEvent {
    /// The run sends the command to switch the host to the new release.
    SwitchSent,
    /// The host confirms a switch, in either direction.
    SwitchConfirmed,
    /// The services were restarted, and the host passed its health check.
    CheckPassed,
    /// The rollout is complete on all hosts.
    Promoted,
    /// The run sends the command to switch the host back.
    RevertSent,
    /// The host confirms the removal of the link to the live release.
    CurrentRemoved,
}

impl HostState {
    /// Returns the state after an event, or `None` if the event is impossible in this state.
    pub(super) fn after(self, event: HostEvent) -> Option<Self> {
        Some(match (self, event) {
            (Self::Unchanged, HostEvent::SwitchSent) => Self::Switching,
            (Self::Switching, HostEvent::SwitchConfirmed) => Self::Switched,
            (Self::Switched, HostEvent::CheckPassed) => Self::Held,
            (Self::Held, HostEvent::Promoted) => Self::Promoted,
            (
                Self::Switching | Self::Switched | Self::Held | Self::Reverting | Self::SwitchedBack,
                HostEvent::RevertSent,
            ) => Self::Reverting,
            (Self::Reverting, HostEvent::SwitchConfirmed) => Self::SwitchedBack,
            (Self::Reverting, HostEvent::CurrentRemoved) => Self::Emptied,
            (Self::SwitchedBack, HostEvent::CheckPassed) => Self::Reverted,
            _ => return None,
        })
    }

    /// Returns `true` if a failed rollout must revert the host.
    pub(super) fn needs_revert(self) -> bool {
        self.after(HostEvent::RevertSent).is_some()
    }

    /// Returns `true` if the release and the services of the host are the same as before the
    /// rollout.
    pub(super) fn is_as_before(self) -> bool {
        matches!(self, Self::Unchanged | Self::Reverted)
    }

    /// Returns the state as text for people: `back on 20261103140211`. `old` is the earlier
    /// release, if any.
    pub(super) fn describe(self, new: &str, old: Option<&str>) -> String {
        match (self, old) {
            (Self::Unchanged, _) => "unchanged".to_owned(),
            (Self::Switching | Self::Reverting, Some(old)) => format!("may be on {new} or {old}"),
            (Self::Switching | Self::Reverting, None) => format!("may be on {new}, or have no live release"),
            (Self::Switched, _) => format!("on {new}, services not checked"),
            (Self::Held | Self::Promoted, _) => format!("on {new}"),
            (Self::SwitchedBack, Some(old)) => format!("back on {old}, services not checked"),
            (Self::Reverted, Some(old)) => format!("back on {old}"),
            (Self::SwitchedBack | Self::Reverted, None) | (Self::Emptied, _) => "no live release, as before".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HostEvent as Event, HostState as State};

    const STATES: [State; 9] = [
        State::Unchanged,
        State::Switching,
        State::Switched,
        State::Held,
        State::Promoted,
        State::Reverting,
        State::SwitchedBack,
        State::Reverted,
        State::Emptied,
    ];

    const EVENTS: [Event; 6] = [
        Event::SwitchSent,
        Event::SwitchConfirmed,
        Event::CheckPassed,
        Event::Promoted,
        Event::RevertSent,
        Event::CurrentRemoved,
    ];

    /// A row for each state, with a column for each event.
    #[test]
    fn the_table_defines_every_pair_of_state_and_event() {
        let none = None;
        let reverting = Some(State::Reverting);
        let table = [
            [Some(State::Switching), none, none, none, none, none],
            [none, Some(State::Switched), none, none, reverting, none],
            [none, none, Some(State::Held), none, reverting, none],
            [none, none, none, Some(State::Promoted), reverting, none],
            [none; 6],
            [none, Some(State::SwitchedBack), none, none, reverting, Some(State::Emptied)],
            [none, none, Some(State::Reverted), none, reverting, none],
            [none; 6],
            [none; 6],
        ];
        for (state, row) in STATES.into_iter().zip(table) {
            for (event, expected) in EVENTS.into_iter().zip(row) {
                assert_eq!(state.after(event), expected, "{state:?} after {event:?}");
            }
        }
    }

    #[test]
    fn hosts_between_the_switch_and_the_promotion_need_a_revert() {
        let needing: Vec<State> = STATES.into_iter().filter(|state| state.needs_revert()).collect();
        let expected = [State::Switching, State::Switched, State::Held, State::Reverting, State::SwitchedBack];
        assert_eq!(needing, expected);
    }

    #[test]
    fn unchanged_and_reverted_hosts_are_as_before() {
        let as_before: Vec<State> = STATES.into_iter().filter(|state| state.is_as_before()).collect();
        assert_eq!(as_before, [State::Unchanged, State::Reverted]);
    }

    #[test]
    fn a_description_names_every_release_that_may_be_live() {
        let described = STATES.map(|state| state.describe("2", Some("1")));
        assert_eq!(
            described,
            [
                "unchanged",
                "may be on 2 or 1",
                "on 2, services not checked",
                "on 2",
                "on 2",
                "may be on 2 or 1",
                "back on 1, services not checked",
                "back on 1",
                "no live release, as before",
            ]
        );
        assert_eq!(State::Switching.describe("2", None), "may be on 2, or have no live release");
    }
}
