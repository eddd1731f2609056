//! The criteria of a `Match` line.

use crate::error::Error;
use crate::pattern;

use super::value::Problem;

/// One criterion, with or without a `!` before it.
#[derive(Clone, Debug)]
pub(super) struct Criterion {
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    All,
    /// `final` and `canonical`: true in the second pass only.
    SecondPass {
        asks_for_it: bool,
    },
    Host(String),
    OriginalHost(String),
    User(String),
    LocalUser(String),
    /// The command, with its tokens.
    Exec(String),
    Tagged(String),
    /// Known to `ssh`, and not evaluated here.
    Unsupported(&'static str),
}

/// What the criteria are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// The host as it would be connected to, by what has been read so far.
    pub(super) host: &'a str,
    pub(super) original_host: &'a str,
    pub(super) user: &'a str,
    pub(super) local_user: &'a str,
    /// The value of `Tag` so far.
    pub(super) tag: &'a str,
    pub(super) second_pass: bool,
}

/// The result of a `Match` line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) matched: bool,
    /// The line has `final`, so all files are read a second time.
    pub(super) wants_second_pass: bool,
    /// The criterion without an evaluation, if it alone kept the line from matching.
    pub(super) unsupported: Option<&'static str>,
}

/// Runs the command of `Match exec`, and returns whether it succeeded; `None` if commands are not run.
pub(super) type Exec<'a> = dyn FnMut(&str) -> Result<Option<bool>, Error> + 'a;

/// Criteria of `ssh` that need the network or a command line.
const UNSUPPORTED: [&str; 4] = ["localnetwork", "version", "command", "sessiontype"];

pub(super) fn parse(arguments: Vec<String>) -> Result<Vec<Criterion>, Problem> {
    let mut criteria = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(word) = arguments.next() {
        let (negated, word) = match word.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, word.as_str()),
        };
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) => (name.to_ascii_lowercase(), Some(value.to_owned())),
            None => (word.to_ascii_lowercase(), None),
        };
        let test = match name.as_str() {
            "all" if criteria.len() > 1 || arguments.len() > 0 => {
                return Err("`all` cannot be combined with other criteria of `Match`".to_owned());
            }
            "all" => Test::All,
            // Negated as well: it asks whether there is one.
            "final" => Test::SecondPass { asks_for_it: true },
            "canonical" => Test::SecondPass { asks_for_it: false },
            _ => with_value(&name, || attached.or_else(|| arguments.next()))?,
        };
        criteria.push(Criterion { negated, test });
    }
    if criteria.is_empty() {
        return Err("`Match` needs at least one criterion".to_owned());
    }
    Ok(criteria)
}

fn with_value(name: &str, value: impl FnOnce() -> Option<String>) -> Result<Test, Problem> {
    let value = || value().filter(|value| !value.is_empty()).ok_or_else(|| format!("`Match {name}` needs a value"));
    Ok(match name {
        "host" => Test::Host(value()?),
        "originalhost" => Test::OriginalHost(value()?),
        "user" => Test::User(value()?),
        "localuser" => Test::LocalUser(value()?),
        "exec" => Test::Exec(value()?),
        // An empty list matches a host without a tag.
        "tagged" => Test::Tagged(value().unwrap_or_default()),
        _ => match UNSUPPORTED.iter().find(|known| **known == name) {
            // The value may be empty, and it does not matter here what it is.
            Some(known) if name == "command" => {
                let _ = value();
                Test::Unsupported(known)
            }
            Some(known) => {
                value()?;
                Test::Unsupported(known)
            }
            None => return Err(format!("`{name}` is no criterion of `Match`")),
        },
    })
}

