//! Time limits of a login: how long the server and the agent may take to answer. Prompts have no limit.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::mutex::lock;

/// How long a person has to confirm a login elsewhere: sshd's own `LoginGraceTime`.
pub(super) const CONFIRMATION: Duration = Duration::from_mins(2);

/// Limits the time that a login waits for one answer.
#[derive(Debug)]
pub(super) struct AnswerClock {
    limit: Duration,
    signature_limit: Duration,
    /// The side that is waited for, and since when.
    waiting: Mutex<(Side, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Server,
    /// The server checks a password, and may ask a person to confirm the login.
    Confirmation,
    Agent,
    /// The agent has a signature to make, and may ask a person to confirm it.
    Signature,
    Person,
}

impl Side {
    fn is_agent(self) -> bool {
        matches!(self, Self::Agent | Self::Signature)
    }
}

/// A side that did not answer in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the {} did not answer within {limit:?}", if side.is_agent() { "agent" } else { "server" })]
pub(super) struct Silent {
    side: Side,
    limit: Duration,
}

impl Silent {
    pub(super) fn is_agent(&self) -> bool {
        self.side.is_agent()
    }
}

impl AnswerClock {
    /// Makes a clock with a limit for each answer, and one for each signature of the agent.
    pub(super) fn new(limit: Duration, signature_limit: Duration) -> Self {
        Self { limit, signature_limit, waiting: Mutex::new((Side::Server, Instant::now())) }
    }

    /// Waits for an answer of the server, within the limit.
    ///
    /// # Errors
    ///
    /// [`Silent`] if the server or the agent exceeds its limit.
    pub(super) async fn server<T>(&self, answer: impl Future<Output = T>) -> Result<T, Silent> {
        self.wait(Side::Server, answer).await
    }

    /// Waits for an answer of the server that a person may have to confirm elsewhere, such as on a phone.
    ///
    /// # Errors
    ///
    /// As [`server`](Self::server).
    pub(super) async fn confirmed_server<T>(&self, answer: impl Future<Output = T>) -> Result<T, Silent> {
        self.wait(Side::Confirmation, answer).await
    }

    /// Waits for an answer of the agent, within the limit.
    ///
    /// # Errors
    ///
    /// As [`server`](Self::server).
    pub(super) async fn agent<T>(&self, answer: impl Future<Output = T>) -> Result<T, Silent> {
        self.wait(Side::Agent, answer).await
    }

    /// Waits for a signature of the agent. The signature limit replaces the server's limit meanwhile.
    pub(super) async fn while_signing<T>(&self, answer: impl Future<Output = T>) -> T {
        self.instead(Side::Signature, answer).await
    }

    /// Waits for a person's answer. No limit applies meanwhile.
    pub(super) async fn while_asking<T>(&self, answer: impl Future<Output = T>) -> T {
        self.instead(Side::Person, answer).await
    }

    async fn instead<T>(&self, side: Side, answer: impl Future<Output = T>) -> T {
        self.start(side);
        let answer = answer.await;
        self.start(Side::Server);
        answer
    }

    async fn wait<T>(&self, side: Side, answer: impl Future<Output = T>) -> Result<T, Silent> {
        self.start(side);
        let mut answer = std::pin::pin!(answer);
        loop {
            let (side, since) = self.waiting();
            let limit = match side {
                Side::Signature => self.signature_limit,
                Side::Confirmation => self.limit.max(CONFIRMATION),
                Side::Server | Side::Agent | Side::Person => self.limit,
            };
            let until = if side == Side::Person { Instant::now() } else { since } + limit;
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                () = sleep_until(until) => {}
            }
            if side != Side::Person && self.waiting() == (side, since) {
                return Err(Silent { side, limit });
            }
        }
    }

    fn start(&self, side: Side) {
        *lock(&self.waiting) = (side, Instant::now());
    }

    fn waiting(&self) -> (Side, Instant) {
        *lock(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::AnswerClock;

    fn clock() -> AnswerClock {
        AnswerClock::new(Duration::from_secs(3), Duration::from_mins(2))
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_names_the_server_or_the_agent() {
        let clock = clock();
        let server = clock.server(pending::<()>()).await.expect_err("it never answers");
        assert_eq!(server.to_string(), "the server did not answer within 3s");
        let agent = clock.agent(pending::<()>()).await.expect_err("it never answers");
        assert_eq!(agent.to_string(), "the agent did not answer within 3s");
        let signing = clock.server(clock.while_signing(pending::<()>())).await.expect_err("it never signs");
        assert_eq!(signing.to_string(), "the agent did not answer within 120s");
    }

    #[tokio::test(start_paused = true)]
    async fn prompts_have_no_timeout() {
        let clock = clock();
        let login = async {
            clock.while_asking(sleep(Duration::from_hours(1))).await;
            sleep(Duration::from_secs(2)).await;
            clock.while_signing(sleep(Duration::from_mins(1))).await;
        };
        clock.server(login).await.expect("each side answers in time");
    }
}
