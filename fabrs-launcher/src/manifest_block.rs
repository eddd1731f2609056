//! The manifest block: a TOML section in the documentation at the top of `tasks.rs`.
//!
//! The section is a fenced code block with the language `cargo`:
//!
//! ````text
//! //! Deploys the shop.
//! //!
//! //! ```cargo
//! //! [dependencies]
//! //! semver = "1"
//! //! shop = { path = "../shop" }
//! //! ```
//! ````

use toml::de::DeTable;
use toml::{Table, Value};

/// The settings of a manifest block.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ManifestBlock {
    /// The edition of `tasks.rs`, if set.
    pub(crate) edition: Option<String>,
    /// The dependencies. An entry for `fabrs` is optional.
    pub(crate) dependencies: Table,
    /// Changes to the `dev` profile.
    pub(crate) profile: Table,
}

/// An invalid manifest block.
#[derive(Debug, PartialEq)]
pub(crate) struct ManifestBlockError {
    /// The line in `tasks.rs`, counted from 1.
    pub(crate) line: usize,
    /// The description of the error.
    pub(crate) message: String,
}

impl ManifestBlock {
    /// Reads the manifest block of a file. Without a block, all settings have their defaults.
    pub(crate) fn read(source: &str) -> Result<Self, ManifestBlockError> {
        let Some(lines) = fenced_lines(&inner_doc_lines(source))? else { return Ok(Self::default()) };
        Self::parse(&lines)
    }

    fn parse(lines: &[(usize, &str)]) -> Result<Self, ManifestBlockError> {
        let text = lines.iter().map(|(_, text)| *text).collect::<Vec<_>>().join("\n");
        // Maps a byte offset in the block to a line of the file.
        let line = |at: usize| {
            let row = text[..at.min(text.len())].matches('\n').count();
            lines.get(row).map_or(1, |(number, _)| *number)
        };

        let syntax = |error: toml::de::Error| ManifestBlockError {
            line: line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        };
        if let Some((at, message)) = first_invalid_key(DeTable::parse(&text).map_err(syntax)?.get_ref()) {
            return Err(ManifestBlockError { line: line(at), message });
        }

        let mut table: Table = toml::from_str(&text).map_err(syntax)?;
        let edition = table.get("package").and_then(|package| package.get("edition")).and_then(Value::as_str);
        let edition = edition.map(str::to_owned);
        let mut take = |key| match table.remove(key) {
            Some(Value::Table(table)) => table,
            _ => Table::new(),
        };
        let dependencies = take("dependencies");
        let profile = match take("profile").remove("dev") {
            Some(Value::Table(dev)) => dev,
            _ => Table::new(),
        };
        Ok(Self { edition, dependencies, profile })
    }
}

/// Finds the first unknown key, or the first value of the wrong type.
fn first_invalid_key(table: &DeTable<'_>) -> Option<(usize, String)> {
    let mut invalid = Vec::new();
    for (key, value) in table {
        let (at, name) = (key.span().start, key.get_ref().as_ref());
        let allowed: Option<&[&str]> = match name {
            "dependencies" => None,
            "package" => Some(&["edition"]),
            "profile" => Some(&["dev"]),
            _ => {
                invalid.push((at, unknown_key_message(name)));
                continue;
            }
        };
        let Some(inner) = value.get_ref().as_table() else {
            invalid.push((at, format!("`{name}` is not a table")));
            continue;
        };
        for (key, value) in inner {
            let at = key.span().start;
            let path = format!("{name}.{}", key.get_ref());
            if allowed.is_some_and(|allowed| !allowed.contains(&key.get_ref().as_ref())) {
                invalid.push((at, unknown_key_message(&path)));
            } else if name == "package" && !value.get_ref().is_str() {
                invalid.push((at, format!("`{path}` is not a string")));
            } else if name == "profile" && !value.get_ref().is_table() {
                invalid.push((at, format!("`{path}` is not a table")));
            }
        }
    }
    invalid.into_iter().min_by_key(|(at, _)| *at)
}

fn unknown_key_message(key: &str) -> String {
    format!("unknown key `{key}`: a cargo block accepts `[dependencies]`, `[profile.dev]` and `package.edition`")
}

/// Returns the lines of the inner documentation at the top of a file, with their line numbers.
///
/// A `#!` line, blank lines, comments and one-line inner attributes may precede or interrupt the
/// documentation. It ends at the first line of code.
fn inner_doc_lines(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_comment = false;
    for (number, line) in (1..).zip(source.trim_start_matches('\u{feff}').lines()) {
        let trimmed = line.trim();
        if in_comment {
            let text = trimmed.split("*/").next().unwrap_or_default();
            in_comment = !trimmed.contains("*/");
            found.push((number, text.strip_prefix("* ").or(text.strip_prefix('*')).unwrap_or(text)));
        } else if let Some(text) = trimmed.strip_prefix("//!") {
            found.push((number, text.strip_prefix(' ').unwrap_or(text)));
        } else if let Some(text) = trimmed.strip_prefix("/*!") {
            in_comment = !text.contains("*/");
            found.push((number, text.split("*/").next().unwrap_or_default()));
        } else if !(trimmed.is_empty() || trimmed.starts_with("//") || trimmed.starts_with("#!")) {
            break;
        }
    }
    found
}

