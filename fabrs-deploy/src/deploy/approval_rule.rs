//! [`ApprovalRule`]: a rule of a deploy in its approval, such as the freeze windows.

/// A rule of a deploy in its approval: in the header, and in the fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApprovalRule {
    /// The label in the header: `freeze`.
    pub(super) name: &'static str,
    /// The fact beside the label: `next at Fri 15:00`.
    pub(super) fact: String,
}

impl ApprovalRule {
    pub(super) fn new(name: &'static str, fact: impl Into<String>) -> Self {
        Self { name, fact: fact.into() }
    }

    /// Returns rules as text for the fingerprint, one line each.
    pub(super) fn lines(rules: &[Self]) -> String {
        rules.iter().flat_map(|rule| [rule.name, ": ", &rule.fact, "\n"]).collect()
    }
}
