//! What templates may know without being told.

use std::collections::BTreeMap;

/// What templates may know without being told.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "template"), expect(dead_code, reason = "only templates have it"))]
pub(super) struct TemplateVars(BTreeMap<String, serde_json::Value>);

impl TemplateVars {
    pub(super) fn new<'a>(values: impl IntoIterator<Item = (&'a str, serde_json::Value)>) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Returns the values by their names.
    #[cfg(feature = "template")]
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &serde_json::Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}
