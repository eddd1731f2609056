//! Parsers for the output of `cargo build`: JSON messages on stdout, status lines on stderr.

use std::path::PathBuf;

use serde_json::Value;

/// A relevant JSON message on stdout.
#[derive(Debug, PartialEq)]
pub(crate) enum CargoMessage {
    /// A compiled target, new or from an earlier build.
    Artifact(Artifact),
    /// A message of the compiler.
    Diagnostic(Diagnostic),
}

/// A compiled target.
#[derive(Debug, PartialEq)]
pub(crate) struct Artifact {
    /// The package id.
    pub(crate) package: String,
    /// The path of the manifest.
    pub(crate) manifest: PathBuf,
    /// The compiled files.
    pub(crate) files: Vec<PathBuf>,
    /// The executable, if the target is a program.
    pub(crate) executable: Option<PathBuf>,
}

/// A message of the compiler.
#[derive(Debug, PartialEq)]
pub(crate) struct Diagnostic {
    /// The id of the compiled package.
    pub(crate) package: String,
    /// True for an error, false for a warning.
    pub(crate) is_error: bool,
    /// The complete message, as rendered for a terminal.
    pub(crate) text: String,
}

/// A relevant line of stderr.
#[derive(Debug, PartialEq)]
pub(crate) enum StatusLine<'a> {
    /// The start of the compilation of a crate.
    Compiling(&'a str),
    /// A step that may take time, such as a download.
    Busy(&'a str),
    /// A crate that failed to compile. The compiler has reported the reason on stdout.
    Failed(&'a str),
    /// A line of an error message of cargo.
    Text(&'a str),
}

impl Artifact {
    /// Returns true for a package in a local folder. Sources of such a package may change.
    pub(crate) fn is_local(&self) -> bool {
        self.package.starts_with("path+")
    }
}

impl CargoMessage {
    /// Parses a line of JSON. Returns `None` for an irrelevant message.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| message[key].as_str();
        let package = text("package_id")?.to_owned();
        match text("reason")? {
            "compiler-artifact" => Some(Self::Artifact(Artifact {
                package,
                manifest: PathBuf::from(text("manifest_path")?),
                files: message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from).collect(),
                executable: text("executable").map(PathBuf::from),
            })),
            "compiler-message" => Diagnostic::from_json(package, &message["message"]).map(Self::Diagnostic),
            _ => None,
        }
    }
}

impl Diagnostic {
    fn from_json(package: String, message: &Value) -> Option<Self> {
        let message_text = message["message"].as_str()?;
        // These messages only contain the number of errors and warnings above. Cargo hides them as
        // well.
        let is_count = message_text.starts_with("aborting due to ")
            || message_text.ends_with("warning emitted")
            || message_text.ends_with("warnings emitted");
        let is_error = message["level"].as_str()?.starts_with("error");
        let text = message["rendered"].as_str()?.to_owned();
        (!is_count).then_some(Self { package, is_error, text })
    }
}

impl<'a> StatusLine<'a> {
    /// Parses a line. Returns `None` for an irrelevant line.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let trimmed = line.trim();
        // Cargo aligns the first word of a status to the right, at column 12. A line with more
        // indentation belongs to an error message.
        let (first, rest) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
        let is_status = line.len() - line.trim_start().len() + first.len() == 12;
        match first {
            "Compiling" if is_status => Some(Self::Compiling(rest.split(' ').next().unwrap_or(rest))),
            "Blocking" | "Downloading" | "Updating" if is_status => Some(Self::Busy(trimmed)),
            _ if is_status || trimmed.is_empty() => None,
            _ if trimmed.starts_with("warning: ") => None,
            _ => match trimmed.strip_prefix("error: could not compile `") {
                Some(name) => Some(Self::Failed(name.split('`').next().unwrap_or(name))),
                None => Some(Self::Text(line.trim_end())),
            },
        }
    }
}

/// Makes the paths in a compiler message relative to the folder `cwd`.
pub(crate) fn shorten_paths(rendered: &str, cwd: &str) -> String {
    let prefix = format!("{}/", cwd.trim_end_matches('/'));
    let shorten = |line: &str| {
        // A coloured message has an escape sequence between the arrow and the path.
        let arrow = ["--> ", "::: "].into_iter().find_map(|arrow| line.find(arrow));
        match arrow {
            Some(at) => line[..at].to_owned() + &line[at..].replacen(&prefix, "", 1),
            None => line.to_owned(),
        }
    };
    rendered.split_inclusive('\n').map(shorten).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiled_program_is_an_artifact() {
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///c#tasks-1@0.0.0","manifest_path":"/c/Cargo.toml",
            "target":{"name":"tasks-1"},"filenames":["/t/debug/tasks-1"],"executable":"/t/debug/tasks-1","fresh":false}"#;
        let Some(CargoMessage::Artifact(artifact)) = CargoMessage::parse(line) else { panic!("no artifact") };
        assert!(artifact.is_local());
        assert_eq!(artifact.executable, Some("/t/debug/tasks-1".into()));
    }

    #[track_caller]
    fn diagnostic(level: &str, message: &str) -> Option<bool> {
        let line = format!(
            r#"{{"reason":"compiler-message","package_id":"p","message":{{"level":"{level}","message":"{message}","rendered":"r"}}}}"#
        );
        match CargoMessage::parse(&line)? {
            CargoMessage::Diagnostic(diagnostic) => Some(diagnostic.is_error),
            CargoMessage::Artifact(_) => panic!("an artifact"),
        }
    }

    #[test]
    fn error_counts_of_the_compiler_are_ignored() {
        assert_eq!(diagnostic("error", "cannot find value `x`"), Some(true));
        assert_eq!(diagnostic("error: internal compiler error", "oh"), Some(true));
        assert_eq!(diagnostic("warning", "unused"), Some(false));
        assert_eq!(diagnostic("error", "aborting due to 2 previous errors"), None);
        assert_eq!(diagnostic("warning", "1 warning emitted"), None);
        assert_eq!(CargoMessage::parse(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(CargoMessage::parse("no json"), None);
    }

    #[test]
    fn each_kind_of_status_line_is_recognised() {
        assert_eq!(StatusLine::parse("   Compiling russh v0.65.1"), Some(StatusLine::Compiling("russh")));
        let blocking = "    Blocking waiting for file lock on build directory";
        assert_eq!(StatusLine::parse(blocking), Some(StatusLine::Busy(blocking.trim())));
        assert_eq!(StatusLine::parse("    Finished `dev` profile in 0.1s"), None);
        assert_eq!(StatusLine::parse("warning: profile package spec `ring` did not match any packages"), None);
        let broken = "error: could not compile `tasks-1` (lib) due to 1 previous error";
        assert_eq!(StatusLine::parse(broken), Some(StatusLine::Failed("tasks-1")));
        assert_eq!(StatusLine::parse("  failed to read `/x`"), Some(StatusLine::Text("  failed to read `/x`")));
    }

    #[test]
    fn paths_below_the_working_directory_are_relative() {
        let arrow = " --> /my shop/tasks.rs:3:5\n  |\n3 | x(\"/my shop/a\")\n";
        assert_eq!(shorten_paths(arrow, "/my shop"), " --> tasks.rs:3:5\n  |\n3 | x(\"/my shop/a\")\n");
        assert_eq!(shorten_paths(arrow, "/other"), arrow);
        let coloured = "\u{1b}[34m--> \u{1b}[0m/shop/deploy/tasks.rs:3:5\n";
        assert_eq!(shorten_paths(coloured, "/shop/"), "\u{1b}[34m--> \u{1b}[0mdeploy/tasks.rs:3:5\n");
    }
}
