//! [`TemplateVars`]: the variables of a host for templates.

use std::collections::BTreeMap;

/// The variables of a host for templates, without those of `Template::set`.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "template"), expect(dead_code, reason = "only templates use it"))]
pub(crate) struct TemplateVars(BTreeMap<String, serde_json::Value>);

impl TemplateVars {
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = (&'a str, serde_json::Value)>) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Returns the names and values.
    #[cfg(feature = "template")]
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &serde_json::Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}
