//! Time limits of a login for answers of the server and the agent. Prompts have no limit.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::mutex::lock;

/// The time for a confirmation on another device. Equal to the default `LoginGraceTime` of sshd.
pub(super) const CONFIRMATION_TIMEOUT: Duration = Duration::from_mins(2);

/// A timer for the answers during a login.
#[derive(Debug)]
pub(super) struct LoginTimer {
    limit: Duration,
    signature_limit: Duration,
    /// The side whose answer is pending, and the start of the wait.
    waiting: Mutex<(WaitingFor, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitingFor {
    Server,
    /// The server checks a password, and a person may have to confirm the login.
    Confirmation,
    Agent,
    /// The agent signs, and a person may have to confirm the signature.
    Signature,
    Person,
}

impl WaitingFor {
    fn is_agent(self) -> bool {
        matches!(self, Self::Agent | Self::Signature)
    }
}

/// An error: the server or the agent exceeded its time limit.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the {} did not answer within {limit:?}", if side.is_agent() { "agent" } else { "server" })]
pub(super) struct LoginTimeout {
    side: WaitingFor,
    limit: Duration,
}

impl LoginTimeout {
    pub(super) fn is_agent(&self) -> bool {
        self.side.is_agent()
    }
}

impl LoginTimer {
    /// Creates a timer with a limit for each answer and a limit for each signature of the agent.
    pub(super) fn new(limit: Duration, signature_limit: Duration) -> Self {
        Self { limit, signature_limit, waiting: Mutex::new((WaitingFor::Server, Instant::now())) }
    }

    /// Waits for an answer of the server.
    ///
    /// # Errors
    ///
    /// [`LoginTimeout`] if the server or the agent exceeds its limit.
    pub(super) async fn server<T>(&self, answer: impl Future<Output = T>) -> Result<T, LoginTimeout> {
        self.wait(WaitingFor::Server, answer).await
    }

    /// Waits for an answer of the server with a confirmation by a person, such as on a phone.
    ///
    /// # Errors
    ///
    /// As [`server`](Self::server).
    pub(super) async fn confirmed_server<T>(&self, answer: impl Future<Output = T>) -> Result<T, LoginTimeout> {
        self.wait(WaitingFor::Confirmation, answer).await
    }

    /// Waits for an answer of the agent.
    ///
    /// # Errors
    ///
    /// As [`server`](Self::server).
    pub(super) async fn agent<T>(&self, answer: impl Future<Output = T>) -> Result<T, LoginTimeout> {
        self.wait(WaitingFor::Agent, answer).await
    }

    /// Waits for a signature of the agent. Meanwhile, the limit of the agent replaces the limit of
    /// the server.
    pub(super) async fn while_signing<T>(&self, answer: impl Future<Output = T>) -> T {
        self.while_waiting_for(WaitingFor::Signature, answer).await
    }

    /// Waits for the answer to a prompt, without a limit.
    pub(super) async fn while_asking<T>(&self, answer: impl Future<Output = T>) -> T {
        self.while_waiting_for(WaitingFor::Person, answer).await
    }

    async fn while_waiting_for<T>(&self, side: WaitingFor, answer: impl Future<Output = T>) -> T {
        self.start(side);
        let answer = answer.await;
        self.start(WaitingFor::Server);
        answer
    }

    async fn wait<T>(&self, side: WaitingFor, answer: impl Future<Output = T>) -> Result<T, LoginTimeout> {
        self.start(side);
        let mut answer = std::pin::pin!(answer);
        loop {
            let (side, since) = self.waiting();
            let limit = match side {
                WaitingFor::Signature => self.signature_limit,
                WaitingFor::Confirmation => self.limit.max(CONFIRMATION_TIMEOUT),
                WaitingFor::Server | WaitingFor::Agent | WaitingFor::Person => self.limit,
            };
            let until = if side == WaitingFor::Person { Instant::now() } else { since } + limit;
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                () = sleep_until(until) => {}
            }
            if side != WaitingFor::Person && self.waiting() == (side, since) {
                return Err(LoginTimeout { side, limit });
            }
        }
    }

    fn start(&self, side: WaitingFor) {
        *lock(&self.waiting) = (side, Instant::now());
    }

    fn waiting(&self) -> (WaitingFor, Instant) {
        *lock(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::LoginTimer;

    fn timer() -> LoginTimer {
        LoginTimer::new(Duration::from_secs(3), Duration::from_mins(2))
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_names_the_server_or_the_agent() {
        let timer = timer();
        let server = timer.server(pending::<()>()).await.expect_err("it never answers");
        assert_eq!(server.to_string(), "the server did not answer within 3s");
        let agent = timer.agent(pending::<()>()).await.expect_err("it never answers");
        assert_eq!(agent.to_string(), "the agent did not answer within 3s");
        let signing = timer.server(timer.while_signing(pending::<()>())).await.expect_err("it never signs");
        assert_eq!(signing.to_string(), "the agent did not answer within 120s");
    }

    #[tokio::test(start_paused = true)]
    async fn prompts_have_no_timeout() {
        let timer = timer();
        let login = async {
            timer.while_asking(sleep(Duration::from_hours(1))).await;
            sleep(Duration::from_secs(2)).await;
            timer.while_signing(sleep(Duration::from_mins(1))).await;
        };
        timer.server(login).await.expect("each side answers in time");
    }
}
