//! Detects lines with only a program and its arguments.

/// Words interpreted by a shell even if a program has this name: reserved words and special
/// built-ins (POSIX.1-2024, XCU §2.4 and §2.15), and built-ins with an effect on the shell.
const SHELL_WORDS: [&str; 54] = [
    "!", ".", ":", "[[", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "declare", "do",
    "done", "elif", "else", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function", "getopts",
    "hash", "if", "in", "jobs", "let", "local", "read", "readonly", "return", "select", "set", "shift", "shopt",
    "source", "then", "time", "times", "trap", "type", "ulimit", "umask", "unalias", "unset", "until", "wait", "while",
];

/// Returns whether a line is a program with arguments and needs no shell: no variable, pattern,
/// redirection or second command. A plain line can be started without a shell.
pub(crate) fn is_plain(line: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _./:=@%+,-".contains(c);
    // Nothing is special inside the single quotes written by `cmd!`.
    let outside = line.split('\'').step_by(2);
    let is_closed = line.matches('\'').count().is_multiple_of(2);
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_program = !first.is_empty() && !first.contains(['=', '\'']) && !SHELL_WORDS.contains(&first);
    is_closed && is_program && outside.into_iter().all(|part| part.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(line: &str, expected: bool) {
        assert_eq!(is_plain(line), expected, "{line}");
    }

    #[test]
    fn only_a_program_with_words_is_plain() {
        case("systemctl reload shop", true);
        case("/usr/bin/install -m 0644 a=b 'it is one word; $x'", true);
        case("id", true);
        for line in
            ["a && b", "a; b", "a | b", "a > b", "a $b", "a *", "a ~", "a `b`", "a \"b\"", "a \\b", "a #b", "a\nb"]
        {
            case(line, false);
        }
        for line in ["cd /srv", "A=b id", "if true", "while true", "'a' b", "", " ", "exit 3", "it's"] {
            case(line, false);
        }
    }
}
