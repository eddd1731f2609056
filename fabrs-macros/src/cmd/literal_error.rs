//! Every mistake in a literal of `cmd!`, and the text that says what to write instead.

use super::placeholder::PlaceholderError;

/// A mistake, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiteralError {
    pub(super) kind: LiteralErrorKind,
    /// The position of `snippet` in the characters of the literal.
    pub(super) at: usize,
    /// The part of the literal that is wrong, as it is written there.
    pub(super) snippet: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LiteralErrorKind {
    /// A NUL byte.
    Nul,
    /// A value inside quotes of this sort.
    InQuotes(char),
    /// A value inside backticks: there even quoted text is looked through for backslashes and backticks.
    InBackticks,
    /// A value in a comment: its first line break would end the comment.
    InComment,
    /// A `#` right behind a `)`: a comment after a subshell, part of a word after `$(…)`.
    AmbiguousComment,
    /// A value in a here-document: quotes are plain text there.
    InHereDocument,
    /// A `$(…)` in a here-document that goes over several lines, or holds a value.
    SubstitutionInHereDocument,
    /// The name that ends a here-document is none, or needs the shell to be read.
    HereDocumentName,
    /// A value in `((…))`: bash reads it as if in double quotes, so single quotes do not hold there.
    InArithmetic,
    /// A quote or a `)` in `((…))` by which shells tell calculating from a shell in a shell, each in its own way.
    AmbiguousArithmetic,
    /// `$[…]`, the arithmetic of old bash.
    OldArithmetic,
    /// A brace inside `${…}`.
    InParameterExpansion,
    /// A quote inside a `${…}` inside double quotes: shells disagree on what it ends.
    QuoteInParameterExpansion,
    /// `\'` inside `$'…'`: bash goes on, other shells end the quote.
    EscapeInAnsiQuote,
    /// `case` inside a `$(…)` inside double quotes: its `)` cannot be told from the end without a parser.
    CaseInSubstitution,
    /// A backslash and a line break in the middle of `$(`, `((` or `<<`.
    SplitToken,
    /// A value behind a backslash, which would take away the quote.
    AfterBackslash,
    /// A value behind the `$name` of a variable: a bare word would become part of the name.
    AfterVariable(String),
    /// A value in front of `<` or `>`: a number would become a file descriptor.
    BeforeRedirect,
    /// A list with something that is no blank beside it.
    ListNotSeparated,
    /// Something that is opened and never closed.
    Unclosed,
    /// A backslash at the end of the line.
    TrailingBackslash,
    /// A `{` without its `}`.
    UnclosedBrace,
    /// A `}` without its `{`.
    UnmatchedBrace,
    /// Braces with something else than a name in them.
    InvalidPlaceholder(PlaceholderError),
}

