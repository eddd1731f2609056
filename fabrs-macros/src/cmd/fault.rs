//! Every mistake in a literal of `cmd!`, and the text that says what to write instead.

use super::placeholder::Misuse;

/// A mistake, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// The position of `piece` in the characters of the literal.
    pub(super) at: usize,
    /// The part of the literal that is wrong, as it is written there.
    pub(super) piece: String,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// A NUL byte.
    Nul,
    /// A value inside quotes of this sort.
    Quoted(char),
    /// A value inside backticks: there even quoted text is looked through for backslashes and backticks.
    InBackticks,
    /// A value in a comment: its first line break would end the comment.
    InComment,
    /// A `#` right behind a `)`: a comment after a subshell, part of a word after `$(…)`.
    UnclearComment,
    /// A value in a here-document: quotes are plain text there.
    InHereDocument,
    /// A `$(…)` in a here-document that goes over several lines, or holds a value.
    SubstitutionInHereDocument,
    /// The name that ends a here-document is none, or needs the shell to be read.
    HereDocumentName,
    /// A value in `((…))`: bash reads it as if in double quotes, so single quotes do not hold there.
    InArithmetic,
    /// A quote or a `)` in `((…))` by which shells tell calculating from a shell in a shell, each in its own way.
    UnclearArithmetic,
    /// `$[…]`, the arithmetic of old bash.
    OldArithmetic,
    /// A brace inside `${…}`.
    InExpansion,
    /// A quote inside a `${…}` inside double quotes: shells disagree on what it ends.
    QuoteInExpansion,
    /// `\'` inside `$'…'`: bash goes on, other shells end the quote.
    EscapeInAnsiQuote,
    /// `case` inside a `$(…)` inside double quotes: its `)` cannot be told from the end without a parser.
    CaseInSubstitution,
    /// A backslash and a line break in the middle of `$(`, `((` or `<<`.
    BrokenToken,
    /// A value behind a backslash, which would take away the quote.
    AfterBackslash,
    /// A value behind the `$name` of a variable: a bare word would become part of the name.
    AfterVariable(String),
    /// A value in front of `<` or `>`: a number would become a file descriptor.
    BeforeRedirect,
    /// A list with something that is no blank beside it.
    GluedList,
    /// Something that is opened and never closed.
    Unclosed,
    /// A backslash at the end of the line.
    TrailingBackslash,
    /// A `{` without its `}`.
    UnclosedBrace,
    /// A `}` without its `{`.
    LoneBrace,
    /// Braces with something else than a name in them.
    Braces(Misuse),
}

