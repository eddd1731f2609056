//! POSIX scripts as a command line for every login shell.

use std::fmt::Write as _;

/// The maximum length of a word in bytes. csh rejects longer words with "Word too long".
const MAX_WORD_LEN: usize = 4000;

/// Evaluates the text decoded from the arguments. `printf` reuses its format for each word. If
/// `printf` fails, the script does not run, and the exit status reports the failure.
const EVAL: &str = r#"fabrs_script=$(printf %b "$@") && set -- && eval "$fabrs_script""#;

/// Returns a command line that runs `script` with `/bin/sh`, for any login shell.
///
/// All login shells read a single-quoted word the same way if the word has no quote, backslash, `!`
/// or control character. These characters become octal escapes (a line end becomes `\n`), and
/// `printf %b` of `/bin/sh` decodes them. `exec` replaces the login shell, so the process keeps its
/// id and its process group.
///
/// `$0` is `sh`, because shells start their messages with `$0`.
pub(crate) fn sh_command(script: &str) -> String {
    format!("exec {}", sh_call(script))
}

/// Returns a command line that runs `script` with `/bin/sh` as a child of the login shell. Other
/// commands can follow.
pub(crate) fn sh_call(script: &str) -> String {
    format!("/bin/sh -c '{EVAL}' sh{}", words(script))
}

/// Like [`sh_command`], for a server that starts commands in its own process group. The script
/// leads a new session if the host has `setsid`.
pub(crate) fn sh_command_in_session(script: &str) -> String {
    // `setsid` forks if the process already leads a group, and the original process would end at
    // once.
    let lead = format!(
        "if kill -0 -$$ 2>/dev/null; then :; elif command -v setsid >/dev/null; \
         then exec setsid /bin/sh -c '\\''{EVAL}'\\'' sh \"$@\"; fi; {EVAL}"
    );
    format!("exec /bin/sh -c '{lead}' sh{}", words(script))
}

/// Returns a text as single-quoted words, each with a space in front.
fn words(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + text.len() / 4 + 16);
    let mut length = 0;
    line.push_str(" '");
    for c in text.chars() {
        if length >= MAX_WORD_LEN {
            line.push_str("' '");
            length = 0;
        }
        let before = line.len();
        match c {
            '\n' => line.push_str("\\n"),
            // Four digits, because `printf %b` reads an octal number after `\0`.
            '\'' | '\\' | '!' => {
                let _infallible = write!(line, "\\0{:03o}", u32::from(c));
            }
            c if c.is_ascii_control() => {
                let _infallible = write!(line, "\\0{:03o}", u32::from(c));
            }
            c => line.push(c),
        }
        length += line.len() - before;
    }
    line.push('\'');
    line
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn output_of(line: &str) -> String {
        let output = Command::new("sh").args(["-c", line]).output().expect("there is a sh");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    #[test]
    fn a_long_script_runs_unchanged() {
        let long = "x".repeat(3 * MAX_WORD_LEN);
        let script = format!("printf '%s\\n' 'it'\\''s! %d' \"$(printf '%s' {long} | wc -c)\"\nexit 0");
        let expected = format!("it's! %d\n{}\n", long.len());
        assert_eq!(output_of(&sh_command(&script)), expected);
        assert_eq!(output_of(&sh_command_in_session(&script)), expected);
    }

    #[test]
    fn a_script_is_one_line_of_plain_words() {
        let line = sh_command("a\nb 'c' \\ ! \u{1}");
        assert!(!line.contains(['\n', '!', '\u{1}']), "{line}");
        assert_eq!(line, format!("exec /bin/sh -c '{EVAL}' sh 'a\\nb \\0047c\\0047 \\0134 \\0041 \\0001'"));
    }

    #[test]
    fn a_script_in_a_group_leader_is_waited_for() {
        let line = sh_command_in_session("exit 9");
        let status = Command::new("setsid").args(["-w", "sh", "-c", &line]).status().expect("there is a setsid");
        assert_eq!(status.code(), Some(9));
    }

    #[test]
    fn a_script_without_free_descriptors_fails() {
        // Without a free descriptor, the shell can't make the pipe of a command substitution.
        let line = format!("ulimit -n 3; {}", sh_command("exit 0").replacen("exec /bin/sh", "exec bash", 1));
        let output = Command::new("bash").args(["-c", &line]).output().expect("there is a bash");
        assert!(!output.status.success(), "{output:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_text_reaches_the_script(text in "[ -~\t\n€é]{1,200}") {
            let word = crate::shell::quote(&text).unwrap();
            let script = format!("printf '%s.' {word}");
            prop_assert_eq!(output_of(&sh_command(&script)), format!("{text}."));
        }
    }
}
