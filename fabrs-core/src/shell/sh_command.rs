//! POSIX scripts as one command line that every login shell accepts.

use std::fmt::Write as _;

/// The longest word of a line: csh refuses longer ones with "Word too long".
const MAX_WORD_LEN: usize = 4000;

/// Evaluates the text that the words of the line decode to. `printf` reuses its format for each word.
const EVAL: &str = r#"eval "$(printf %b "$0" "$@")""#;

/// Returns the command line that runs `script` by `/bin/sh`, whichever shell the login has.
///
/// csh, tcsh, fish, zsh and the POSIX shells agree on words in single quotes without a quote, a backslash before a quote or a
/// backslash, `!` and line ends. These and all other control characters become octal escapes, which `printf %b` of `/bin/sh`
/// decodes. `exec` leaves no login shell behind, so the process keeps its id and its process group.
pub(crate) fn sh_command(script: &str) -> String {
    format!("exec /bin/sh -c '{EVAL}'{}", words(script))
}

/// As [`sh_command`], for a server that starts commands in its own process group: the script leads a new session where the
/// host has `setsid`.
pub(crate) fn sh_command_in_session(script: &str) -> String {
    let again = format!("exec setsid /bin/sh -c '\\''{EVAL}'\\'' \"$0\" \"$@\"");
    let lead = format!("kill -0 -$$ 2>/dev/null || command -v setsid >/dev/null && {again}; {EVAL}");
    format!("exec /bin/sh -c '{lead}'{}", words(script))
}

/// Returns a text as words in single quotes, each with a blank before it.
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
            // Four digits: `printf %b` takes an octal number behind `\0`.
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
    fn a_script_of_many_words_runs_as_it_was_written() {
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
        assert_eq!(
            line.trim_start_matches("exec /bin/sh -c "),
            format!("'{EVAL}' 'a\\nb \\0047c\\0047 \\0134 \\0041 \\0001'")
        );
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
