//! What cargo says while it builds, one line at a time.

use std::path::PathBuf;

use serde_json::Value;

/// A line of cargo's stdout, as far as it matters.
#[derive(Debug, PartialEq)]
pub(crate) enum CargoMessage {
    /// A target is compiled, now or some time before.
    Artifact(Artifact),
    /// The compiler has something to say.
    Diagnostic(Diagnostic),
}

/// A compiled target.
#[derive(Debug, PartialEq)]
pub(crate) struct Artifact {
    /// Its package, as cargo identifies it.
    pub(crate) package: String,
    /// Where its manifest is.
    pub(crate) manifest: PathBuf,
    /// What was made of it.
    pub(crate) files: Vec<PathBuf>,
    /// The program, if it is one.
    pub(crate) executable: Option<PathBuf>,
}

/// A message of the compiler.
#[derive(Debug, PartialEq)]
pub(crate) struct Diagnostic {
    /// The package that it compiled.
    pub(crate) package: String,
    /// Whether compiling fails for it.
    pub(crate) is_error: bool,
    /// The message as a person is shown it.
    pub(crate) text: String,
}

/// A line of cargo's stderr.
#[derive(Debug, PartialEq)]
pub(crate) enum StatusLine<'a> {
    /// It begins to compile a crate.
    Compiling(&'a str),
    /// It does something that may take time.
    Busy(&'a str),
    /// Compiling a crate failed, which the compiler explained.
    Failed(&'a str),
    /// A line of an explanation.
    Text(&'a str),
}

impl Artifact {
    /// Tells whether the package lies in a folder, so that its sources may change.
    pub(crate) fn is_local(&self) -> bool {
        self.package.starts_with("path+")
    }
}

impl CargoMessage {
    /// Reads a line of JSON; of what doesn't matter there is none.
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
        let what = message["message"].as_str()?;
        // Cargo's own display leaves these out as well: they only count what stands above them.
        let counts = what.starts_with("aborting due to ")
            || what.ends_with("warning emitted")
            || what.ends_with("warnings emitted");
        let is_error = message["level"].as_str()?.starts_with("error");
        let text = message["rendered"].as_str()?.to_owned();
        (!counts).then_some(Self { package, is_error, text })
    }
}

impl<'a> StatusLine<'a> {
    /// Reads a line; of mere chatter there is none.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let trimmed = line.trim();
        // What is further in is part of an explanation, whatever it begins with; a status is right-aligned to 12.
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

/// Shortens the compiler's paths to what a person who stands in `cwd` would write.
pub(crate) fn shorten_paths(rendered: &str, cwd: &str) -> String {
    let prefix = format!("{}/", cwd.trim_end_matches('/'));
    let shorten = |line: &str| {
        // With colours there is an escape sequence between the arrow and the path.
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
    fn a_program_is_an_artifact() {
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
    fn the_compilers_counts_are_left_out() {
        assert_eq!(diagnostic("error", "cannot find value `x`"), Some(true));
        assert_eq!(diagnostic("error: internal compiler error", "oh"), Some(true));
        assert_eq!(diagnostic("warning", "unused"), Some(false));
        assert_eq!(diagnostic("error", "aborting due to 2 previous errors"), None);
        assert_eq!(diagnostic("warning", "1 warning emitted"), None);
        assert_eq!(CargoMessage::parse(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(CargoMessage::parse("no json"), None);
    }

    #[test]
    fn what_cargo_says_is_told_apart() {
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
    fn paths_below_the_folder_are_shown_from_there() {
        let arrow = " --> /my shop/tasks.rs:3:5\n  |\n3 | x(\"/my shop/a\")\n";
        assert_eq!(shorten_paths(arrow, "/my shop"), " --> tasks.rs:3:5\n  |\n3 | x(\"/my shop/a\")\n");
        assert_eq!(shorten_paths(arrow, "/other"), arrow);
        let coloured = "\u{1b}[34m--> \u{1b}[0m/shop/deploy/tasks.rs:3:5\n";
        assert_eq!(shorten_paths(coloured, "/shop/"), "\u{1b}[34m--> \u{1b}[0mdeploy/tasks.rs:3:5\n");
    }
}
