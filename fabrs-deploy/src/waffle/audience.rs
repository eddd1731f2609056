//! [`FlagAudience`]: the users that see a flag as on.

use std::fmt;
use std::str::FromStr;

use fabrs::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// The users that see a flag as on: all, none or some.
///
/// The argument of a task is parsed from `everyone`, `off`, or a list of the rules `staff`,
/// `superusers` and a percentage from 1 to 99: `20%`, `20%,staff`.
///
/// ```
/// use fabrs_deploy::{FlagAudience, FlagRules};
///
/// let mut rules = FlagRules::default();
/// (rules.staff, rules.percent) = (true, Some(20.0));
/// assert_eq!(FlagAudience::from(rules).to_string(), "20 %, staff");
/// assert_eq!("20%,staff".parse::<FlagAudience>()?.to_string(), "20 %, staff");
/// assert_eq!(FlagAudience::from(FlagRules::default()), FlagAudience::Nobody);
/// # Ok::<(), fabrs::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FlagAudience {
    /// On for all users.
    Everyone,
    /// Off for all users.
    Nobody,
    /// On for some users.
    Some(FlagRules),
}

/// The rules of a flag. The flag is on for users that match at least one rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlagRules {
    /// The percentage of users, selected at random. A cookie stores the result for each user.
    pub percent: Option<f64>,
    /// On for superusers.
    pub superusers: bool,
    /// On for staff.
    pub staff: bool,
    /// On for logged-in users.
    pub authenticated: bool,
    /// On for the members of these groups.
    pub groups: Vec<String>,
    /// The number of users listed in the flag.
    #[serde(rename = "users")]
    pub user_count: usize,
    /// On for users of these languages.
    pub languages: Vec<String>,
    /// Rollout mode: in each browser session, django-waffle draws again for users outside the
    /// percentage.
    pub rollout: bool,
    /// Testing mode: a parameter of the URL turns the flag on or off.
    pub testing: bool,
}

impl FlagRules {
    /// Returns one text for each rule.
    fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = self.percent.iter().map(|percent| format!("{percent} %")).collect();
        let marks = [(self.superusers, "superusers"), (self.staff, "staff"), (self.authenticated, "logged-in users")];
        labels.extend(marks.into_iter().filter(|(is_set, _)| *is_set).map(|(_, label)| label.to_owned()));
        labels.extend(self.groups.iter().map(|group| format!("group {group}")));
        match self.user_count {
            0 => {}
            1 => labels.push("1 user".to_owned()),
            count => labels.push(format!("{count} users")),
        }
        labels.extend(self.languages.iter().map(|language| format!("language {language}")));
        if self.rollout && self.percent.is_some() {
            labels.push("rollout mode".to_owned());
        }
        if self.testing {
            labels.push("testing mode".to_owned());
        }
        labels
    }
}

impl From<FlagRules> for FlagAudience {
    /// Rules that match no user result in [`FlagAudience::Nobody`].
    fn from(rules: FlagRules) -> Self {
        if rules.labels().is_empty() { Self::Nobody } else { Self::Some(rules) }
    }
}

impl FromStr for FlagAudience {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "everyone" => return Ok(Self::Everyone),
            "off" => return Ok(Self::Nobody),
            _ => {}
        }
        let mut rules = FlagRules::default();
        for rule in text.split(',').map(str::trim) {
            match rule {
                "staff" => rules.staff = true,
                "superusers" => rules.superusers = true,
                _ => rules.percent = Some(percent(rule).ok_or_else(|| invalid(text))?.into()),
            }
        }
        Ok(Self::Some(rules))
    }
}

/// Parses a percentage from 1 to 99, such as `20%` or `20 %`.
fn percent(rule: &str) -> Option<u8> {
    rule.strip_suffix('%')?.trim_end().parse().ok().filter(|percent| (1..=99).contains(percent))
}

fn invalid(text: &str) -> Error {
    let error = Error::new(ErrorKind::Usage, format!("invalid audience `{text}`"));
    error.hint("use `everyone`, `off`, or a list of `staff`, `superusers` and a percentage from `1%` to `99%`")
}

impl fmt::Display for FlagAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::Nobody => f.write_str("off"),
            Self::Some(rules) => f.write_str(&rules.labels().join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_lists_its_rules() {
        let rules = FlagRules {
            percent: Some(12.5),
            superusers: true,
            authenticated: true,
            groups: vec!["beta".to_owned()],
            user_count: 2,
            languages: vec!["de".to_owned()],
            rollout: true,
            testing: true,
            ..FlagRules::default()
        };
        let shown = "12.5 %, superusers, logged-in users, group beta, 2 users, language de, rollout mode, testing mode";
        assert_eq!(FlagAudience::from(rules).to_string(), shown);
    }

    #[test]
    fn an_audience_is_parsed_from_its_display() {
        for text in ["everyone", "off", "staff", "20 %", "20 %, superusers, staff"] {
            assert_eq!(text.parse::<FlagAudience>().unwrap().to_string(), text);
        }
        assert_eq!("20%,staff".parse::<FlagAudience>().unwrap().to_string(), "20 %, staff");
        for text in ["", "Staff", "20", "0%", "100%", "-1%", "1.5%", "staff,", "everyone,staff", "off,20%"] {
            assert_eq!(text.parse::<FlagAudience>().unwrap_err().kind(), ErrorKind::Usage, "{text}");
        }
    }

    #[test]
    fn rollout_mode_without_a_percentage_has_no_users() {
        let rules = FlagRules { rollout: true, ..FlagRules::default() };
        assert_eq!(FlagAudience::from(rules), FlagAudience::Nobody);
    }
}
