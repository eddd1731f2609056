//! Validation lines: `%s` becomes an argument of the shell, so no path can break out of quotes.

use crate::error::{Error, ErrorKind, Result};

/// The placeholder of the path.
const PATH: &str = "%s";
/// The path as the first argument of the shell, in one word.
const ARGUMENT: &str = "\"$1\"";

/// A line with the path as an argument.
#[derive(Debug)]
pub(crate) struct ValidationLine {
    pub(crate) text: String,
    /// False if the line has no `%s`.
    pub(crate) has_path: bool,
}

/// Replaces each `%s` by the first argument of the shell.
///
/// `%s` may have quotes around it (`"%s"`, `'%s'`). A `%s` inside a longer quoted text is an error:
/// another program would interpret the path.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for a line with `%s` inside a longer quoted text.
pub(crate) fn with_argument(line: &str) -> Result<ValidationLine> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    let mut quote = None;
    let mut has_path = false;
    while let Some(next) = rest.chars().next() {
        let quoted = ["%s", "\"%s\"", "'%s'"].into_iter().find(|word| quote.is_none() && rest.starts_with(word));
        if let Some(word) = quoted {
            has_path = true;
            text.push_str(ARGUMENT);
            rest = &rest[word.len()..];
            continue;
        }
        if rest.starts_with(PATH) {
            let error = Error::new(ErrorKind::Usage, format!("`%s` is within quotes in the validation line {line:?}"));
            return Err(error.hint("write `%s` without quotes; for a nested shell, pass `%s` as an argument: `sh -c 'grep -q ok \"$1\"' sh %s`"));
        }
        let length = if next == '\\' && quote != Some('\'') {
            1 + rest[1..].chars().next().map_or(0, char::len_utf8)
        } else {
            next.len_utf8()
        };
        match (next, quote) {
            ('\'' | '"', None) => quote = Some(next),
            (_, Some(open)) if open == next => quote = None,
            _ => {}
        }
        text.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    Ok(ValidationLine { text, has_path })
}

/// Checks the line of a validation before the rename.
///
/// # Errors
///
/// As [`with_argument`], and [`ErrorKind::Usage`] for a line without `%s`.
pub(crate) fn check_has_path(line: &str) -> Result<()> {
    if with_argument(line)?.has_path {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Usage, "the validation line has no `%s`");
    Err(error.hint(
        "add `%s` for the path of the file: `.validate(\"visudo -cf %s\")`; for a command without a path, \
         validate the file at its target: `.validate_live(\"nginx -t\")`",
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{check_has_path, with_argument};

    #[test]
    fn the_path_becomes_an_argument_with_any_quotes() {
        #[track_caller]
        fn case(line: &str, expected: &str) {
            assert_eq!(with_argument(line).expect("a valid line").text, expected);
        }
        case("visudo -cf %s", "visudo -cf \"$1\"");
        case("visudo -cf \"%s\"", "visudo -cf \"$1\"");
        case("visudo -cf '%s'", "visudo -cf \"$1\"");
        case("nginx --file=%s -t && cat %s", "nginx --file=\"$1\" -t && cat \"$1\"");
        case("printf '%d' 1; cat %s", "printf '%d' 1; cat \"$1\"");
        case("echo \\' %s", "echo \\' \"$1\"");
        case("sh -c 'grep -q ok \"$1\"' sh %s", "sh -c 'grep -q ok \"$1\"' sh \"$1\"");
    }

    #[test]
    fn a_path_within_quotes_is_an_error() {
        for line in ["sh -c '! grep -q hello %s'", "sh -c \"grep -q ok %s\"", "grep 'it''s %s'", "echo \"a\\\" %s\""] {
            let error = with_argument(line).expect_err(line);
            assert!(error.to_string().contains("`%s` is within quotes"), "{error}");
        }
    }

    #[test]
    fn only_a_live_validation_needs_no_path() {
        assert_eq!(with_argument("nginx -t").expect("a valid line").text, "nginx -t");
        let error = check_has_path("nginx -t").expect_err("a line without a path");
        assert_eq!(error.to_string(), "the validation line has no `%s`");
    }

    proptest! {
        #[test]
        fn any_line_without_escapes_is_converted_or_an_error(line in "([%s'\" aü]|%s){0,20}") {
            if let Ok(converted) = with_argument(&line) {
                let text = converted.text;
                prop_assert!(text.contains("\"$1\"") == converted.has_path && !text.contains("%s"));
            }
        }
    }
}
