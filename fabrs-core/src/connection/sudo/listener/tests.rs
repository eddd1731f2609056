//! Tests of [`SudoListener`] with output split between chunks.

use std::sync::Arc;
use std::time::Duration;

use super::sudo_listener::{SudoListener, find_question};
use crate::config::SudoProgram;
use crate::connection::recorder::Recorder;
use crate::connection::sudo::dialog::{DialogMarkers, SudoDialog};
use crate::connection::sudo::password_prompt::PasswordPrompt;
use crate::connection::sudo::refusal::SudoRefusal;
use crate::event::{CaptureSink, Sink, Stream};
use crate::host::Host;
use crate::output::ExitStatus;
use crate::secret::Secret;
use crate::transport::{Answer, CommandOutcome, Completion, OutputReceiver};

const PROMPT: &str = "fabrs-prompt";
const READY: &str = "fabrs-ready";

/// The result of a dialog: the refusal, the shown output, and the number of answers with the end of
/// stdin.
type DialogResult = (Option<SudoRefusal>, String, (usize, bool));

/// Passes a text on stderr to the listener, split at `cut`, and ends the attempt with `code`.
fn run_dialog(in_shell: bool, password: Option<&str>, text: &str, cut: usize, code: u32) -> DialogResult {
    let sink_events = Arc::new(CaptureSink::default());
    let sink: Arc<dyn Sink> = Arc::<CaptureSink>::clone(&sink_events);
    let (recorder, _) = Recorder::new(1, Host::local(), "line".into(), sink, crate::connection::Hide::Nothing, 1024);
    let markers = DialogMarkers {
        program: SudoProgram::Sudo,
        prompt: PasswordPrompt::Marker(PROMPT.to_owned()),
        ready: in_shell.then(|| READY.to_owned()),
    };
    let (mut listener, dialog) =
        SudoListener::new(recorder, markers, password.map(|text| Secret::new(text.to_owned())));
    let mut answer = Answer::default();
    let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
    for chunk in [first, second] {
        listener.receive(Stream::Stderr, chunk, &mut answer);
    }
    listener.ended(&Completion { outcome: CommandOutcome::Exited(ExitStatus::Code(code)), elapsed: Duration::ZERO });
    let shown = sink_events
        .of_kind("output_lines")
        .iter()
        .map(|event| event["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    (SudoDialog::refusal(&dialog).map(|(refusal, _)| refusal), shown, answer.parts())
}

#[track_caller]
fn case(in_shell: bool, password: Option<&str>, text: &str, code: u32, expected: &DialogResult) {
    for cut in 0..=text.len() {
        assert_eq!(&run_dialog(in_shell, password, text, cut, code), expected, "{text:?} cut at {cut}");
    }
}

/// A message of sudo on a host without a resolvable name.
const HOST_WARNING: &str = "sudo: unable to resolve host web1: Name or service not known\n";

#[test]
fn a_password_request_after_other_messages_is_detected_and_hidden() {
    let needed = (Some(SudoRefusal::PasswordNeeded), String::new(), (0, false));
    for first in ["", HOST_WARNING] {
        let text = format!("{first}sudo: a password is required\n");
        case(false, None, &text, 1, &needed);
        case(true, None, &text, 1, &needed);
    }
}

#[test]
fn a_prompt_after_other_messages_is_answered_once() {
    let text = format!("{HOST_WARNING}{PROMPT}{READY}out\n");
    case(true, Some("secret"), &text, 0, &(None, "out\n".to_owned(), (1, true)));
    let text = format!("{HOST_WARNING}{PROMPT}out\n");
    case(false, Some("secret"), &text, 0, &(None, "out\n".to_owned(), (1, true)));
}

#[test]
fn a_second_prompt_means_a_wrong_password() {
    let wrong = (Some(SudoRefusal::PasswordWrong), String::new(), (1, true));
    let text = format!("{PROMPT}Sorry, try again.\n{PROMPT}");
    case(true, Some("secret"), &text, 1, &wrong);
    case(false, Some("secret"), &text, 1, &wrong);
}

#[test]
fn output_and_status_of_the_command_are_kept() {
    let text = "crontab: user ann is not allowed to use this program\n";
    case(false, None, text, 1, &(None, text.to_owned(), (0, false)));
    let text = "sudo: it only looks like it\n";
    case(false, None, text, 0, &(None, text.to_owned(), (0, false)));
    let text = format!("{READY}sudo: a password is required\n");
    let shown = "sudo: a password is required\n".to_owned();
    case(true, None, &text, 1, &(None, shown, (0, true)));
}

#[test]
fn only_an_unfinished_line_of_another_program_is_a_question() {
    assert_eq!(find_question(SudoProgram::Sudo, b"Verification code: ").as_deref(), Some("Verification code:"));
    assert_eq!(
        find_question(SudoProgram::Sudo, b"lecture\nLDAP \x1b[1mPassword: ").as_deref(),
        Some("LDAP \\u{1b}[1mPassword:")
    );
    for none in ["sudo: ", "sudo: unable to resolve host web1: ", "it boils down to:\n", "", "Password"] {
        assert_eq!(find_question(SudoProgram::Sudo, none.as_bytes()), None, "{none}");
    }
}
