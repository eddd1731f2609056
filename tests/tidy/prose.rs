//! The prose of docs, comments and pages: plain English, measured.
//!
//! The limits come from the docs of openssh, xshell, axum and nextest. A number is a smell: a text
//! below the limits can still be bad, but a text above them is hard to read.

use std::path::{Path, PathBuf};

use crate::repository::{CRATES, crate_sources, files, root};

const RELATIVE: [&str; 13] = [
    "what",
    "whatever",
    "who",
    "whom",
    "whose",
    "whoever",
    "which",
    "whichever",
    "where",
    "wherever",
    "whether",
    "whomever",
    "wherein",
];
const PRONOUNS: [&str; 5] = ["that", "it", "its", "one", "ones"];
const RELATIVE_STARTS: [&str; 7] = ["what", "who", "whose", "whether", "how", "where", "why"];

/// The maximum number of relative words per 1,000 words of a crate.
const MAX_RELATIVE: f64 = 8.0;
/// The maximum number of *that*, *it* and *one* per 1,000 words of a crate.
const MAX_PRONOUNS: f64 = 27.0;
/// The maximum of relative words per 1,000 words of one file with at least [`MIN_WORDS`] words.
const MAX_RELATIVE_OF_FILE: f64 = 20.0;
/// The minimum number of words for a measurement of one file.
const MIN_WORDS: usize = 150;
/// The maximum width of a comment line.
const MAX_COMMENT_COLUMNS: usize = 100;

/// A block of consecutive comment lines, or a paragraph of a page.
struct Block {
    is_doc: bool,
    text: String,
}

/// The path of a file, and its blocks.
type FileBlocks = (PathBuf, Vec<Block>);

#[derive(Default)]
struct Count {
    words: usize,
    relative: usize,
    pronouns: usize,
}

impl Count {
    fn of<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Self {
        let mut count = Self::default();
        for word in blocks.into_iter().flat_map(|block| words(&block.text)) {
            count.words += 1;
            count.relative += usize::from(RELATIVE.contains(&word.as_str()));
            count.pronouns += usize::from(PRONOUNS.contains(&word.as_str()));
        }
        count
    }

    #[expect(clippy::cast_precision_loss, reason = "a page has fewer than 2^52 words")]
    fn per_thousand(&self, count: usize) -> f64 {
        1000.0 * count as f64 / self.words.max(1) as f64
    }
}