type Lines<'a> = Vec<(usize, &'a str)>;

/// Returns the lines between the fences.
fn fenced_lines<'a>(lines: &[(usize, &'a str)]) -> Result<Option<Lines<'a>>, ManifestBlockError> {
    let is_start = |text: &str| {
        let text = text.trim();
        text.starts_with("```") && text.trim_start_matches('`').trim() == "cargo"
    };
    let Some(start) = lines.iter().position(|(_, text)| is_start(text)) else { return Ok(None) };
    let (opened_at, fence) = lines[start];
    let ticks = fence.trim().trim_end_matches(|c| c != '`');
    let inside = &lines[start + 1..];
    let Some(end) = inside.iter().position(|(_, text)| text.trim() == ticks) else {
        return Err(ManifestBlockError {
            line: opened_at,
            message: format!("the cargo block is not closed: `{ticks}` is missing"),
        });
    };
    if let Some((line, _)) = inside[end..].iter().find(|(_, text)| is_start(text)) {
        return Err(ManifestBlockError {
            line: *line,
            message: "a second cargo block: only one is allowed".to_owned(),
        });
    }
    Ok(Some(inside[..end].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_dependencies(source: &str, dependencies: &str) {
        let expected: Table = toml::from_str(dependencies).unwrap();
        assert_eq!(ManifestBlock::read(source).unwrap().dependencies, expected);
    }

    #[track_caller]
    fn assert_error(source: &str, line: usize, message: &str) {
        let error = ManifestBlock::read(source).unwrap_err();
        assert_eq!(error.line, line, "{error:?}");
        assert!(error.message.contains(message), "{error:?}");
    }

    #[test]
    fn a_block_is_found_in_every_kind_of_inner_documentation() {
        assert_dependencies("", "");
        assert_dependencies("//! Only words.\nfn main() {}", "");
        assert_dependencies("//! ```cargo\n//! [dependencies]\n//! a = \"1\"\n//! ```\n", "a = '1'");
        assert_dependencies(
            "#!/usr/bin/env fab\n// Words.\n\n#![deny(warnings)]\n//!```cargo\n//!dependencies.a = '1'\n//!```",
            "a = '1'",
        );
        assert_dependencies("/*! Words.\n * ```cargo\n * [dependencies]\n * a = '1'\n * ```\n */", "a = '1'");
        assert_dependencies("/*!\n````cargo\n[dependencies]\na = '1'\n````\n*/\n", "a = '1'");
        assert_dependencies("//! ```cargo\r\n//! [dependencies]\r\n//! a = '1'\r\n//! ```\r\n", "a = '1'");
    }

    #[test]
    fn a_block_below_code_or_in_another_language_is_ignored() {
        assert_dependencies("fn a() {}\n//! ```cargo\n//! nonsense\n//! ```", "");
        assert_dependencies("//! ```toml\n//! nonsense\n//! ```", "");
    }

    #[test]
    fn edition_and_profile_are_read() {
        let source = "//! ```cargo\n//! [package]\n//! edition = '2021'\n//! [profile.dev]\n//! opt-level = 1\n//! ```";
        let block = ManifestBlock::read(source).unwrap();
        assert_eq!(block.edition.as_deref(), Some("2021"));
        assert_eq!(block.profile, toml::from_str("opt-level = 1").unwrap());
    }

    #[test]
    fn an_error_names_its_line() {
        assert_error("//! ```cargo\n//! [dependencies]\n", 1, "not closed");
        assert_error("//! ```cargo\n//! ```\n//! ```cargo\n//! ```", 3, "second");
        assert_error("//!\n//! ```cargo\n//! [dependencies]\n//! a = = 1\n//! ```", 4, "");
        assert_error("//! ```cargo\n//! [dependencies]\n//! [features]\n//! x = []\n//! ```", 3, "`features`");
        assert_error("//! ```cargo\n//! [package]\n//! edition = '2024'\n//! name = 'x'\n//! ```", 4, "`package.name`");
        assert_error("//! ```cargo\n//! [profile.release]\n//! lto = true\n//! ```", 2, "`profile.release`");
        assert_error("//! ```cargo\n//! dependencies = 3\n//! ```", 2, "not a table");
        assert_error("//! ```cargo\n//! package.edition = 3\n//! ```", 2, "not a string");
    }
}
