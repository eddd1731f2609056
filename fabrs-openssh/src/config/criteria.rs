//! The criteria of a `Match` line: parser and evaluation.

use crate::error::Error;
use crate::pattern;

use super::value::Problem;

/// A criterion, optionally negated with `!`.
#[derive(Clone, Debug)]
pub(super) struct Criterion {
    is_negated: bool,
    condition: Condition,
}

#[derive(Clone, Debug)]
enum Condition {
    All,
    /// `final` and `canonical`: true only in the second pass.
    SecondPass {
        requests_second_pass: bool,
    },
    Host(String),
    OriginalHost(String),
    User(String),
    LocalUser(String),
    /// The command, with unexpanded tokens.
    Exec(String),
    Tagged(String),
    /// A criterion of `ssh` that this crate does not evaluate.
    Unsupported(&'static str),
}

/// The values compared with the criteria.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchContext<'a> {
    /// The host to connect to, according to the lines above.
    pub(super) host: &'a str,
    pub(super) original_host: &'a str,
    pub(super) user: &'a str,
    pub(super) local_user: &'a str,
    /// The value of `Tag`, according to the lines above.
    pub(super) tag: &'a str,
    pub(super) is_second_pass: bool,
}

/// The result of a `Match` line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MatchResult {
    pub(super) is_match: bool,
    /// True if the line contains `final`. All files are then read again.
    pub(super) requests_second_pass: bool,
    /// The unsupported criterion, if all other criteria match.
    pub(super) unsupported: Option<&'static str>,
}

/// A function that runs the command of `Match exec`. Returns true on success, and `None` if
/// commands are not allowed.
pub(super) type RunExec<'a> = dyn FnMut(&str) -> Result<Option<bool>, Error> + 'a;

/// Criteria of `ssh` that require the network or the command line.
const UNSUPPORTED: [&str; 4] = ["localnetwork", "version", "command", "sessiontype"];

pub(super) fn parse(arguments: Vec<String>) -> Result<Vec<Criterion>, Problem> {
    let mut criteria = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(word) = arguments.next() {
        let (is_negated, word) = match word.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, word.as_str()),
        };
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name.to_ascii_lowercase(), Some(value.to_owned())),
            None => (word.to_ascii_lowercase(), None),
        };
        let condition = match name.as_str() {
            "all" if criteria.len() > 1 || arguments.len() > 0 => {
                return Err("`all` cannot be combined with other criteria of `Match`".to_owned());
            }
            "all" => Condition::All,
            // `!final` starts a second pass too.
            "final" => Condition::SecondPass { requests_second_pass: true },
            "canonical" => Condition::SecondPass { requests_second_pass: false },
            _ => condition_with_value(&name, || attached.or_else(|| arguments.next()))?,
        };
        criteria.push(Criterion { is_negated, condition });
    }
    if criteria.is_empty() {
        return Err("`Match` needs at least one criterion".to_owned());
    }
    Ok(criteria)
}

fn condition_with_value(name: &str, value: impl FnOnce() -> Option<String>) -> Result<Condition, Problem> {
    let value = || value().filter(|value| !value.is_empty()).ok_or_else(|| format!("`Match {name}` needs a value"));
    Ok(match name {
        "host" => Condition::Host(value()?),
        "originalhost" => Condition::OriginalHost(value()?),
        "user" => Condition::User(value()?),
        "localuser" => Condition::LocalUser(value()?),
        "exec" => Condition::Exec(value()?),
        // An empty list matches a host without a tag.
        "tagged" => Condition::Tagged(value().unwrap_or_default()),
        _ => match UNSUPPORTED.iter().find(|known| **known == name) {
            // `ssh` accepts an empty value here. The value is not used.
            Some(known) if name == "command" => {
                let _ = value();
                Condition::Unsupported(known)
            }
            Some(known) => {
                value()?;
                Condition::Unsupported(known)
            }
            None => return Err(format!("unknown criterion `{name}` of `Match`")),
        },
    })
}

