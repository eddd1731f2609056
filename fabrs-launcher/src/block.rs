//! The manifest block: TOML between ```` ```cargo ```` and ```` ``` ```` in the documentation at the top of `tasks.rs`.
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

/// What a manifest block may say.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Block {
    /// The edition of `tasks.rs`.
    pub(crate) edition: Option<String>,
    /// Further crates, and where `fabrs` comes from, if it says so.
    pub(crate) dependencies: Table,
    /// What is changed in the profile that it is compiled with.
    pub(crate) profile: Table,
}

/// Says what is wrong with a block, and in which line of the file.
#[derive(Debug, PartialEq)]
pub(crate) struct BlockError {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
}

impl Block {
    /// Reads the block of a file; without one, all is left to the defaults.
    pub(crate) fn read(source: &str) -> Result<Self, BlockError> {
        let Some(lines) = fenced(&documentation(source))? else { return Ok(Self::default()) };
        Self::parse(&lines)
    }

    fn parse(lines: &[(usize, &str)]) -> Result<Self, BlockError> {
        let text = lines.iter().map(|(_, text)| *text).collect::<Vec<_>>().join("\n");
        // Where a byte of the text stands in the file.
        let line = |at: usize| {
            let row = text[..at.min(text.len())].matches('\n').count();
            lines.get(row).map_or(1, |(number, _)| *number)
        };

        let syntax = |error: toml::de::Error| BlockError {
            line: line(error.span().map_or(0, |span| span.start)),
            what: error.message().to_owned(),
        };
        if let Some((at, what)) = complaint(DeTable::parse(&text).map_err(syntax)?.get_ref()) {
            return Err(BlockError { line: line(at), what });
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

/// Finds the first key that has no business in a block, or a value of the wrong type.
fn complaint(table: &DeTable<'_>) -> Option<(usize, String)> {
    let mut complaints = Vec::new();
    for (key, value) in table {
        let (at, name) = (key.span().start, key.get_ref().as_ref());
        let allowed: Option<&[&str]> = match name {
            "dependencies" => None,
            "package" => Some(&["edition"]),
            "profile" => Some(&["dev"]),
            _ => {
                complaints.push((at, unknown(name)));
                continue;
            }
        };
        let Some(inner) = value.get_ref().as_table() else {
            complaints.push((at, format!("`{name}` is not a table")));
            continue;
        };
        for (key, value) in inner {
            let at = key.span().start;
            let path = format!("{name}.{}", key.get_ref());
            if allowed.is_some_and(|allowed| !allowed.contains(&key.get_ref().as_ref())) {
                complaints.push((at, unknown(&path)));
            } else if name == "package" && !value.get_ref().is_str() {
                complaints.push((at, format!("`{path}` is not a string")));
            } else if name == "profile" && !value.get_ref().is_table() {
                complaints.push((at, format!("`{path}` is not a table")));
            }
        }
    }
    complaints.into_iter().min_by_key(|(at, _)| *at)
}

fn unknown(key: &str) -> String {
    format!("unknown key `{key}`: a cargo block takes `[dependencies]`, `[profile.dev]` and `package.edition`")
}

/// Returns the lines of the inner documentation at the top of a file, each with its number.
///
/// Between them may stand a `#!` line, blank lines, comments and inner attributes of one line; it ends with the first
/// line of code.
fn documentation(source: &str) -> Vec<(usize, &str)> {
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
fn fenced<'a>(lines: &[(usize, &'a str)]) -> Result<Option<Lines<'a>>, BlockError> {
    let is_start = |text: &str| {
        let text = text.trim();
        text.starts_with("```") && text.trim_start_matches('`').trim() == "cargo"
    };
    let Some(start) = lines.iter().position(|(_, text)| is_start(text)) else { return Ok(None) };
    let (opened_at, fence) = lines[start];
    let ticks = fence.trim().trim_end_matches(|c| c != '`');
    let inside = &lines[start + 1..];
    let Some(end) = inside.iter().position(|(_, text)| text.trim() == ticks) else {
        return Err(BlockError { line: opened_at, what: format!("the cargo block has no end: `{ticks}` is missing") });
    };
    if let Some((line, _)) = inside[end..].iter().find(|(_, text)| is_start(text)) {
        return Err(BlockError { line: *line, what: "a second cargo block: there can be one".to_owned() });
    }
    Ok(Some(inside[..end].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(source: &str, dependencies: &str) {
        let expected: Table = toml::from_str(dependencies).unwrap();
        assert_eq!(Block::read(source).unwrap().dependencies, expected);
    }

    #[track_caller]
    fn fails(source: &str, line: usize, what: &str) {
        let error = Block::read(source).unwrap_err();
        assert_eq!(error.line, line, "{error:?}");
        assert!(error.what.contains(what), "{error:?}");
    }

    #[test]
    fn a_block_is_found_in_every_kind_of_inner_documentation() {
        says("", "");
        says("//! Only words.\nfn main() {}", "");
        says("//! ```cargo\n//! [dependencies]\n//! a = \"1\"\n//! ```\n", "a = '1'");
        says(
            "#!/usr/bin/env fab\n// Words.\n\n#![deny(warnings)]\n//!```cargo\n//!dependencies.a = '1'\n//!```",
            "a = '1'",
        );
        says("/*! Words.\n * ```cargo\n * [dependencies]\n * a = '1'\n * ```\n */", "a = '1'");
        says("/*!\n````cargo\n[dependencies]\na = '1'\n````\n*/\n", "a = '1'");
        says("//! ```cargo\r\n//! [dependencies]\r\n//! a = '1'\r\n//! ```\r\n", "a = '1'");
    }

    #[test]
    fn a_block_below_code_or_of_another_language_is_text() {
        says("fn a() {}\n//! ```cargo\n//! nonsense\n//! ```", "");
        says("//! ```toml\n//! nonsense\n//! ```", "");
    }

    #[test]
    fn edition_and_profile_are_taken() {
        let source = "//! ```cargo\n//! [package]\n//! edition = '2021'\n//! [profile.dev]\n//! opt-level = 1\n//! ```";
        let block = Block::read(source).unwrap();
        assert_eq!(block.edition.as_deref(), Some("2021"));
        assert_eq!(block.profile, toml::from_str("opt-level = 1").unwrap());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        fails("//! ```cargo\n//! [dependencies]\n", 1, "no end");
        fails("//! ```cargo\n//! ```\n//! ```cargo\n//! ```", 3, "second");
        fails("//!\n//! ```cargo\n//! [dependencies]\n//! a = = 1\n//! ```", 4, "");
        fails("//! ```cargo\n//! [dependencies]\n//! [features]\n//! x = []\n//! ```", 3, "`features`");
        fails("//! ```cargo\n//! [package]\n//! edition = '2024'\n//! name = 'x'\n//! ```", 4, "`package.name`");
        fails("//! ```cargo\n//! [profile.release]\n//! lto = true\n//! ```", 2, "`profile.release`");
        fails("//! ```cargo\n//! dependencies = 3\n//! ```", 2, "not a table");
        fails("//! ```cargo\n//! package.edition = 3\n//! ```", 2, "not a string");
    }
}
