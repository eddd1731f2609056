//! Splits a line of `ssh_config` into its keyword and unquoted arguments.

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Splits a line into its keyword in lower case and the rest. Returns `None` for a blank line or a
/// comment.
///
/// White space or a single `=` separates the keyword and the rest. White space around the `=` is
/// allowed.
pub(super) fn split_keyword(line: &str) -> Option<(String, &str)> {
    let line = line.trim_start_matches(BLANKS).trim_end_matches(|c| c == '\u{c}' || BLANKS.contains(&c));
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find([' ', '\t', '\r', '"', '=']).unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(BLANKS);
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start_matches(BLANKS);
    Some((keyword.to_ascii_lowercase(), rest))
}

/// Splits the rest of a line into arguments like `ssh`. Returns `None` for an unclosed quote.
///
/// Single and double quotes group words. A backslash escapes a quote and a backslash, and outside
/// of quotes also a space. A `#` at the start of an argument starts a comment.
pub(super) fn split_arguments(rest: &str) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut chars = rest.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(arguments),
            Some(_) => {}
        }
        let mut argument = String::new();
        let mut quote: Option<char> = None;
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', _) => {
                    let escaped =
                        chars.next_if(|&next| matches!(next, '\'' | '"' | '\\') || (quote.is_none() && next == ' '));
                    argument.push(escaped.unwrap_or('\\'));
                }
                (' ' | '\t', None) => break,
                ('"' | '\'', None) => quote = Some(c),
                (_, Some(open)) if open == c => quote = None,
                _ => argument.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        arguments.push(argument);
    }
}

#[cfg(test)]
mod tests {
    use super::{split_arguments, split_keyword};

    #[test]
    fn keywords_end_at_blanks_or_one_equals_sign() {
        #[track_caller]
        fn case(line: &str, expected: Option<(&str, &str)>) {
            let split = split_keyword(line);
            assert_eq!(split.as_ref().map(|(keyword, rest)| (keyword.as_str(), *rest)), expected, "{line:?}");
        }
        case("", None);
        case(" \t ", None);
        case("  # Port 22", None);
        case("Port 22", Some(("port", "22")));
        case("\tPORT\t 22 \r", Some(("port", "22")));
        case("Port=22", Some(("port", "22")));
        case("Port = 22", Some(("port", "22")));
        case("Port==22", Some(("port", "=22")));
        case("Port", Some(("port", "")));
        case("User\"a b\"", Some(("user", "\"a b\"")));
        case("Port 22\u{c}", Some(("port", "22")));
    }

    #[test]
    fn quotes_and_escapes_are_removed() {
        #[track_caller]
        fn case(rest: &str, expected: Option<&[&str]>) {
            let arguments = split_arguments(rest);
            let arguments: Option<Vec<&str>> = arguments.as_ref().map(|a| a.iter().map(String::as_str).collect());
            assert_eq!(arguments.as_deref(), expected, "{rest:?}");
        }
        case("", Some(&[]));
        case("a  b\tc", Some(&["a", "b", "c"]));
        case("a # b", Some(&["a"]));
        case("a#b", Some(&["a#b"]));
        case("\"a b\" 'c \"d\"'", Some(&["a b", "c \"d\""]));
        case("a\"b c\"d", Some(&["ab cd"]));
        case("a\\ b", Some(&["a b"]));
        case("\"a\\ b\"", Some(&["a\\ b"]));
        case("\\\\ \\x \\\"", Some(&["\\", "\\x", "\""]));
        case("\"\"", Some(&[""]));
        case("\"open", None);
        case("it's", None);
    }
}