/// Evaluates all criteria. A `final` starts a second pass even if another criterion does not match.
///
/// Like `ssh`, the function runs a command only if the criteria before the command match.
///
/// # Errors
///
/// The errors of `exec`.
pub(super) fn evaluate(
    criteria: &[Criterion],
    context: &MatchContext<'_>,
    exec: &mut RunExec<'_>,
) -> Result<MatchResult, Error> {
    let mut result = MatchResult { is_match: true, requests_second_pass: false, unsupported: None };
    for Criterion { is_negated, condition } in criteria {
        let holds = match condition {
            Condition::All => true,
            Condition::SecondPass { requests_second_pass } => {
                result.requests_second_pass |= requests_second_pass;
                context.is_second_pass
            }
            Condition::Host(list) => pattern::hostname_matches(context.host, list),
            Condition::OriginalHost(list) => pattern::hostname_matches(context.original_host, list),
            Condition::User(list) => pattern::list_matches(context.user, list),
            Condition::LocalUser(list) => pattern::list_matches(context.local_user, list),
            Condition::Tagged(list) => {
                pattern::list_matches(context.tag, list) || (list.is_empty() && context.tag.is_empty())
            }
            Condition::Exec(_) if !result.is_match => continue,
            Condition::Exec(command) => match exec(command)? {
                Some(succeeded) => succeeded,
                None => {
                    result.unsupported = result.unsupported.or(Some("exec"));
                    continue;
                }
            },
            Condition::Unsupported(name) => {
                result.unsupported = result.unsupported.or(Some(name));
                continue;
            }
        };
        result.is_match &= holds != *is_negated;
    }
    if result.is_match {
        result.is_match = result.unsupported.is_none();
    } else {
        result.unsupported = None;
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::{MatchContext, MatchResult, evaluate, parse};

    fn result(words: &str, is_second_pass: bool) -> Result<MatchResult, String> {
        let context = MatchContext {
            host: "Web1.example.com",
            original_host: "web1",
            user: "deploy",
            local_user: "alice",
            tag: "lab",
            is_second_pass,
        };
        let criteria = parse(words.split(' ').map(str::to_owned).collect())?;
        Ok(evaluate(&criteria, &context, &mut |_| Ok(None)).expect("no command runs"))
    }

    #[test]
    fn criteria_must_all_hold() {
        #[track_caller]
        fn case(words: &str, is_match: bool) {
            assert_eq!(result(words, false).map(|result| result.is_match), Ok(is_match), "{words}");
        }
        case("all", true);
        case("!all", false);
        case("host *.EXAMPLE.com", true);
        case("host=*.example.com", true);
        case("originalhost web?", true);
        case("originalhost web1 user root", false);
        case("originalhost web1 user root,dep*", true);
        case("user Deploy", false);
        case("!user root localuser alice", true);
        case("localuser !alice,*", false);
        case("final", false);
        case("!final", true);
        case("!canonical host *", true);
        case("canonical all", false);
        case("tagged lab", true);
        case("tagged l*,home", true);
        case("!tagged home", true);
        case("tagged home", false);
    }

    #[test]
    fn final_starts_a_second_pass_and_matches_in_the_second_pass() {
        let first = result("host nowhere final", false).expect("the line is well formed");
        assert!(first.requests_second_pass && !first.is_match);
        assert!(result("final all", true).expect("the line is well formed").is_match);
        assert!(result("!final", false).expect("the line is well formed").requests_second_pass);
        assert!(!result("canonical", false).expect("the line is well formed").requests_second_pass);
    }

    #[test]
    fn a_command_runs_only_after_matching_criteria() {
        #[track_caller]
        fn case(words: &str, is_match: bool, expected: &[&str]) {
            let context = MatchContext {
                host: "web1",
                original_host: "web1",
                user: "deploy",
                local_user: "ann",
                tag: "",
                is_second_pass: false,
            };
            let criteria = parse(words.split(' ').map(str::to_owned).collect()).expect("the line is well formed");
            let mut commands = Vec::new();
            let mut exec = |command: &str| {
                commands.push(command.to_owned());
                Ok(Some(command == "true"))
            };
            let result = evaluate(&criteria, &context, &mut exec).expect("the commands run");
            assert_eq!((result.is_match, commands), (is_match, expected.iter().map(|&word| word.to_owned()).collect()));
        }
        case("exec true", true, &["true"]);
        case("exec=false", false, &["false"]);
        case("!exec false host web1", true, &["false"]);
        case("host db exec true", false, &[]);
        case("exec false exec true", false, &["false"]);
        case("exec true host db", false, &["true"]);
    }

    #[test]
    fn unsupported_criteria_never_match_and_are_reported_only_if_decisive() {
        #[track_caller]
        fn case(words: &str, named: Option<&str>) {
            let result = result(words, false).expect("the line is well formed");
            assert!(!result.is_match, "{words}");
            assert_eq!(result.unsupported, named, "{words}");
        }
        case("exec true", Some("exec"));
        case("!exec true", Some("exec"));
        case("host web1.* exec true", Some("exec"));
        case("exec true host other", None);
        case("version OpenSSH_9*", Some("version"));
    }

    #[test]
    fn malformed_criteria_are_rejected() {
        for words in ["host", "user ", "flavour sweet", "all host web1", "host web1 user root all"] {
            assert!(result(words, false).is_err(), "{words}");
        }
    }
}
