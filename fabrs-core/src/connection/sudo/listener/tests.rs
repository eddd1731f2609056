//! What is heard of sudo, piece by piece.

use std::sync::Arc;
use std::time::Duration;

use super::super::dialog::{Marks, SudoDialog};
use super::super::prompt::Prompt;
use super::super::refusal::SudoRefusal;
use super::sudo_listener::{SudoListener, question};
use crate::config::SudoProgram;
use crate::connection::recorder::Recorder;
use crate::event::{CaptureSink, Sink, Stream};
use crate::host::Host;
use crate::output::ExitStatus;
use crate::secret::Secret;
use crate::transport::{Answer, CommandOutcome, Completion, OutputReceiver};

const PROMPT: &str = "fabrs-prompt";
const READY: &str = "fabrs-ready";

/// What came of a talk: why sudo refused, what was shown as the command's, and how often something was written.
type Came = (Option<SudoRefusal>, String, (usize, bool));

/// Lets an attempt hear a text on stderr, cut at one place, and then end.
fn hear(in_shell: bool, password: Option<&str>, said: &str, cut: usize, code: u32) -> Came {
    let told = Arc::new(CaptureSink::default());
    let sink: Arc<dyn Sink> = Arc::<CaptureSink>::clone(&told);
    let (recorder, _) = Recorder::new(1, Host::local(), "line".into(), sink, crate::connection::Hide::Nothing, 1024);
    let marks = Marks {
        program: SudoProgram::Sudo,
        prompt: Prompt::Mark(PROMPT.to_owned()),
        ready: in_shell.then(|| READY.to_owned()),
    };
    let (mut listener, talk) = SudoListener::new(recorder, marks, password.map(|text| Secret::new(text.to_owned())));
    let mut answer = Answer::default();
    let (one, other) = said.as_bytes().split_at(cut.min(said.len()));
    for piece in [one, other] {
        listener.receive(Stream::Stderr, piece, &mut answer);
    }
    listener.ended(&Completion { outcome: CommandOutcome::Exited(ExitStatus::Code(code)), elapsed: Duration::ZERO });
    let shown = told
        .of_kind("output_lines")
        .iter()
        .map(|event| event["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    (SudoDialog::refusal(&talk).map(|(refusal, _)| refusal), shown, answer.parts())
}

#[track_caller]
fn case(in_shell: bool, password: Option<&str>, said: &str, code: u32, expected: &Came) {
    for cut in 0..=said.len() {
        assert_eq!(&hear(in_shell, password, said, cut, code), expected, "{said:?} cut at {cut}");
    }
}

/// What sudo says first on a host that does not know its own name.
const NAMELESS: &str = "sudo: unable to resolve host web1: Name or service not known\n";

#[test]
fn that_sudo_wants_a_password_is_heard_behind_what_else_it_reports_and_not_shown() {
    let needed = (Some(SudoRefusal::PasswordNeeded), String::new(), (0, false));
    for first in ["", NAMELESS] {
        let said = format!("{first}sudo: a password is required\n");
        case(false, None, &said, 1, &needed);
        case(true, None, &said, 1, &needed);
    }
}

#[test]
fn a_prompt_is_answered_once_behind_what_else_sudo_reports() {
    let said = format!("{NAMELESS}{PROMPT}{READY}out\n");
    case(true, Some("secret"), &said, 0, &(None, "out\n".to_owned(), (1, true)));
    let said = format!("{NAMELESS}{PROMPT}out\n");
    case(false, Some("secret"), &said, 0, &(None, "out\n".to_owned(), (1, true)));
}

#[test]
fn a_second_prompt_is_not_answered_and_means_that_the_password_is_wrong() {
    let wrong = (Some(SudoRefusal::PasswordWrong), String::new(), (1, true));
    let said = format!("{PROMPT}Sorry, try again.\n{PROMPT}");
    case(true, Some("secret"), &said, 1, &wrong);
    case(false, Some("secret"), &said, 1, &wrong);
}

#[test]
fn what_a_command_says_and_how_it_ends_is_its_own() {
    let said = "crontab: user ann is not allowed to use this program\n";
    case(false, None, said, 1, &(None, said.to_owned(), (0, false)));
    let said = "sudo: it only looks like it\n";
    case(false, None, said, 0, &(None, said.to_owned(), (0, false)));
    let said = format!("{READY}sudo: a password is required\n");
    let shown = "sudo: a password is required\n".to_owned();
    case(true, None, &said, 1, &(None, shown, (0, true)));
}

#[test]
fn a_question_is_one_only_where_somebody_else_than_sudo_waits() {
    assert_eq!(question(SudoProgram::Sudo, b"Verification code: ").as_deref(), Some("Verification code:"));
    assert_eq!(
        question(SudoProgram::Sudo, b"lecture\nLDAP \x1b[1mPassword: ").as_deref(),
        Some("LDAP \\u{1b}[1mPassword:")
    );
    for none in ["sudo: ", "sudo: unable to resolve host web1: ", "it boils down to:\n", "", "Password"] {
        assert_eq!(question(SudoProgram::Sudo, none.as_bytes()), None, "{none}");
    }
}
