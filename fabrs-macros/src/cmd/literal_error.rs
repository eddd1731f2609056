//! The errors in a literal of `cmd!`, and their messages.

use super::placeholder::PlaceholderError;

/// An error in the literal, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiteralError {
    pub(super) kind: LiteralErrorKind,
    /// The index of the first character of `snippet` in the literal.
    pub(super) at: usize,
    /// The invalid part of the literal.
    pub(super) snippet: String,
}

/// The kind of an error in the literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LiteralErrorKind {
    /// A NUL byte.
    Nul,
    /// A value in single or double quotes.
    InQuotes(char),
    /// A value in backticks. Even in quotes, a shell interprets backslashes and backticks there.
    InBackticks,
    /// A value in a comment. A line break in the value would end the comment.
    InComment,
    /// A `#` directly after a `)`: a comment after a subshell, part of a word after `$(…)`.
    AmbiguousComment,
    /// A value in a here-document. Quotes are plain text there.
    InHereDocument,
    /// A `$(…)` with a line break or a value, inside a here-document.
    SubstitutionInHereDocument,
    /// The end marker of a here-document is missing, or requires expansion by the shell.
    HereDocumentName,
    /// A value in `((…))`. Bash reads the text as in double quotes, so single quotes do not quote
    /// there.
    InArithmetic,
    /// A quote or a `)` in `((…))`. Shells use these to distinguish arithmetic from a nested
    /// subshell, each by different rules.
    AmbiguousArithmetic,
    /// `$[…]`, the old arithmetic syntax of bash.
    OldArithmetic,
    /// A brace in `${…}`.
    InParameterExpansion,
    /// A quote in a `${…}` in double quotes. Shells disagree about the end of such a quote.
    QuoteInParameterExpansion,
    /// `\'` in `$'…'`. In bash the quote continues, in other shells the quote ends.
    EscapeInAnsiQuote,
    /// `case` in a `$(…)` in double quotes. Only a parser could distinguish the `)` of a pattern
    /// from the end of the `$(…)`.
    CaseInSubstitution,
    /// A backslash and a line break within `$(`, `((` or `<<`.
    SplitToken,
    /// A value after a backslash. The backslash would escape the opening quote.
    AfterBackslash,
    /// A value directly after the `$name` of a variable. An unquoted word would become part of the
    /// name.
    AfterVariable(String),
    /// A value directly before `<` or `>`. A number would become a file descriptor.
    BeforeRedirect,
    /// A list without a separator on each side.
    ListNotSeparated,
    /// An unclosed quote, substitution or here-document.
    Unclosed,
    /// A backslash at the end of the literal.
    TrailingBackslash,
    /// A `{` without a `}`.
    UnclosedBrace,
    /// A `}` without a `{`.
    UnmatchedBrace,
    /// A placeholder that does not name a value.
    InvalidPlaceholder(PlaceholderError),
}

