//! Runs a command under sudo: first without a password, then, if required, with a password.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::dialog::{DialogMarkers, SharedDialog, SudoDialog};
use super::line::{Authentication, SudoChild, SudoLine};
use super::listener::{CommandInput, SudoListener};
use super::password_prompt::PasswordPrompt;
use super::passwords::{PasswordRequest, Passwords};
use super::refusal::SudoRefusal;
use crate::config::SudoProgram;
use crate::connection::attempt::{Attempt, emit_start, launch, plan_texts};
use crate::connection::context::{ContextError, Rendering};
use crate::connection::finish::finish;
use crate::connection::recorder::take_capture;
use crate::connection::spec::{CommandSpec, Privilege};
use crate::error::{Error, ErrorKind, Result};
use crate::output::{Output, Signal};
use crate::transport::{PlanTexts, StdinSource, random_token};

/// The maximum time that sudo or PAM may wait for an answer to a question other than the password
/// prompt.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of checks without a rejection before a password counts as accepted. The interval
/// between checks is half of [`QUESTION_TIMEOUT`]. PAM delays a rejection by two to three seconds.
const CHECKS_UNTIL_ACCEPTED: u32 = 5;

/// Runs a command under sudo.
///
/// # Cancel safety
///
/// Dropping the future kills the started command.
pub(in crate::connection) async fn elevate(mut spec: Box<CommandSpec>) -> Result<Output> {
    spec.checked_host()?;
    let ready = random_marker()?;
    let line = compose_line(&spec, &ready)?;
    let input = CommandInput::from(spec.take_stdin()?);
    let line = line.redact(&spec.connection.redactor());
    let (host, run) = spec.connection.host_and_run(spec.location)?;
    let (host, run) = (host.clone(), run.clone());
    let passwords = run.extension::<Passwords>();
    let (mut recorder, captured) = emit_start(&spec, &line.shown)?;
    let program = spec.connection.context.sudo().program;
    let request = PasswordRequest { program, host: &host, command: &line.shown, child: line.child };
    // Doas reads a password only from a terminal.
    let can_answer = program == SudoProgram::Sudo || spec.pty.is_some();
    let mut candidate = if can_answer { passwords.needed(request).await } else { None };
    loop {
        let markers = DialogMarkers {
            program,
            prompt: new_password_prompt(program)?,
            ready: (line.child == SudoChild::Shell).then(|| ready.clone()),
        };
        let attempt = prepare_attempt(&spec, &line, &markers, candidate.is_some())?;
        let password = candidate.as_ref().map(|candidate| candidate.password.clone());
        let permit = candidate.as_mut().and_then(|candidate| candidate.permit.take());
        let (listener, dialog) = SudoListener::new(recorder, markers, password.clone());
        let listener = if spec.pty.is_some() { listener.on_pty() } else { listener };
        if let Some(password) = password {
            let (passwords, host) = (Arc::clone(&passwords), host.clone());
            SudoDialog::on_accepted(&dialog, move || {
                passwords.mark_accepted(&host, &password);
                drop(permit);
            });
        }
        let running = launch(&spec, attempt, Box::new(listener.with_input(input.clone())))?;
        let end = tokio::select! {
            end = running => end,
            refusal = unanswered_question(&dialog) => return Err(refusal.into_error(program, &host, &line.shown).at(spec.location)),
        };
        let Some((refusal, refused_attempt)) = SudoDialog::refusal(&dialog) else {
            return finish(&spec, &line.shown.into(), take_capture(&captured), end);
        };
        let located = |error: Error| error.at(spec.location);
        if !refusal.is_password_problem() || !can_answer {
            return Err(located(refusal.into_error(program, &host, &line.shown)));
        }
        candidate = Some(passwords.next(&run, request, candidate.take(), refusal).await.map_err(located)?);
        let Some(returned) = refused_attempt.into_recorder() else {
            return Err(
                Error::new(ErrorKind::Internal, "internal error: a command under sudo lost its recorder").on(&host)
            );
        };
        recorder = returned;
    }
}

