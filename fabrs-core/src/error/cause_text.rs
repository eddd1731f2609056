//! [`CauseText`]: the cause of an error as text.

/// The cause of an error as text: the message of another program, or causes without their types.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CauseText(pub(crate) String);

/// Returns the texts of an error and its causes, one per line.
pub(super) fn chain(mut source: &dyn std::error::Error) -> String {
    let mut text = source.to_string();
    while let Some(next) = source.source() {
        text.push('\n');
        text.push_str(&next.to_string());
        source = next;
    }
    text
}
