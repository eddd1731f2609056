//! Joins shell lines with `&&`, `||` and `|`, and groups each line with braces if needed.

use crate::shell::line::{IntoShellLine, ShellLine};

/// Operators and characters that make braces necessary next to `&&`. A match inside quotes only
/// adds harmless braces.
const SEPARATORS: [&str; 5] = ["||", ";", "&", "\n", "#"];

impl ShellLine {
    /// Returns a line that runs `next` if this line succeeds: `&&`.
    ///
    /// ```
    /// use fabrs_core::ShellLine;
    ///
    /// let line = ShellLine::raw("test -d x || mkdir x").and("cd x");
    /// assert_eq!(line.as_str(), "{ test -d x || mkdir x; } && cd x");
    /// ```
    pub fn and(self, next: impl IntoShellLine) -> Self {
        self.joined(" && ", next, grouped)
    }

    /// Returns a line that runs `next` if this line fails: `||`.
    ///
    /// ```
    /// use fabrs_core::ShellLine;
    ///
    /// let line = ShellLine::raw("test -d x").or("mkdir x");
    /// assert_eq!(line.as_str(), "test -d x || mkdir x");
    /// ```
    pub fn or(self, next: impl IntoShellLine) -> Self {
        self.joined(" || ", next, |line| braced_if(line, line.contains("&&") || has_separator(line)))
    }

    /// Returns a line that pipes the stdout of this line into `next`: `|`.
    ///
    /// ```
    /// use fabrs_core::ShellLine;
    ///
    /// let line = ShellLine::raw("ls").pipe("wc -l");
    /// assert_eq!(line.as_str(), "ls | wc -l");
    /// ```
    pub fn pipe(self, next: impl IntoShellLine) -> Self {
        self.joined(" | ", next, |line| braced_if(line, line.contains("&&") || has_separator(line)))
    }

    fn joined(self, sign: &str, next: impl IntoShellLine, part: impl Fn(&str) -> String) -> Self {
        let next = next.into_shell_line();
        match (self.check(), next.check()) {
            (Ok(one), Ok(other)) => Self::raw(format!("{}{sign}{}", part(one), part(other))),
            (Err(_), _) => self,
            (Ok(_), Err(_)) => next,
        }
    }
}

/// Adds braces around a line with separators. Without braces, `b` in `cd /x && a; b` would run in
/// the wrong directory after a failed `cd`.
pub(crate) fn grouped(line: &str) -> String {
    braced_if(line, has_separator(line))
}

fn has_separator(line: &str) -> bool {
    let without_and = line.replace("&&", "");
    SEPARATORS.iter().any(|sign| without_and.contains(sign))
}

fn braced_if(line: &str, needs_braces: bool) -> String {
    match needs_braces {
        false => line.to_owned(),
        true if needs_line_end(line) => format!("{{ {line}\n}}"),
        true => format!("{{ {line}; }}"),
    }
}

/// Returns whether a line end is needed before `}`. The line may end with a comment, a
/// here-document or an operator.
fn needs_line_end(line: &str) -> bool {
    line.contains(['#', '\n', '\\']) || line.contains("<<") || line.trim_end().ends_with(['&', ';', '|'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::ShellLineError;

    fn stdout_of(line: &ShellLine) -> String {
        let output = std::process::Command::new("sh").args(["-c", line.check().unwrap()]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn each_joined_line_stays_together() {
        let (yes, no) = (|| ShellLine::raw("echo a; true"), || ShellLine::raw("echo b; false"));
        assert_eq!(stdout_of(&yes().and("echo c")), "a\nc\n");
        assert_eq!(stdout_of(&no().and("echo c; echo d")), "b\n");
        assert_eq!(stdout_of(&no().or("echo c && echo d")), "b\nc\nd\n");
        assert_eq!(stdout_of(&yes().or("echo c; echo d")), "a\n");
        assert_eq!(stdout_of(&yes().and(no().or("echo c")).and("echo d")), "a\nb\nc\nd\n");
        assert_eq!(stdout_of(&ShellLine::raw("echo b && echo a # first").pipe("sort")), "a\nb\n");
        assert_eq!(stdout_of(&ShellLine::raw("echo x").pipe("cat; echo y").and("echo z")), "x\ny\nz\n");
        assert_eq!(ShellLine::raw("a").and("b").and("c").pipe("d").as_str(), "{ a && b && c; } | d");
    }

    #[test]
    fn an_invalid_line_stays_invalid_when_joined() {
        let forgotten = ShellLine::raw("true").and("echo {name}").or("x");
        assert_eq!(forgotten.check(), Err(ShellLineError::ForgottenCmd("name".to_owned())));
        assert_eq!(ShellLine::raw("a\0").pipe("b").check(), Err(ShellLineError::Nul));
    }
}