impl LiteralError {
    /// Returns the text of the compile error; `line` is the whole literal, for the column.
    pub(super) fn message(&self, line: &str) -> String {
        use LiteralErrorKind as Kind;
        let snippet = in_backticks(&self.snippet);
        let at = format_position(line, self.at);
        match &self.kind {
            Kind::Nul => format!("NUL byte {at}: no shell can be given one"),
            Kind::InQuotes(q) => format!("{snippet} {at} stands inside {q}…{q}: values are quoted by cmd! itself"),
            Kind::InBackticks => format!(
                "{snippet} {at} stands inside backticks, where no quoting holds: write `$(…)` instead of the backticks"
            ),
            Kind::InComment => format!("{snippet} {at} stands in a comment, which a line break in the value would end"),
            Kind::AmbiguousComment => {
                format!("{snippet} {at} stands right behind a `)`: put a blank between them for a comment, or quote it")
            }
            Kind::InHereDocument => format!(
                "{snippet} {at} stands in a here-document, where no quoting holds: give the command its text by \
                 `.stdin(..)`"
            ),
            Kind::SubstitutionInHereDocument => format!(
                "{snippet} {at} stands in a here-document, where it may hold no value and go over one line only: give \
                 the command its text by `.stdin(..)`"
            ),
            Kind::HereDocumentName => format!("{snippet} {at}: a here-document needs a plain name to end it"),
            Kind::InArithmetic => format!(
                "{snippet} {at} stands inside `((…))`, where no quoting holds: calculate it in Rust, or write `( (` \
                 for a shell in a shell"
            ),
            Kind::AmbiguousArithmetic => format!(
                "{snippet} {at} stands inside `((…))`, which shells read differently: write `( (` for a shell in a shell"
            ),
            Kind::OldArithmetic => {
                format!("{snippet} {at} is arithmetic in some shells and text in others: write `$((…))`")
            }
            Kind::InParameterExpansion => format!(
                "{snippet} {at} stands inside `${{…}}`, which belongs to the shell: no value and no brace can stand there"
            ),
            Kind::QuoteInParameterExpansion => format!(
                "{snippet} {at} is a quote inside a `${{…}}` inside \"…\", which shells read differently: take the \
                 `${{…}}` out of the quotes"
            ),
            Kind::EscapeInAnsiQuote => {
                format!("{snippet} {at} stands inside $'…', which shells read differently: write `\"'\"` for a quote")
            }
            Kind::CaseInSubstitution => format!(
                "{snippet} {at} stands in a `$(…)` inside \"…\", where cmd! cannot follow it: take the `$(…)` out of \
                 the quotes"
            ),
            Kind::SplitToken => format!("{snippet} {at} is parted from what follows by a line break: join the lines"),
            Kind::AfterBackslash => format!(
                "{snippet} {at} stands behind a backslash, which would take its quote away: write `{{{{` and `}}}}` \
                 for braces of the shell"
            ),
            Kind::AfterVariable(name) => format!(
                "{snippet} {at} stands right behind `${name}` and would become part of that name: write `${{{name}}}`"
            ),
            Kind::BeforeRedirect => format!(
                "{snippet} {at} stands right before a redirection, where a number would be a file descriptor: put a \
                 blank between them"
            ),
            Kind::ListNotSeparated => format!("{snippet} {at} becomes several words: put blanks around it"),
            Kind::Unclosed => format!("{snippet} {at} is never closed"),
            Kind::TrailingBackslash => format!("{snippet} {at} is the last character, and there is nothing to escape"),
            Kind::UnclosedBrace => format!("{snippet} {at} is never closed: write `{{{{` for a brace of the shell"),
            Kind::UnmatchedBrace => format!("{snippet} {at} closes nothing: write `}}}}` for a brace of the shell"),
            Kind::InvalidPlaceholder(error) => placeholder_message(&self.snippet, &at, *error),
        }
    }
}

fn placeholder_message(snippet: &str, at: &str, error: PlaceholderError) -> String {
    let doubled = doubled_braces(snippet);
    let snippet = in_backticks(snippet);
    match error {
        PlaceholderError::Empty => {
            format!("{snippet} {at} names no value: write `{{name}}`, or {doubled} for braces of the shell")
        }
        PlaceholderError::Positional => {
            format!("{snippet} {at}: values go by name: write `{{name}}`, or {doubled} for braces of the shell")
        }
        PlaceholderError::FormattedList => format!("{snippet} {at}: a list cannot be formatted: write `{{name...}}`"),
        PlaceholderError::NotAName => format!(
            "{snippet} {at} is no name: values are `{{name}}`, `{{name.field}}` or `{{name...}}` (bind anything else by \
             `let` first), braces of the shell are {doubled}"
        ),
    }
}

/// Returns how braces are written that belong to the shell.
fn doubled_braces(braces: &str) -> String {
    // Where others stand inside them, each has to be doubled for itself.
    if braces.matches('{').count() > 1 { "`{{` and `}}`".to_owned() } else { in_backticks(&format!("{{{braces}}}")) }
}

/// Puts a snippet of the literal in backticks, on one line, and cut where it is long.
fn in_backticks(snippet: &str) -> String {
    const MAX_SNIPPET_CHARS: usize = 50;
    let mut text: String = snippet.replace('\n', "\\n");
    if text.chars().count() > MAX_SNIPPET_CHARS {
        text = text.chars().take(MAX_SNIPPET_CHARS).chain(['…']).collect();
    }
    // As Markdown does, so that it can be told from what is around it.
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Names a position as a person counts: from one, and with the line where there are several.
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
    fn a_position_counts_characters_from_one_and_names_the_line_where_there_are_several() {
        assert_eq!(format_position("echo '{x}'", 6), "at column 7");
        assert_eq!(format_position("ä '{x}'", 3), "at column 4");
        assert_eq!(format_position("a\nbc {x", 5), "at line 2, column 4");
        assert_eq!(format_position("a\n", 0), "at column 1");
    }
}
