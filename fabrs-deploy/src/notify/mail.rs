//! The mail notifier: the report of a deploy by SMTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fabrs::{Error, ErrorKind, Secret, TaskError};
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::notifier::{Notifier, NotifyFuture, notify_error};
use super::report::DeployReport;

/// A notifier that sends a mail by SMTP.
///
/// The subject is [`DeployReport::subject`], and the text is [`DeployReport::text`]. Each deploy,
/// promotion, hold and rollback sends a mail, also a failed or cancelled one.
///
/// | server | call |
/// |---|---|
/// | TLS from the start, port 465 | [`smtp`](Self::smtp), or [`tls`](Self::tls) for another port |
/// | `STARTTLS`, port 587 | [`starttls`](Self::starttls) |
/// | no encryption | [`plaintext`](Self::plaintext) |
///
/// With TLS, the certificate must contain the name of the server, and a trusted authority must have
/// signed it. The login and the mail are sent only after the encryption has begun. `plaintext` has
/// no such protection.
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
    ca_certificate: Option<PathBuf>,
}

/// The mail server, with the encryption of the connection.
#[derive(Debug, Clone)]
enum Server {
    /// TLS from the start of the connection.
    Tls(String, u16),
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
        Self { from: address.into(), to: Vec::new(), server, login: None, ca_certificate: None }
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
    /// assert!(format!("{mail:?}").contains("Tls(\"smtp.example.com\", 465)"));
    /// ```
    pub fn smtp(self, server: impl Into<String>) -> Self {
        self.tls(server, 465)
    }

    /// Sends through this server with TLS from the start of the connection.
    ///
    /// ```
    /// # use fabrs_deploy::Mail;
    /// let mail = Mail::from("deploy@example.com")
    ///     .to("dev@example.com")
    ///     .tls("smtp.example.com", 2465);
    /// assert!(format!("{mail:?}").contains("Tls(\"smtp.example.com\", 2465)"));
    /// ```
    pub fn tls(mut self, server: impl Into<String>, port: u16) -> Self {
        self.server = Server::Tls(server.into(), port);
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

    /// Trusts only the certificate authorities in a PEM file, for a server with a private CA. Each
    /// mail reads the file. Defaults to the public authorities.
    ///
    /// ```
    /// # use fabrs_deploy::Mail;
    /// let mail = Mail::from("deploy@example.com")
    ///     .to("dev@example.com")
    ///     .starttls("smtp.example.com", 587)
    ///     .ca_certificate("/etc/ssl/acme-ca.pem");
    /// assert!(format!("{mail:?}").contains("acme-ca.pem"));
    /// ```
    pub fn ca_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_certificate = Some(path.into());
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
        let (server, port, tls) = match &self.server {
            Server::Tls(server, port) => (server, port, Tls::Wrapper(self.tls_parameters(server)?)),
            Server::StartTls(server, port) => (server, port, Tls::Required(self.tls_parameters(server)?)),
            Server::Plaintext(server, port) => (server, port, Tls::None),
        };
        // `dangerous` means no encryption by default. `tls` replaces this default.
        let builder = Smtp::builder_dangerous(server).port(*port).tls(tls);
        Ok(match &self.login {
            Some((user, password)) => {
                builder.credentials(Credentials::new(user.clone(), password.expose().to_owned())).build()
            }
            None => builder.build(),
        })
    }

    fn tls_parameters(&self, server: &str) -> Result<TlsParameters, TaskError> {
        let mut parameters = TlsParameters::builder(server.to_owned());
        if let Some(path) = &self.ca_certificate {
            let only = parameters.certificate_store(CertificateStore::None);
            parameters = only.add_root_certificate(read_certificates(path)?);
        }
        parameters.build().map_err(notify_error)
    }
}

/// Reads the certificates of a PEM file.
fn read_certificates(path: &Path) -> Result<Certificate, Error> {
    let unusable = |source: std::io::Error| {
        let text = format!("could not read the CA certificate `{}`", path.display());
        Error::new(ErrorKind::Local, format!("{text}: {source}"))
    };
    let invalid = || unusable(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file has no PEM certificate"));
    let pem = std::fs::read(path).map_err(unusable)?;
    // lettre accepts a file without any certificate.
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(invalid());
    }
    Certificate::from_pem(&pem).map_err(|_| invalid())
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
