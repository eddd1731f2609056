//! The Slack notifier: a message with the state of each host and the commits.

use std::path::PathBuf;
use std::sync::Arc;

use fabrs::Secret;
use serde_json::{Value, json};

use super::http::{HttpClient, host_of};
use super::notifier::{Notifier, NotifyFuture};
use super::report::{DeployAction, DeployOutcome, DeployReport};
use super::short_text::{shorten, shorten_lines};

/// The maximum length of the first line.
const MAX_SUBJECT_LETTERS: usize = 300;

/// The maximum length of the details before the escape. Slack truncates a text of more than 4,000
/// characters, and Rocket.Chat rejects a message of more than 5,000.
const MAX_DETAIL_LETTERS: usize = 2_500;

/// A notifier that posts a message to an incoming webhook of Slack. Mattermost and Rocket.Chat
/// accept the same messages.
///
/// The message is [`DeployReport::subject`], with [`DeployReport::text`] as an attachment. A long
/// list of commits is shortened.
///
/// | outcome | color |
/// |---|---|
/// | a deploy or a promotion is live | green |
/// | a rollback is live | yellow |
/// | held | blue |
/// | failed | red |
/// | cancelled | grey |
///
/// The text of a commit or a branch name cannot notify the channel: `<!channel>` and `@here` appear
/// as text.
///
/// Manuals: [incoming webhooks](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
/// [attachments](https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments),
/// [escaping](https://docs.slack.dev/messaging/formatting-message-text).
///
/// ```
/// use fabrs::Secret;
/// use fabrs_deploy::{Notifier, Site, Slack};
///
/// let url = Secret::new("https://hooks.slack.com/services/T000/B000/0123456789");
/// let slack = Slack::webhook(&url);
/// assert_eq!(slack.name(), "Slack webhook at hooks.slack.com");
/// let site = Site::new("/srv/shop").notify(slack);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
pub struct Slack {
    url: Secret,
    http: HttpClient,
}

impl Slack {
    /// Posts to a webhook. The URL is a secret, since everyone with its path can post to the
    /// channel. Output and errors contain only its host.
    ///
    /// ```
    /// # use fabrs_deploy::{Notifier, Slack};
    /// let url = fabrs::Secret::new("https://chat.example.com/hooks/0123456789");
    /// assert_eq!(Slack::webhook(&url).name(), "Slack webhook at chat.example.com");
    /// ```
    pub fn webhook(url: &Secret) -> Self {
        Self { url: url.clone(), http: HttpClient::default() }
    }

    /// Trusts only the certificate authorities in a PEM file, for a server with a private CA. Each
    /// notification reads the file. Defaults to the public authorities.
    ///
    /// ```
    /// # use fabrs_deploy::Slack;
    /// let url = fabrs::Secret::new("https://chat.example.com/hooks/0123456789");
    /// let chat = Slack::webhook(&url).ca_certificate("/etc/ssl/acme-ca.pem");
    /// assert!(format!("{chat:?}").contains("acme-ca.pem"));
    /// ```
    pub fn ca_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.http.set_ca_certificate(path);
        self
    }
}

impl Notifier for Slack {
    fn name(&self) -> String {
        format!("Slack webhook at {}", host_of(self.url.expose()))
    }

    fn secrets(&self) -> Vec<Secret> {
        // An error of the server may contain the path without the host.
        let path = url::Url::parse(self.url.expose()).ok().map(|url| url.path().to_owned());
        let path = path.filter(|path| path.len() > 1).map(Secret::new);
        std::iter::once(self.url.clone()).chain(path).collect()
    }

    fn notify(&self, report: Arc<DeployReport>) -> NotifyFuture {
        self.http.post(self.url.expose().to_owned(), Vec::new(), message(&report))
    }
}

