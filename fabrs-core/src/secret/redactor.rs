//! [`Redactor`]: masks the secrets of a run.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::mutex::lock;
use crate::secret::finder::Finder;
use crate::secret::forms::{MIN_SECRET_LEN, forms};
use crate::secret::secret::Secret;

/// A redactor that masks the secrets of a run in output. Clones share the secrets.
///
/// To redact its own output, a program passes the same redactor to [`ClientBuilder::redactor`].
///
/// [`ClientBuilder::redactor`]: crate::ClientBuilder::redactor
///
/// ```
/// use fabrs_core::secret::Redactor;
/// use fabrs_core::{Client, Secret};
///
/// let redactor = Redactor::default();
/// let client = Client::builder().redactor(redactor.clone()).build();
/// client.add_secret(&Secret::new("hunter2"));
/// assert_eq!(redactor.text("it is hunter2"), "it is [redacted]");
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    shared: Arc<SharedSecrets>,
}

#[derive(Default)]
struct SharedSecrets {
    /// True if any secret is known. Read for each chunk of output without a lock, since most runs
    /// have no secret.
    knows_any: AtomicBool,
    has_short: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The known secrets. Each command adds its secrets again, and known secrets are not encoded
    /// again.
    secrets: HashSet<Vec<u8>>,
    forms: BTreeSet<Vec<u8>>,
    finder: Option<Arc<Finder>>,
}

/// The result of adding a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddOutcome {
    /// No warning is needed: the secret is redacted, empty or already known, or an earlier secret
    /// was too short.
    NoWarning,
    /// The first secret with too few bytes for redaction.
    FirstTooShort,
}

impl Redactor {
    /// Adds a secret.
    pub(crate) fn add(&self, secret: &Secret) -> AddOutcome {
        let text = secret.expose();
        // Locked until the finder includes the secret. A second caller with the same secret must
        // not return earlier.
        let mut known = self.known();
        if !known.secrets.insert(text.into()) {
            return AddOutcome::NoWarning;
        }
        let before = known.forms.len();
        known.forms.extend(forms(text));
        if known.forms.len() > before {
            // If the forms exceed the limit of the finder, the old finder still finds the earlier
            // secrets.
            if let Some(finder) = Finder::new(&known.forms) {
                known.finder = Some(Arc::new(finder));
            }
            self.shared.knows_any.store(true, Ordering::Release);
        }
        let is_short = !text.is_empty() && text.len() < MIN_SECRET_LEN;
        if is_short && !self.shared.has_short.swap(true, Ordering::Relaxed) {
            AddOutcome::FirstTooShort
        } else {
            AddOutcome::NoWarning
        }
    }

    /// Returns the finder of the secrets, if there are any secrets.
    pub(super) fn finder(&self) -> Option<Arc<Finder>> {
        if self.shared.knows_any.load(Ordering::Acquire) { self.known().finder.clone() } else { None }
    }

    /// Returns a text with the secrets masked.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Returns bytes with the secrets masked.
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = self.finder() else { return Cow::Borrowed(bytes) };
        finder.redact(Cow::Borrowed(bytes), bytes.len(), &mut 0)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.shared.known)
    }
}

/// Prints the number of search forms, without the secrets.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("forms", &self.known().forms.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_several_threads_is_redacted_as_soon_as_it_is_added() {
        let redactor = Redactor::default();
        let secret = "one line of a \"key\" & more\n".repeat(40);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    redactor.add(&Secret::new(secret.clone()));
                    assert_eq!(redactor.text(&secret), "[redacted]");
                });
            }
        });
    }

    #[test]
    fn known_secrets_are_redacted() {
        let redactor = Redactor::default();
        assert_eq!(redactor.text("hunter2 and more"), "hunter2 and more");
        redactor.add(&Secret::new("hunter2"));
        redactor.clone().add(&Secret::new("hunter2-too"));
        redactor.add(&Secret::new("a"));
        assert_eq!(redactor.text("a hunter2hunter2, hunter2-too"), "a [redacted][redacted], [redacted]");
        assert!(matches!(redactor.text("nothing of it"), Cow::Borrowed(_)));
        assert!(!format!("{redactor:?}").contains("hunter2"));
    }

    #[test]
    fn only_the_first_short_secret_is_reported() {
        let redactor = Redactor::default();
        let added = ["", "hunter2", "short", "small", "short"].map(|text| redactor.clone().add(&Secret::new(text)));
        assert_eq!(
            added,
            [
                AddOutcome::NoWarning,
                AddOutcome::NoWarning,
                AddOutcome::FirstTooShort,
                AddOutcome::NoWarning,
                AddOutcome::NoWarning
            ]
        );
    }

    #[test]
    fn overlapping_secrets_have_one_replacement() {
        let redactor = Redactor::default();
        for secret in ["first-secret", "secret-tail", "middle"] {
            redactor.add(&Secret::new(secret));
        }
        assert_eq!(redactor.text("a first-secret-tail b"), "a [redacted] b");
        assert_eq!(redactor.text("first-secretmiddle"), "[redacted][redacted]");
        redactor.add(&Secret::new("a first-secret-tail b"));
        assert_eq!(redactor.text("a first-secret-tail bc"), "[redacted]c");
    }
}
