//! Conversion of clap errors to usage errors of fabrs.

use clap::error::ContextKind;
use fabrs_core::{Error, ErrorKind};

/// Converts an error of clap. The hint is the suggestion of clap, or else `default_hint`.
pub(super) fn usage_error(error: &clap::Error, default_hint: &str) -> Error {
    let context = |kind| error.get(kind).map(ToString::to_string);
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let message = match (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue), reason) {
        (Some(option), None, _) if error.kind() == clap::error::ErrorKind::UnknownArgument => {
            format!("unknown option `{option}`")
        }
        (Some(option), Some(value), Some(reason)) => format!("invalid value `{value}` for `{option}`: {reason}"),
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).replace('\'', "`")
        }
    };
    let suggestion = context(ContextKind::SuggestedArg).map(|option| format!("did you mean `{option}`?"));
    Error::new(ErrorKind::Usage, message).hint(suggestion.unwrap_or_else(|| default_hint.to_owned()))
}