impl Fault {
    /// Returns the text of the compile error; `line` is the whole literal, for the column.
    pub(super) fn message(&self, line: &str) -> String {
        use FaultKind as K;
        let piece = shown(&self.piece);
        let at = position(line, self.at);
        match &self.kind {
            K::Nul => format!("NUL byte {at}: no shell can be given one"),
            K::Quoted(q) => format!("{piece} {at} stands inside {q}…{q}: values are quoted by cmd! itself"),
            K::InBackticks => format!(
                "{piece} {at} stands inside backticks, where no quoting holds: write `$(…)` instead of the backticks"
            ),
            K::InComment => format!("{piece} {at} stands in a comment, which a line break in the value would end"),
            K::UnclearComment => {
                format!("{piece} {at} stands right behind a `)`: put a blank between them for a comment, or quote it")
            }
            K::InHereDocument => format!(
                "{piece} {at} stands in a here-document, where no quoting holds: give the command its text by \
                 `.stdin(..)`"
            ),
            K::SubstitutionInHereDocument => format!(
                "{piece} {at} stands in a here-document, where it may hold no value and go over one line only: give \
                 the command its text by `.stdin(..)`"
            ),
            K::HereDocumentName => format!("{piece} {at}: a here-document needs a plain name to end it"),
            K::InArithmetic => format!(
                "{piece} {at} stands inside `((…))`, where no quoting holds: calculate it in Rust, or write `( (` \
                 for a shell in a shell"
            ),
            K::UnclearArithmetic => format!(
                "{piece} {at} stands inside `((…))`, which shells read differently: write `( (` for a shell in a shell"
            ),
            K::OldArithmetic => format!("{piece} {at} is arithmetic in some shells and text in others: write `$((…))`"),
            K::InExpansion => format!(
                "{piece} {at} stands inside `${{…}}`, which belongs to the shell: no value and no brace can stand there"
            ),
            K::QuoteInExpansion => format!(
                "{piece} {at} is a quote inside a `${{…}}` inside \"…\", which shells read differently: take the \
                 `${{…}}` out of the quotes"
            ),
            K::EscapeInAnsiQuote => {
                format!("{piece} {at} stands inside $'…', which shells read differently: write `\"'\"` for a quote")
            }
            K::CaseInSubstitution => format!(
                "{piece} {at} stands in a `$(…)` inside \"…\", where cmd! cannot follow it: take the `$(…)` out of \
                 the quotes"
            ),
            K::BrokenToken => format!("{piece} {at} is parted from what follows by a line break: join the lines"),
            K::AfterBackslash => format!(
                "{piece} {at} stands behind a backslash, which would take its quote away: write `{{{{` and `}}}}` \
                 for braces of the shell"
            ),
            K::AfterVariable(name) => format!(
                "{piece} {at} stands right behind `${name}` and would become part of that name: write `${{{name}}}`"
            ),
            K::BeforeRedirect => format!(
                "{piece} {at} stands right before a redirection, where a number would be a file descriptor: put a \
                 blank between them"
            ),
            K::GluedList => format!("{piece} {at} becomes several words: put blanks around it"),
            K::Unclosed => format!("{piece} {at} is never closed"),
            K::TrailingBackslash => format!("{piece} {at} is the last character, and there is nothing to escape"),
            K::UnclosedBrace => format!("{piece} {at} is never closed: write `{{{{` for a brace of the shell"),
            K::LoneBrace => format!("{piece} {at} closes nothing: write `}}}}` for a brace of the shell"),
            K::Braces(misuse) => braces(&self.piece, &at, *misuse),
        }
    }
}

fn braces(piece: &str, at: &str, misuse: Misuse) -> String {
    let doubled = doubled(piece);
    let piece = shown(piece);
    match misuse {
        Misuse::Empty => format!("{piece} {at} names no value: write `{{name}}`, or {doubled} for braces of the shell"),
        Misuse::Positional => {
            format!("{piece} {at}: values go by name: write `{{name}}`, or {doubled} for braces of the shell")
        }
        Misuse::FormattedList => format!("{piece} {at}: a list cannot be formatted: write `{{name...}}`"),
        Misuse::NoName => format!(
            "{piece} {at} is no name: values are `{{name}}`, `{{name.field}}` or `{{name...}}` (bind anything else by \
             `let` first), braces of the shell are {doubled}"
        ),
    }
}

/// Returns how braces are written that belong to the shell.
fn doubled(braces: &str) -> String {
    // Where others stand inside them, each has to be doubled for itself.
    if braces.matches('{').count() > 1 { "`{{` and `}}`".to_owned() } else { shown(&format!("{{{braces}}}")) }
}

/// Puts a piece of the literal in backticks, on one line, and cut where it is long.
fn shown(piece: &str) -> String {
    const LONGEST: usize = 50;
    let mut text: String = piece.replace('\n', "\\n");
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST).chain(['…']).collect();
    }
    // As Markdown does, so that it can be told from what is around it.
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// Names a position as a person counts: from one, and with the line where there are several.
fn position(line: &str, at: usize) -> String {
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
        assert_eq!(position("echo '{x}'", 6), "at column 7");
        assert_eq!(position("ä '{x}'", 3), "at column 4");
        assert_eq!(position("a\nbc {x", 5), "at line 2, column 4");
        assert_eq!(position("a\n", 0), "at column 1");
    }
}