/// Returns the message of a report.
fn message(report: &DeployReport) -> Value {
    let color = match (report.outcome, report.action) {
        (DeployOutcome::Live, DeployAction::Rollback) => "#daa038",
        (DeployOutcome::Live, _) => "#2eb67d",
        (DeployOutcome::Held, _) => "#36c5f0",
        (DeployOutcome::Failed, _) => "#e01e5a",
        (DeployOutcome::Cancelled, _) => "#868686",
    };
    let subject = escape(&shorten(&report.subject(), MAX_SUBJECT_LETTERS));
    let text = report.text();
    let details = text.split_once('\n').map_or("", |(_, details)| details.trim());
    // Backticks would end the block of code.
    let details = escape(&shorten_lines(details, MAX_DETAIL_LETTERS)).replace('`', "'");
    json!({
        "text": subject,
        "attachments": [{
            "color": color,
            "fallback": subject,
            "text": format!("```\n{details}\n```"),
            "mrkdwn_in": ["text"],
        }],
    })
}

/// Escapes the control characters of Slack (`&`, `<`, `>`), and separates `@` from the following
/// name. Slack then shows neither a link nor a mention, and Mattermost sends no notification.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut last = ' ';
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // In a mail address, the character before `@` is a letter or a digit.
            '@' if !last.is_alphanumeric() => escaped.push_str("@\u{200b}"),
            _ => escaped.push(letter),
        }
        last = letter;
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::report::{ChangesSince, HostReport};
    use crate::source::{Commit, CommitChanges, Revision};

    #[test]
    fn a_commit_cannot_format_the_message_or_notify_the_channel() {
        assert_eq!(
            escape("<!channel> a & b, @here, ann@example.com"),
            "&lt;!channel&gt; a &amp; b, @\u{200b}here, ann@example.com"
        );
        let commit = Commit {
            id: "1a2b3c4d5e6f7a8b".to_owned(),
            author: "Eve".to_owned(),
            subject: "``` <!here>\u{1b}[2K".to_owned(),
        };
        let changes = CommitChanges { added: vec![commit], added_count: 1, ..CommitChanges::default() };
        let mut report = DeployReport::example(DeployAction::Deploy, DeployOutcome::Live);
        report.changes = vec![ChangesSince { since: Revision::new("5e4d3c2b1a", "deployable-313"), changes }];
        let message = message(&report);
        let text = message["attachments"][0]["text"].as_str().unwrap();
        assert!(text.contains(r"''' &lt;!here&gt;\u{1b}[2K (Eve)"), "{text}");
        assert_eq!(text.matches("```").count(), 2, "{text}");
    }

    #[test]
    fn a_long_report_keeps_the_hosts_and_stays_within_the_limit() {
        let commit = |number: usize| Commit {
            id: format!("{number:040}"),
            author: "Ann".to_owned(),
            subject: "Change & rename".repeat(3),
        };
        let changes =
            CommitChanges { added: (0..200).map(commit).collect(), added_count: 200, ..CommitChanges::default() };
        let mut report = DeployReport::example(DeployAction::Deploy, DeployOutcome::Live);
        report.revision.name = "a".repeat(1000);
        report.hosts = vec![HostReport { host: "web1".to_owned(), state: "on 20261103140211".to_owned() }];
        report.changes = vec![ChangesSince { since: Revision::new("5e4d3c2b1a", "deployable-313"), changes }];
        let message = message(&report);
        let (subject, text) = (message["text"].as_str().unwrap(), message["attachments"][0]["text"].as_str().unwrap());
        assert_eq!(subject.chars().count(), MAX_SUBJECT_LETTERS);
        assert!(text.starts_with("```\nweb1  on 20261103140211\n"), "{text}");
        assert!(text.ends_with("more lines\n```") && text.chars().count() < 4_000, "{} {text}", text.len());
    }

    #[test]
    fn the_color_shows_the_outcome() {
        let color =
            |action, outcome| message(&DeployReport::example(action, outcome))["attachments"][0]["color"].clone();
        assert_eq!(color(DeployAction::Deploy, DeployOutcome::Live), "#2eb67d");
        assert_eq!(color(DeployAction::Rollback, DeployOutcome::Live), "#daa038");
        assert_eq!(color(DeployAction::Hold, DeployOutcome::Held), "#36c5f0");
        assert_eq!(color(DeployAction::Rollback, DeployOutcome::Failed), "#e01e5a");
        assert_eq!(color(DeployAction::Deploy, DeployOutcome::Cancelled), "#868686");
    }
}
