//! A mail with what came of a deploy, and the list of changes.

use std::sync::Arc;

use fabrs::{Error, ErrorKind, Secret, TaskError};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::notifier::{Notifier, NotifyFuture, notify_error};
use super::report::DeployReport;

/// A mail, by SMTP: the subject says what came of it, the text which host stands where, and which commits it brought.
///
/// ```no_run
/// use fabrs_deploy::{Mail, Site};
///
/// let mail = Mail::from("deploy@example.com").to("dev@example.com").to("ops@example.com");
/// let site = Site::new("/srv/shop").notify(mail.smtp("smtp.example.com"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until a site has it"]
pub struct Mail {
    from: String,
    to: Vec<String>,
    server: Server,
    login: Option<(String, Secret)>,
}

/// The server that takes the mail.
#[derive(Debug, Clone)]
enum Server {
    /// One that speaks TLS from the start.
    Tls(String),
    /// One that begins in the clear and must change to TLS.
    StartTls(String, u16),
    /// One that is spoken to in the clear: on this machine, or behind a tunnel.
    Plaintext(String, u16),
}

impl Mail {
    /// Sends mails from this address, which may have a name before it: `Deploys <deploy@example.com>`.
    pub fn from(address: impl Into<String>) -> Self {
        let server = Server::Plaintext("localhost".to_owned(), 25);
        Self { from: address.into(), to: Vec::new(), server, login: None }
    }

    /// Adds an address that gets them.
    pub fn to(mut self, address: impl Into<String>) -> Self {
        self.to.push(address.into());
        self
    }

    /// Gives them to this server, by TLS on port 465. Without a word it is the one of this machine, in the clear on port 25.
    pub fn smtp(mut self, server: impl Into<String>) -> Self {
        self.server = Server::Tls(server.into());
        self
    }

    /// Gives them to this server, which has to change to TLS before anything is said (`STARTTLS`); usually on port 587.
    pub fn starttls(mut self, server: impl Into<String>, port: u16) -> Self {
        self.server = Server::StartTls(server.into(), port);
        self
    }

    /// Gives them to this server in the clear: anybody on the way can read, and change, them.
    pub fn plaintext(mut self, server: impl Into<String>, port: u16) -> Self {
        self.server = Server::Plaintext(server.into(), port);
        self
    }

    /// Logs in to the server.
    pub fn login(mut self, user: impl Into<String>, password: &Secret) -> Self {
        self.login = Some((user.into(), password.clone()));
        self
    }

    fn message(&self, report: &DeployReport) -> Result<Message, TaskError> {
        let mailbox = |address: &str| {
            address.parse::<Mailbox>().map_err(|source| {
                Error::new(ErrorKind::Usage, format!("`{address}` is no address of a mail")).caused_by(source)
            })
        };
        let mut message = Message::builder().from(mailbox(&self.from)?).subject(report.subject());
        for address in &self.to {
            message = message.to(mailbox(address)?);
        }
        message.body(report.text()).map_err(notify_error)
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, TaskError> {
        type Smtp = AsyncSmtpTransport<Tokio1Executor>;
        let builder = match &self.server {
            Server::Tls(server) => Smtp::relay(server).map_err(notify_error)?,
            Server::StartTls(server, port) => Smtp::starttls_relay(server).map_err(notify_error)?.port(*port),
            Server::Plaintext(server, port) => Smtp::builder_dangerous(server).port(*port),
        };
        Ok(match &self.login {
            Some((user, password)) => {
                builder.credentials(Credentials::new(user.clone(), password.expose().to_owned())).build()
            }
            None => builder.build(),
        })
    }
}

impl Notifier for Mail {
    fn name(&self) -> String {
        format!("mail to {}", self.to.join(", "))
    }

    fn secrets(&self) -> Vec<Secret> {
        self.login.iter().map(|(_, password)| password.clone()).collect()
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        let mail = self.clone();
        Box::pin(async move {
            let message = mail.message(&report)?;
            mail.transport()?.send(message).await.map_err(notify_error)?;
            Ok(())
        })
    }
}