impl LiteralError {
    /// Returns the message of the compile error. `line` is the complete literal, for the line and
    /// column.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of error")]
    pub(super) fn message(&self, line: &str) -> String {
        use LiteralErrorKind as Kind;
        let snippet = in_backticks(&self.snippet);
        let at = format_position(line, self.at);
        match &self.kind {
            Kind::Nul => format!("NUL byte {at}: a shell line cannot contain NUL bytes"),
            Kind::InQuotes(q) => {
                format!("{snippet} {at} is inside {q}…{q}: cmd! quotes values itself, so remove the quotes")
            }
            Kind::InBackticks => format!(
                "{snippet} {at} is inside backticks, where quoting is unreliable: write `$(…)` instead of the backticks"
            ),
            Kind::InComment => {
                format!("{snippet} {at} is in a comment, and a line break in the value would end the comment")
            }
            Kind::AmbiguousComment => {
                format!(
                    "{snippet} {at} directly follows a `)`: for a comment, add a blank between them; otherwise quote the `#`"
                )
            }
            Kind::InHereDocument => format!(
                "{snippet} {at} is in a here-document, where quotes have no effect: pass the text with \
                 `.stdin(..)`"
            ),
            Kind::SubstitutionInHereDocument => format!(
                "{snippet} {at} is in a here-document, where an expansion must be on one line and without values: \
                 pass the text with `.stdin(..)`"
            ),
            Kind::HereDocumentName => format!("{snippet} {at}: a here-document needs a plain end marker"),
            Kind::InArithmetic => format!(
                "{snippet} {at} is inside `((…))`, where quoting is unreliable: calculate in Rust, or write `( (` \
                 for nested subshells"
            ),
            Kind::AmbiguousArithmetic => format!(
                "{snippet} {at} is inside `((…))`, and shells disagree about its meaning: write `( (` for nested subshells"
            ),
            Kind::OldArithmetic => {
                format!("{snippet} {at} is arithmetic in some shells and text in others: write `$((…))`")
            }
            Kind::InParameterExpansion => {
                format!("{snippet} {at} is inside `${{…}}`: values and braces are not allowed there")
            }
            Kind::QuoteInParameterExpansion => format!(
                "{snippet} {at} is a quote inside a `${{…}}` inside \"…\", and shells disagree about its meaning: move \
                 the `${{…}}` out of the quotes"
            ),
            Kind::EscapeInAnsiQuote => {
                format!(
                    "{snippet} {at} is inside $'…', and shells disagree about its meaning: write `\"'\"` for a quote"
                )
            }
            Kind::CaseInSubstitution => format!(
                "{snippet} {at} is in a `$(…)` inside \"…\", and cmd! cannot find the end: move the `$(…)` out of \
                 the quotes"
            ),
            Kind::SplitToken => format!("{snippet} {at} is split by a backslash and a line break: join the lines"),
            Kind::AfterBackslash => format!(
                "{snippet} {at} follows a backslash, which would escape the quotes of the value: write `{{{{` and `}}}}` \
                 for braces of the shell"
            ),
            Kind::AfterVariable(name) => format!(
                "{snippet} {at} directly follows `${name}` and would become part of the name: write `${{{name}}}`"
            ),
            Kind::BeforeRedirect => format!(
                "{snippet} {at} directly precedes a redirection, where a number would be a file descriptor: add a \
                 blank between them"
            ),
            Kind::ListNotSeparated => format!("{snippet} {at} expands to several words: add a blank on each side"),
            Kind::Unclosed => format!("{snippet} {at} is not closed"),
            Kind::TrailingBackslash => format!("{snippet} {at} is the last character and escapes nothing"),
            Kind::UnclosedBrace => format!("{snippet} {at} is not closed: write `{{{{` for a brace of the shell"),
            Kind::UnmatchedBrace => {
                format!("{snippet} {at} has no matching `{{`: write `}}}}` for a brace of the shell")
            }
            Kind::InvalidPlaceholder(error) => placeholder_message(&self.snippet, &at, *error),
        }
    }
}

fn placeholder_message(snippet: &str, at: &str, error: PlaceholderError) -> String {
    let doubled = doubled_braces(snippet);
    let snippet = in_backticks(snippet);
    match error {
        PlaceholderError::Empty => {
            format!("{snippet} {at} has no name: write `{{name}}`, or {doubled} for braces of the shell")
        }
        PlaceholderError::Positional => {
            format!("{snippet} {at} is positional: write `{{name}}`, or {doubled} for braces of the shell")
        }
        PlaceholderError::FormattedList => format!("{snippet} {at}: a list cannot be formatted: write `{{name...}}`"),
        PlaceholderError::NotAName => format!(
            "{snippet} {at} is not a name: values are `{{name}}`, `{{name.field}}` or `{{name...}}` (bind other expressions with \
             `let`), braces of the shell are {doubled}"
        ),
    }
}

/// Returns the escaped form of braces meant for the shell, such as `{{}}` for `{}`.
fn doubled_braces(braces: &str) -> String {
    // Each nested brace must be doubled separately.
    if braces.matches('{').count() > 1 { "`{{` and `}}`".to_owned() } else { in_backticks(&format!("{{{braces}}}")) }
}

/// Formats a snippet in backticks, on one line, and shortened if long.
fn in_backticks(snippet: &str) -> String {
    const MAX_SNIPPET_CHARS: usize = 50;
    let mut text: String = snippet.replace('\n', "\\n");
    if text.chars().count() > MAX_SNIPPET_CHARS {
        text = text.chars().take(MAX_SNIPPET_CHARS).chain(['…']).collect();
    }
    // As in Markdown, use double backticks around a backtick.
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Formats a position as a column, counted from 1, with the line number in a literal of several
/// lines.
fn format_position(line: &str, at: usize) -> String {
    let before: String = line.chars().take(at).collect();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    if line.trim_end().contains('\n') {
        let row = before.matches('\n').count() + 1;
        format!("at line {row}, column {column}")
    } else {
        format!("at column {column}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_a_column_and_in_several_lines_a_line_number() {
        assert_eq!(format_position("echo '{x}'", 6), "at column 7");
        assert_eq!(format_position("ä '{x}'", 3), "at column 4");
        assert_eq!(format_position("a\nbc {x", 5), "at line 2, column 4");
        assert_eq!(format_position("a\n", 0), "at column 1");
    }
}
