//! The mail notifier: the report of a deploy by SMTP.

use std::sync::Arc;

use fabrs::{Error, ErrorKind, Secret, TaskError};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::notifier::{Notifier, NotifyFuture, notify_error};
use super::report::DeployReport;

/// A notifier that sends a mail by SMTP.
///
/// The subject is [`DeployReport::subject`], and the text is [`DeployReport::text`].
///
/// ```
/// use fabrs_deploy::{Mail, Notifier, Site};
///
/// let mail = Mail::from("deploy@example.com").to("dev@example.com").smtp("smtp.example.com");
/// assert_eq!(mail.name(), "mail to dev@example.com");
/// let site = Site::new("/srv/shop").notify(mail);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a mail notifier does nothing until `Site::notify` adds it to a site"]
pub struct Mail {
    from: String,
    to: Vec<String>,
    server: Server,
    login: Option<(String, Secret)>,
}

/// The mail server, with the encryption of the connection.
#[derive(Debug, Clone)]
enum Server {
    /// TLS from the start of the connection.
    Tls(String),
    /// A plaintext connection that must switch to TLS before the login.
    StartTls(String, u16),
    /// No encryption: for a server on this machine, or behind a tunnel.
    Plaintext(String, u16),
}

impl Mail {
    /// Creates a notifier with this sender, such as `deploy@example.com` or
    /// `Deploys <deploy@example.com>`.
    ///
    /// An invalid address causes a warning when the mail is sent.
    ///
    /// ```
    /// # use fabrs_deploy::{Mail, Notifier};
    /// let mail = Mail::from("Deploys <deploy@example.com>").to("dev@example.com");
    /// assert_eq!(mail.name(), "mail to dev@example.com");
    /// ```
    pub fn from(address: impl Into<String>) -> Self {
        let server = Server::Plaintext("localhost".to_owned(), 25);
        Self { from: address.into(), to: Vec::new(), server, login: None }
    }

    /// Adds a recipient.
    ///
    /// ```
    /// # use fabrs_deploy::{Mail, Notifier};
    /// let mail = Mail::from("deploy@example.com").to("dev@example.com").to("ops@example.com");
    /// assert_eq!(mail.name(), "mail to dev@example.com, ops@example.com");
    /// ```
    pub fn to(mut self, address: impl Into<String>) -> Self {
        self.to.push(address.into());
        self
    }

    /// Sends through this server with TLS on port 465. Defaults to the server of this machine,
    /// without encryption on port 25.
    ///
    /// ```
    /// # use fabrs_deploy::Mail;
    /// let mail = Mail::from("deploy@example.com").to("dev@example.com").smtp("smtp.example.com");
    /// assert!(format!("{mail:?}").contains("Tls(\"smtp.example.com\")"));
    /// ```
    pub fn smtp(mut self, server: impl Into<String>) -> Self {
        self.server = Server::Tls(server.into());
        self
    }

    /// Sends through this server with `STARTTLS`, usually on port 587. A server without `STARTTLS`
    /// is an error.
    ///
    /// ```
    /// # use fabrs_deploy::Mail;
    /// let mail = Mail::from("deploy@example.com")
    ///     .to("dev@example.com")
    ///     .starttls("smtp.example.com", 587);
    /// assert!(format!("{mail:?}").contains("StartTls(\"smtp.example.com\", 587)"));
    /// ```
    pub fn starttls(mut self, server: impl Into<String>, port: u16) -> Self {
        self.server = Server::StartTls(server.into(), port);
        self
    }

    /// Sends through this server without encryption. Everybody on the network path can read and
    /// change the mail and the password.
    ///
    /// ```
    /// # use fabrs_deploy::Mail;
    /// let mail = Mail::from("deploy@example.com")
    ///     .to("dev@example.com")
    ///     .plaintext("localhost", 1025);
    /// assert!(format!("{mail:?}").contains("Plaintext(\"localhost\", 1025)"));
    /// ```
    pub fn plaintext(mut self, server: impl Into<String>, port: u16) -> Self {
        self.server = Server::Plaintext(server.into(), port);
        self
    }

    /// Sets the user and the password for the login at the server.
    ///
    /// ```
    /// # use fabrs_deploy::{Mail, Notifier};
    /// let password = fabrs::Secret::new("correct horse");
    /// let mail = Mail::from("deploy@example.com")
    ///     .smtp("smtp.example.com")
    ///     .login("deploy", &password);
    /// assert_eq!(mail.secrets().len(), 1);
    /// ```
    pub fn login(mut self, user: impl Into<String>, password: &Secret) -> Self {
        self.login = Some((user.into(), password.clone()));
        self
    }

    fn message(&self, report: &DeployReport) -> Result<Message, TaskError> {
        let mailbox = |address: &str| {
            address.parse::<Mailbox>().map_err(|source| {
                Error::new(ErrorKind::Usage, format!("invalid mail address `{address}`")).caused_by(source)
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
