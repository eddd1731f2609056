//! One command under sudo: first without a password, then, where sudo wants one, with it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::attempt::{Attempt, announce, launch};
use super::super::context::{ContextError, Rendering};
use super::super::finish::finish;
use super::super::recorder::take;
use super::super::spec::{Privilege, Spec};
use super::dialog::{Marks, SharedDialog, SudoDialog};
use super::line::{Ask, Elevated, Starts};
use super::listener::{CommandInput, SudoListener};
use super::passwords::{Passwords, Wanted};
use super::prompt::Prompt;
use super::refusal::SudoRefusal;
use crate::config::SudoProgram;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{Output, Signal};
use crate::transport::{StdinSource, random_token};

/// How long sudo, or PAM, may wait for an answer to a question that is not the one for the password.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many halves of [`PATIENCE`] sudo has to find a password wrong; PAM delays that by two seconds or three.
const TICKS_TO_REFUSE: u32 = 5;

/// Runs a command under sudo.
///
/// # Cancel safety
///
/// Dropped, it ends what has started.
pub(in crate::connection) async fn elevate(mut spec: Box<Spec>) -> Result<Output> {
    spec.place()?;
    let ready = mark()?;
    let line = compose(&spec, &ready)?;
    let input = CommandInput::from(spec.take_stdin()?);
    let line = line.without(&spec.connection.redactor());
    let (host, run) = spec.connection.host_and_run(spec.location)?;
    let (host, run) = (host.clone(), run.clone());
    let passwords = run.extension::<Passwords>();
    let (mut recorder, captured) = announce(&spec, &line.shown)?;
    let program = spec.connection.frame.sudo().program;
    let wanted = Wanted { program, host: &host, command: &line.shown, starts: line.starts };
    // Doas reads a password from a terminal alone.
    let can_answer = program == SudoProgram::Sudo || spec.pty.is_some();
    let mut candidate = if can_answer { passwords.known_to_be_needed(wanted).await } else { None };
    loop {
        let marks =
            Marks { program, prompt: prompt(program)?, ready: (line.starts == Starts::Shell).then(|| ready.clone()) };
        let attempt = attempt(&line, &marks, candidate.is_some());
        let password = candidate.as_ref().map(|candidate| candidate.password.clone());
        let turn = candidate.as_mut().and_then(|candidate| candidate.turn.take());
        let (listener, talk) = SudoListener::new(recorder, marks, password.clone());
        let listener = if spec.pty.is_some() { listener.on_pty() } else { listener };
        if let Some(password) = password {
            let (passwords, host) = (Arc::clone(&passwords), host.clone());
            SudoDialog::when_taken(&talk, move || {
                passwords.proven(&host, &password);
                drop(turn);
            });
        }
        let running = launch(&spec, attempt, Box::new(listener.with_input(input.clone())))?;
        let end = tokio::select! {
            end = running => end,
            refusal = unanswered(&talk) => return Err(refusal.into_error(program, &host, &line.shown).at(spec.location)),
        };
        let Some((refusal, unfinished)) = SudoDialog::refusal(&talk) else {
            return finish(&spec, &line.shown.into(), take(&captured), end);
        };
        let refused = |error: Error| error.at(spec.location);
        if !refusal.is_about_the_password() || !can_answer {
            return Err(refused(refusal.into_error(program, &host, &line.shown)));
        }
        candidate = Some(passwords.next(&run, wanted, candidate.take(), refusal).await.map_err(refused)?);
        let Some(again) = unfinished.into_recorder() else {
            return Err(Error::new(ErrorKind::Internal, "a command under sudo lost its recorder").on(&host));
        };
        recorder = again;
    }
}

/// Waits until a question has stood for a while that is not the one for the password; meanwhile takes a password for good
/// that was not asked for again, since a command that sudo starts itself may be silent for long.
async fn unanswered(talk: &SharedDialog) -> SudoRefusal {
    let mut stood = None;
    let mut since_answer = 0;
    loop {
        tokio::time::sleep(PATIENCE / 2).await;
        since_answer += u32::from(SudoDialog::is_answered(talk));
        if since_answer == TICKS_TO_REFUSE {
            SudoDialog::taken(talk);
        }
        match (SudoDialog::question(talk), stood) {
            (Some(now), Some(before)) if now == before => return now,
            (now, _) => stood = now,
        }
    }
}

fn compose(spec: &Spec, ready: &str) -> Result<Elevated> {
    let connection = &spec.connection;
    // An end of file that is typed before sudo has taken the terminal over would reach the command as a character.
    let frame = &connection.frame;
    let bare = !spec.detached
        && frame.is_bare(spec.inside)
        && spec.input.is_nothing()
        && (spec.pty.is_none() || spec.seat.is_some());
    let elevated = |form| {
        if spec.under == Privilege::Validation {
            return Ok(frame.sudo().validate()?);
        }
        let line = spec.compose(form)?;
        Ok(frame.sudo().elevate(&line, bare, ready)?)
    };
    let line = elevated(Rendering::Sent).and_then(|line| match &spec.shown {
        Some(shown) => Ok(line.named(shown)),
        None => Ok(line.named(&elevated(Rendering::Shown)?.shown)),
    });
    line.map_err(|source: ContextError| {
        let error = Error::new(ErrorKind::Usage, format!("`{}` can't be sent", spec.line));
        error.or_on(connection.host()).at(spec.location).caused_by(source)
    })
}

fn attempt(line: &Elevated, marks: &Marks, has_password: bool) -> Attempt {
    let ask = if has_password { Ask::By(&marks.prompt) } else { Ask::Never };
    // Where sudo starts the command itself and asks for nothing, there is nobody to tell that its input is over.
    let stdin = if line.starts == Starts::Shell || has_password {
        StdinSource::Answers(Bytes::new())
    } else {
        StdinSource::Empty
    };
    // KILL can't be passed on by sudo; our script takes HUP for it.
    Attempt {
        line: line.command(ask).into(),
        shown: line.shown.as_str().into(),
        stdin,
        last_signal: Signal::new("HUP"),
    }
}

/// Returns how the prompt of a program will be recognised.
fn prompt(program: SudoProgram) -> Result<Prompt> {
    match program {
        SudoProgram::Doas => Ok(Prompt::Doas),
        SudoProgram::Sudo => Ok(Prompt::Mark(mark()?)),
    }
}

/// Returns a text that nobody can foresee.
fn mark() -> Result<String> {
    Ok(format!("fabrs-{}", random_token()?))
}
