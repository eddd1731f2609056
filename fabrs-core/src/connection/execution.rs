//! [`Execution`]: a started command, direct, under sudo, or with the terminal of this program.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt};

use super::attempt::{StartedAttempt, start};
use super::spec::{CommandSpec, Privilege};
use super::sudo::elevate::elevate;
use crate::error::Result;
use crate::output::Output;

/// A started command: the future of the output.
pub(super) enum Execution {
    /// One attempt on the transport.
    Direct(Box<StartedAttempt>),
    /// Several attempts: under sudo, or with retries.
    Attempts(BoxFuture<'static, Result<Output>>),
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(started) => f.debug_tuple("Direct").field(started).finish(),
            Self::Attempts(_) => f.write_str("Attempts"),
        }
    }
}

/// Starts a command once, without the retry policy.
///
/// # Errors
///
/// [`ErrorKind::Usage`](crate::ErrorKind::Usage) if the line cannot be sent.
pub(super) fn execute(spec: Box<CommandSpec>) -> Result<Execution> {
    spec.check_start()?;
    Ok(match spec.privilege {
        _ if spec.needs_terminal() => Execution::Attempts(on_terminal(spec).boxed()),
        Privilege::Login => Execution::Direct(Box::new(start(spec)?)),
        Privilege::Sudo | Privilege::Validation => Execution::Attempts(elevate(spec).boxed()),
    })
}

/// Runs an interactive command as soon as the terminal is available.
async fn on_terminal(mut spec: Box<CommandSpec>) -> Result<Output> {
    spec.acquire_terminal().await?;
    execute(spec)?.await
}

impl Future for Execution {
    type Output = Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Direct(started) => Pin::new(started).poll(cx),
            Self::Attempts(attempts) => attempts.as_mut().poll(cx),
        }
    }
}
