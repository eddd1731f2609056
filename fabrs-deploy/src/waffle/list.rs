//! [`WaffleList`]: the states of all flags, switches and samples.

use fabrs::event::escape_controls;
use serde::{Deserialize, Serialize};

use crate::table::{render, table};
use crate::waffle::audience::{FlagAudience, FlagRules};

/// The flags, switches and samples of a site, by name: the result of
/// [`HostWaffle::list`](crate::HostWaffle::list).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaffleList {
    /// The flags: on or off for each user.
    pub flags: Vec<FlagState>,
    /// The switches: on or off for the whole site.
    pub switches: Vec<SwitchState>,
    /// The samples: on for a random share of the calls of `sample_is_active`.
    pub samples: Vec<SampleState>,
    /// The version of django-waffle.
    #[serde(skip_serializing, default)]
    pub(super) version: String,
    /// The cache of django-waffle, if each process has its own cache.
    #[serde(skip_serializing)]
    pub(super) private_cache: Option<PrivateCache>,
}

/// The state of a flag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "FlagRow")]
#[non_exhaustive]
pub struct FlagState {
    /// The name.
    pub name: String,
    /// The users that see the flag as on.
    pub audience: FlagAudience,
    /// The stored rules. They have no effect if `audience` is everyone or nobody.
    #[serde(skip)]
    pub(super) rules: FlagRules,
}

/// The state of a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SwitchState {
    /// The name.
    pub name: String,
    /// `true` if the switch is on.
    pub is_on: bool,
}

/// The state of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SampleState {
    /// The name.
    pub name: String,
    /// The percentage of calls with the result `True`.
    pub percent: f64,
}

/// A cache in the memory of each process. `seconds` is the time until an entry expires.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct PrivateCache {
    pub(super) seconds: Option<f64>,
}

/// A flag as printed by the script.
#[derive(Deserialize)]
struct FlagRow {
    name: String,
    everyone: Option<bool>,
    #[serde(flatten)]
    rules: FlagRules,
}

impl From<FlagRow> for FlagState {
    fn from(row: FlagRow) -> Self {
        let audience = match row.everyone {
            Some(true) => FlagAudience::Everyone,
            Some(false) => FlagAudience::Nobody,
            None => row.rules.clone().into(),
        };
        Self { name: row.name, audience, rules: row.rules }
    }
}

impl SwitchState {
    /// Returns `on` or `off`.
    pub(super) fn label(is_on: bool) -> &'static str {
        if is_on { "on" } else { "off" }
    }
}

impl WaffleList {
    /// Returns the list as a table. Control characters are escaped.
    ///
    /// ```
    /// use fabrs_deploy::WaffleList;
    ///
    /// assert_eq!(WaffleList::default().table(), "no flags, switches or samples\n");
    /// ```
    pub fn table(&self) -> String {
        if self.flags.is_empty() && self.switches.is_empty() && self.samples.is_empty() {
            return "no flags, switches or samples\n".to_owned();
        }
        let mut rows = table(["kind", "name", "state"]);
        let flags = self.flags.iter().map(|flag| ("flag", &flag.name, flag.audience.to_string()));
        let switches = self.switches.iter().map(|it| ("switch", &it.name, SwitchState::label(it.is_on).to_owned()));
        let samples = self.samples.iter().map(|sample| ("sample", &sample.name, format!("{} %", sample.percent)));
        for (kind, name, state) in flags.chain(switches).chain(samples) {
            rows.add_row([kind.to_owned(), single_line(name), single_line(&state)]);
        }
        render(&rows)
    }

    /// Returns the flags in a rollout: on for some users, and off for others.
    ///
    /// ```
    /// # use fabrs_deploy::WaffleList;
    /// let list = WaffleList::default();
    /// assert_eq!(list.in_rollout().count(), 0);
    /// ```
    pub fn in_rollout(&self) -> impl Iterator<Item = &FlagState> {
        self.flags.iter().filter(|flag| matches!(flag.audience, FlagAudience::Some(_)))
    }
}

/// Returns a text from the database in one line, with escaped control characters.
pub(super) fn single_line(text: &str) -> String {
    escape_controls(text).replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"{
        "flags": [
            {"name": "old", "everyone": true, "percent": null, "superusers": true, "staff": false,
             "authenticated": false, "groups": [], "users": 0, "languages": [], "rollout": false, "testing": false},
            {"name": "new\u001b[2K\nflag", "everyone": null, "percent": 20.0, "superusers": false, "staff": true,
             "authenticated": false, "groups": ["beta"], "users": 1, "languages": [], "rollout": true, "testing": false}
        ],
        "switches": [{"name": "mail", "is_on": true}],
        "samples": [{"name": "trace", "percent": 0.5}],
        "private_cache": null
    }"#;

    #[test]
    fn the_table_has_one_escaped_line_for_each_name() {
        let list: WaffleList = serde_json::from_str(ROWS).unwrap();
        assert_eq!(
            list.table(),
            "kind    name                state\n\
             flag    old                 everyone\n\
             flag    new\\u{1b}[2K\\nflag  20 %, staff, group beta, 1 user, rollout mode\n\
             switch  mail                on\n\
             sample  trace               0.5 %\n"
        );
    }

    #[test]
    fn only_flags_for_some_users_are_in_a_rollout() {
        let list: WaffleList = serde_json::from_str(ROWS).unwrap();
        assert_eq!(list.in_rollout().map(|flag| flag.name.as_str()).collect::<Vec<_>>(), ["new\u{1b}[2K\nflag"]);
        let json = serde_json::to_value(&list).unwrap();
        assert_eq!(json["flags"][0]["audience"], "everyone");
        assert_eq!(json["flags"][1]["audience"]["some"]["percent"], 20.0);
    }
}
