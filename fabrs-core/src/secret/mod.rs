//! Secret values, and the redactor that masks them in output.

mod escaped;
mod finder;
mod forms;
mod redactor;
mod secret;
mod stream;

pub(crate) use forms::MIN_SECRET_LEN;
pub(crate) use redactor::AddOutcome;
pub use redactor::Redactor;
pub(crate) use secret::REDACTED;
pub use secret::Secret;
pub use stream::RedactedStream;