/// Evaluates all criteria for `subject`: a `final` counts even if another criterion fails. As in `ssh`, a command runs only
/// if the criteria before it match.
///
/// # Errors
///
/// As `exec`.
pub(super) fn evaluate(criteria: &[Criterion], subject: &Subject<'_>, exec: &mut Exec<'_>) -> Result<Verdict, Error> {
    let mut verdict = Verdict { matched: true, wants_second_pass: false, unsupported: None };
    for Criterion { negated, test } in criteria {
        let holds = match test {
            Test::All => true,
            Test::SecondPass { asks_for_it } => {
                verdict.wants_second_pass |= asks_for_it;
                subject.second_pass
            }
            Test::Host(list) => pattern::hostname_matches(subject.host, list),
            Test::OriginalHost(list) => pattern::hostname_matches(subject.original_host, list),
            Test::User(list) => pattern::list_matches(subject.user, list),
            Test::LocalUser(list) => pattern::list_matches(subject.local_user, list),
            Test::Tagged(list) => {
                pattern::list_matches(subject.tag, list) || (list.is_empty() && subject.tag.is_empty())
            }
            Test::Exec(_) if !verdict.matched => continue,
            Test::Exec(command) => match exec(command)? {
                Some(succeeded) => succeeded,
                None => {
                    verdict.unsupported = verdict.unsupported.or(Some("exec"));
                    continue;
                }
            },
            Test::Unsupported(name) => {
                verdict.unsupported = verdict.unsupported.or(Some(name));
                continue;
            }
        };
        verdict.matched &= holds != *negated;
    }
    if verdict.matched {
        verdict.matched = verdict.unsupported.is_none();
    } else {
        verdict.unsupported = None;
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::{Subject, Verdict, evaluate, parse};

    fn verdict(words: &str, second_pass: bool) -> Result<Verdict, String> {
        let subject = Subject {
            host: "Web1.example.com",
            original_host: "web1",
            user: "deploy",
            local_user: "alice",
            tag: "lab",
            second_pass,
        };
        let criteria = parse(words.split(' ').map(str::to_owned).collect())?;
        Ok(evaluate(&criteria, &subject, &mut |_| Ok(None)).expect("no command runs"))
    }

    #[test]
    fn criteria_must_all_hold() {
        #[track_caller]
        fn case(words: &str, matched: bool) {
            assert_eq!(verdict(words, false).map(|verdict| verdict.matched), Ok(matched), "{words}");
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
    fn final_asks_for_a_second_pass_and_holds_in_it() {
        let first = verdict("host nowhere final", false).expect("the line is well formed");
        assert!(first.wants_second_pass && !first.matched);
        assert!(verdict("final all", true).expect("the line is well formed").matched);
        assert!(verdict("!final", false).expect("the line is well formed").wants_second_pass);
        assert!(!verdict("canonical", false).expect("the line is well formed").wants_second_pass);
    }

    #[test]
    fn a_command_runs_only_after_criteria_that_match() {
        #[track_caller]
        fn case(words: &str, matched: bool, expected: &[&str]) {
            let subject = Subject {
                host: "web1",
                original_host: "web1",
                user: "deploy",
                local_user: "ann",
                tag: "",
                second_pass: false,
            };
            let criteria = parse(words.split(' ').map(str::to_owned).collect()).expect("the line is well formed");
            let mut commands = Vec::new();
            let mut exec = |command: &str| {
                commands.push(command.to_owned());
                Ok(Some(command == "true"))
            };
            let verdict = evaluate(&criteria, &subject, &mut exec).expect("the commands run");
            assert_eq!((verdict.matched, commands), (matched, expected.iter().map(|&word| word.to_owned()).collect()));
        }
        case("exec true", true, &["true"]);
        case("exec=false", false, &["false"]);
        case("!exec false host web1", true, &["false"]);
        case("host db exec true", false, &[]);
        case("exec false exec true", false, &["false"]);
        case("exec true host db", false, &["true"]);
    }

    #[test]
    fn what_cannot_be_evaluated_never_matches_and_is_named_only_when_it_decides() {
        #[track_caller]
        fn case(words: &str, named: Option<&str>) {
            let verdict = verdict(words, false).expect("the line is well formed");
            assert!(!verdict.matched, "{words}");
            assert_eq!(verdict.unsupported, named, "{words}");
        }
        case("exec true", Some("exec"));
        case("!exec true", Some("exec"));
        case("host web1.* exec true", Some("exec"));
        case("exec true host other", None);
        case("version OpenSSH_9*", Some("version"));
    }

    #[test]
    fn lines_without_sense_are_refused() {
        for words in ["host", "user ", "flavour sweet", "all host web1", "host web1 user root all"] {
            assert!(verdict(words, false).is_err(), "{words}");
        }
    }
}