/// Returns the refusal if two checks in a row find the same unanswered question, other than the
/// password prompt. Otherwise never returns.
///
/// Meanwhile, a password without a second prompt counts as accepted after a few seconds: a command
/// started by sudo itself may print no output for a long time.
async fn unanswered_question(dialog: &SharedDialog) -> SudoRefusal {
    let mut previous = None;
    let mut checks = 0;
    loop {
        tokio::time::sleep(QUESTION_TIMEOUT / 2).await;
        checks += u32::from(SudoDialog::is_answered(dialog));
        if checks == CHECKS_UNTIL_ACCEPTED {
            SudoDialog::mark_accepted(dialog);
        }
        match (SudoDialog::pending_question(dialog), previous) {
            (Some(now), Some(before)) if now == before => return now,
            (now, _) => previous = now,
        }
    }
}

fn compose_line(spec: &CommandSpec, ready: &str) -> Result<SudoLine> {
    let connection = &spec.connection;
    // On a pty, the end of file is a typed character. If typed before sudo controls the terminal,
    // the character would reach the command as input.
    let context = &connection.context;
    let is_bare = !spec.detached
        && context.is_bare(spec.activation)
        && spec.stdin.is_empty()
        && (spec.pty.is_none() || spec.terminal.is_some());
    let render = |rendering| {
        if spec.privilege == Privilege::Validation {
            return Ok(context.sudo().validate()?);
        }
        let line = spec.compose(rendering)?;
        Ok(context.sudo().elevate(&line, is_bare, ready)?)
    };
    let line = render(Rendering::Sent).and_then(|line| match &spec.display_name {
        Some(shown) => Ok(line.named(shown)),
        None => Ok(line.named(&render(Rendering::Shown)?.shown)),
    });
    line.map_err(|source: ContextError| {
        let error = Error::new(ErrorKind::Usage, format!("`{}` can't be sent", spec.line));
        error.or_on(connection.host()).at(spec.location).caused_by(source)
    })
}

fn prepare_attempt(
    spec: &CommandSpec,
    line: &SudoLine,
    markers: &DialogMarkers,
    has_password: bool,
) -> Result<Attempt> {
    let authentication =
        if has_password { Authentication::Password(&markers.prompt) } else { Authentication::NonInteractive };
    // If sudo starts the command itself without a prompt, no shell of fabrs could end the stdin
    // later.
    let stdin = if line.child == SudoChild::Shell || has_password {
        StdinSource::Answers(Bytes::new())
    } else {
        StdinSource::Empty
    };
    // sudo cannot forward KILL. The script of fabrs kills the process group at HUP.
    Ok(Attempt {
        line: line.command_line(authentication).into(),
        shown: line.shown.as_str().into(),
        plan: sudo_plan_texts(spec, line)?,
        stdin,
        last_signal: Signal::new("HUP"),
    })
}

/// Returns the texts of a planned command, as [`plan_texts`].
fn sudo_plan_texts(spec: &CommandSpec, line: &SudoLine) -> Result<Option<PlanTexts>> {
    let program = spec.connection.context.sudo().program.name();
    let shell_line = || match &spec.display_name {
        None => Ok(line.shown.as_str().into()),
        Some(_) => {
            let shown = spec.compose(Rendering::Shown).map_err(|source| {
                let error = Error::new(ErrorKind::Usage, format!("`{}` can't be sent", spec.line));
                error.or_on(spec.connection.host()).at(spec.location).caused_by(source)
            })?;
            Ok(format!("{program} {shown}").into())
        }
    };
    let short = || match spec.privilege {
        Privilege::Validation => line.shown.as_str().into(),
        _ => format!("{program} {}", spec.line).into(),
    };
    plan_texts(spec, shell_line, short)
}

/// Returns the password prompt of a program, with a random marker for sudo.
fn new_password_prompt(program: SudoProgram) -> Result<PasswordPrompt> {
    match program {
        SudoProgram::Doas => Ok(PasswordPrompt::Doas),
        SudoProgram::Sudo => Ok(PasswordPrompt::Marker(random_marker()?)),
    }
}

/// Returns an unpredictable text.
fn random_marker() -> Result<String> {
    Ok(format!("fabrs-{}", random_token()?))
}