/// Returns the words of a text in lower case, without code spans and links.
fn words(text: &str) -> Vec<String> {
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    prose
        .split(|c: char| !(c.is_ascii_alphabetic() || c == '\'' || c == '-'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(str::to_lowercase)
        .collect()
}

/// Returns the comment blocks of a source file, without fenced code.
fn comments(text: &str) -> Vec<Block> {
    let mut blocks = Vec::<Block>::new();
    let (mut last, mut is_fenced) = ("", false);
    for line in text.lines() {
        let line = line.trim_start();
        let kind = ["///", "//!", "//"].into_iter().find(|kind| line.starts_with(kind)).unwrap_or_default();
        let content = line.get(kind.len()..).unwrap_or_default().trim();
        if kind.is_empty() {
            is_fenced = false;
        } else if content.starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced && kind == last {
            if let Some(block) = blocks.last_mut() {
                block.text.push(' ');
                block.text.push_str(content);
            }
        } else if !is_fenced {
            blocks.push(Block { is_doc: kind != "//", text: content.to_owned() });
        }
        last = kind;
    }
    blocks
}

/// Returns the paragraphs of a Markdown page, without fenced code and tables.
fn paragraphs(text: &str) -> Vec<Block> {
    let outside: Vec<&str> = text.split("```").step_by(2).collect();
    outside
        .iter()
        .flat_map(|part| part.split("\n\n"))
        .map(|paragraph| paragraph.lines().filter(|line| !line.starts_with('|')).collect::<Vec<_>>().join(" "))
        .filter(|text| !text.trim().is_empty())
        .map(|text| Block { is_doc: true, text })
        .collect()
}

/// Returns the parts of the repository that are measured, each with its files and their blocks.
fn parts() -> Vec<(String, Vec<FileBlocks>)> {
    let measured = |files: Vec<(PathBuf, String)>| {
        files.into_iter().map(|(path, text)| (path, comments(&text))).collect::<Vec<_>>()
    };
    let mut parts: Vec<_> = CRATES
        .into_iter()
        .map(|krate| {
            let tests = if krate == "." { "tests".to_owned() } else { format!("{krate}/tests") };
            let tests = if root().join(&tests).exists() { files(&tests, ".rs") } else { Vec::new() };
            (krate.to_owned(), measured([crate_sources(krate), tests].concat()))
        })
        .collect();
    parts.push(("examples".to_owned(), measured(files("examples", ".rs"))));
    for page in ["README.md", "ARCHITECTURE.md"] {
        let text = std::fs::read_to_string(root().join(page)).expect("the page exists");
        parts.push((page.to_owned(), vec![(Path::new(page).to_owned(), paragraphs(&text))]));
    }
    parts
}

#[test]
fn prose_has_few_relative_words_and_pronouns() {
    let mut violations = Vec::new();
    for (part, files) in parts() {
        let count = Count::of(files.iter().flat_map(|(_, blocks)| blocks));
        let (relative, pronouns) = (count.per_thousand(count.relative), count.per_thousand(count.pronouns));
        if relative > MAX_RELATIVE || pronouns > MAX_PRONOUNS {
            violations.push(format!("{part}: {relative:.1} relative words and {pronouns:.1} pronouns per 1,000"));
        }
        for (path, blocks) in files {
            let count = Count::of(&blocks);
            let relative = count.per_thousand(count.relative);
            if count.words >= MIN_WORDS && relative > MAX_RELATIVE_OF_FILE {
                violations.push(format!("{}: {relative:.1} relative words per 1,000", path.display()));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn docs_start_with_a_noun_or_a_verb() {
    let mut violations = Vec::new();
    for (path, blocks) in parts().into_iter().flat_map(|(_, files)| files) {
        for block in blocks.iter().filter(|block| block.is_doc) {
            let first = block.text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            if RELATIVE_STARTS.contains(&first.to_lowercase().as_str()) {
                violations.push(format!("{}: {}", path.display(), block.text));
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn every_source_file_starts_with_a_sentence_about_its_content() {
    for (path, text) in CRATES.into_iter().flat_map(crate_sources) {
        let path = path.display();
        let doc: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let first: Vec<&str> = doc.iter().take_while(|line| line.trim() != "//!").copied().collect();
        let first = first.join(" ");
        assert!(!first.is_empty(), "{path} has no module doc");
        assert!(first.ends_with(['.', '!', ':']), "{path}: the first paragraph is no sentence: {first}");
    }
}

#[test]
fn comment_lines_have_at_most_100_columns() {
    let mut wide = Vec::new();
    let tests = CRATES.into_iter().filter(|krate| *krate != ".").map(|krate| format!("{krate}/tests"));
    let tests = tests.chain(["tests".to_owned()]).filter(|folder| root().join(folder).exists());
    let all = CRATES.into_iter().flat_map(crate_sources).chain(tests.flat_map(|folder| files(&folder, ".rs")));
    for (path, text) in all {
        let mut is_fenced = false;
        for (n, line) in text.lines().enumerate() {
            let comment = ["///", "//!", "//"].into_iter().find_map(|kind| line.trim_start().strip_prefix(kind));
            // Examples are code: rustfmt has the limit of their lines.
            is_fenced = comment.is_some_and(|text| is_fenced != text.trim_start().starts_with("```"));
            if comment.is_some() && !is_fenced && line.chars().count() > MAX_COMMENT_COLUMNS && !line.contains("://") {
                wide.push(format!("{}:{}", path.display(), n + 1));
            }
        }
    }
    assert!(wide.is_empty(), "{} lines: {:#?}", wide.len(), wide.get(..20).unwrap_or(&wide));
}
