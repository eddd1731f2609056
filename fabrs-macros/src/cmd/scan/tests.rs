//! Tests of the scanner: accepted and rejected lines, and a comparison with real shells.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::cmd::placeholder::PlaceholderKind;

/// Formats the parts with each value as `<name>` and each list as `<name...>`.
fn rendered(line: &str) -> Result<String, String> {
    let parts = scan(line).map_err(|error| error.message(line))?;
    let render = |part: &LinePart| match part {
        LinePart::Text(text) => text.clone(),
        LinePart::Value(value) => match &value.kind {
            PlaceholderKind::Word => format!("<{}>", value.path.join(".")),
            PlaceholderKind::List => format!("<{}...>", value.path.join(".")),
            PlaceholderKind::Formatted(spec) => format!("<{}:{spec}>", value.path.join(".")),
        },
    };
    Ok(parts.iter().map(render).collect())
}

#[track_caller]
fn assert_scanned(line: &str, expected: &str) {
    assert_eq!(rendered(line).as_deref(), Ok(expected), "{line}");
}

#[track_caller]
fn assert_error(line: &str, expected: &str) {
    let message = rendered(line).expect_err(line);
    assert!(message.starts_with(expected), "{line}\n  actual:   {message}\n  expected: {expected}");
}

#[test]
fn values_are_accepted_with_reliable_quoting() {
    assert_scanned("git reset --hard {tag}", "git reset --hard <tag>");
    assert_scanned("cp {from} /srv/{app.name}/{n:03}.log", "cp <from> /srv/<app.name>/<n:03>.log");
    assert_scanned("rm -- {files...}", "rm -- <files...>");
    assert_scanned("({list...})|wc", "(<list...>)|wc");
    assert_scanned("echo 'a'{x}\"b\"", "echo 'a'<x>\"b\"");
    assert_scanned("a={x} b >{log} 2>&1", "a=<x> b ><log> 2>&1");
    assert_scanned("echo \"$(basename {path})\" {x}", "echo \"$(basename <path>)\" <x>");
    assert_scanned("echo \"$(a \"$(b {x})\" (c) )\" '{{'", "echo \"$(a \"$(b <x>)\" (c) )\" '{'");
    assert_scanned("echo ${x:-$(a {v})}", "echo ${x:-$(a <v>)}");
    assert_scanned("kill $${x} $1{x}", "kill $$<x> $1<x>");
    assert_scanned("case $x in a) echo {v};; esac", "case $x in a) echo <v>;; esac");
    assert_scanned("(a) && ( (b {v}) )", "(a) && ( (b <v>) )");
    assert_scanned("echo $(($x * (2 + $(a {v})))){v}", "echo $(($x * (2 + $(a <v>))))<v>");
}

#[test]
fn doubled_braces_and_braces_after_a_dollar_are_for_the_shell() {
    assert_scanned("awk '{{print $1}}' {f}", "awk '{print $1}' <f>");
    assert_scanned("mkdir {{a,b}} {{{x}}}", "mkdir {a,b} {<x>}");
    assert_scanned("echo ${HOME} ${x:-'}'} \"${y:-z}\" ${a:-${b}}", "echo ${HOME} ${x:-'}'} \"${y:-z}\" ${a:-${b}}");
    assert_scanned("sh -c 'echo ${a:-${b}}'", "sh -c 'echo ${a:-${b}}'");
    assert_scanned("find . -exec rm {{}} \\;", "find . -exec rm {} \\;");
    assert_scanned("echo \\{{x}}", "echo \\{x}");
    assert_scanned("f() {{ ls; }}", "f() { ls; }");
}

#[test]
fn a_value_inside_quotes_is_rejected() {
    assert_error("echo '-- {x}'", "`{x}` at column 10 is inside '…': cmd! quotes values itself, so remove the quotes");
    assert_error(
        "echo \"-- {x}\"",
        "`{x}` at column 10 is inside \"…\": cmd! quotes values itself, so remove the quotes",
    );
    assert_error("echo \"$(a \"{x}\")\"", "`{x}` at column 12 is inside \"…\"");
    assert_error("echo $'{x}'", "`{x}` at column 8 is inside '…'");
    assert_error("echo it's {x}", "`{x}` at column 11 is inside '…'");
    assert_error("echo \"\\{x}\"", "`{x}` at column 8 is inside \"…\"");
}

#[test]
fn a_value_without_reliable_quoting_is_rejected() {
    assert_error("echo `a {x}`", "`{x}` at column 9 is inside backticks");
    assert_error("echo \"`a {x}`\"", "`{x}` at column 10 is inside backticks");
    assert_error("ls # {x}", "`{x}` at column 6 is in a comment");
    assert_error("echo $((1 + {n}))", "`{n}` at column 13 is inside `((…))`");
    assert_error("echo \"$((1 + {n}))\"", "`{n}` at column 14 is inside `((…))`");
    assert_error("((x = {n}))", "`{n}` at column 7 is inside `((…))`");
    assert_error("echo $[{n}]", "`$[` at column 6 is arithmetic in some shells");
    assert_error("cat <<E\n{x}\nE", "`{x}` at line 2, column 1 is in a here-document");
    assert_error("cat <<'E' >f\na\n{x}\nE", "`{x}` at line 3, column 1 is in a here-document");
    assert_error(
        "cat <<E\n$(a {x})\nE",
        "`$` at line 2, column 1 is in a here-document, where an expansion must be on one line",
    );
    assert_error("cat <<{x}\nE", "`<<{x}` at line 1, column 5: a here-document needs a plain end marker");
    assert_error("echo ${x:-{y}}", "`{y}` at column 11 is inside `${…}`");
    assert_error("echo \\{x}", "`{x}` at column 7 follows a backslash");
    assert_error(
        "echo $HOME{x}",
        "`{x}` at column 11 directly follows `$HOME` and would become part of the name: write `${HOME}`",
    );
    assert_error("echo {n}>log", "`{n}` at column 6 directly precedes a redirection");
    assert_error("cp --to={dirs...}", "`{dirs...}` at column 9 expands to several words");
    assert_error("cp {a...}{b}", "`{a...}` at column 4 expands to several words");
}

#[test]
fn ambiguous_shell_syntax_is_rejected() {
    assert_error("echo $'it\\'s'", "`\\'` at column 10 is inside $'…'");
    assert_error("echo \"${x:-'y'}\"", "`'` at column 12 is a quote inside a `${…}` inside \"…\"");
    assert_error("echo \"$(case a in a) b;; esac)\"", "`case` at column 9 is in a `$(…)` inside \"…\"");
    assert_error(
        "cat <<E\n$(a\nE\n)\nE",
        "`$` at line 2, column 1 is in a here-document, where an expansion must be on one line",
    );
    assert_error("cat <<E\n`a\nE\n`\nE", "`` ` `` at line 2, column 1 is in a here-document");
    assert_error("((a \"b\") | c)", "`\"` at column 5 is inside `((…))`, and shells disagree about its meaning");
    assert_error("echo $((a) | b)", "`)` at column 10 is inside `((…))`, and shells disagree about its meaning");
    assert_error("echo $(a)#'", "`#` at column 10 directly follows a `)`");
    assert_error("echo \"$\\\n(a)\"", "`$` at line 1, column 7 is split by a backslash and a line break");
}

#[test]
fn unclosed_syntax_is_rejected() {
    assert_error("echo it's", "`'` at column 8 is not closed");
    assert_error("echo \"a", "`\"` at column 6 is not closed");
    assert_error("echo `a", "`` ` `` at column 6 is not closed");
    assert_error("echo \"$(a\"", "`\"` at column 10 is not closed");
    assert_error("echo \"$(a", "`$(` at column 7 is not closed");
    assert_error("echo ${a", "`${` at column 6 is not closed");
    assert_error("cat <<E\na", "`<<` at line 1, column 5 is not closed");
    assert_error("echo \\", "`\\` at column 6 is the last character");
    assert_error("echo {x", "`{` at column 6 is not closed: write `{{`");
    assert_error("echo x}", "`}` at column 7 has no matching `{`: write `}}`");
    assert_error("echo \0", "NUL byte at column 6: a shell line cannot contain NUL bytes");
}

#[test]
fn braces_without_a_name_have_a_message_with_the_syntax() {
    assert_error("awk '{print $1}'", "`{print $1}` at column 6 is not a name: values are `{name}`, ");
    assert!(rendered("mkdir {a,b}").unwrap_err().ends_with("braces of the shell are `{{a,b}}`"));
    assert_error("sh -c '{a\nb}'", "`{a\\nb}` at line 1, column 8 is not a name");
    assert!(rendered("echo '{\"a\": {\"b\": 1}}'").unwrap_err().ends_with("braces of the shell are `{{` and `}}`"));
    assert_error("ls {}", "`{}` at column 4 has no name: write `{name}`, or `{{}}` for braces of the shell");
    assert_error("ls {0}", "`{0}` at column 4 is positional: write `{name}`, or `{{0}}` for braces");
    assert_error("ls {l...:03}", "`{l...:03}` at column 4: a list cannot be formatted: write `{name...}`");
}

#[test]
fn quotes_in_comments_and_here_documents_are_plain_text() {
    assert_scanned("ls # don't\nrm {x}", "ls # don't\nrm <x>");
    assert_scanned("echo a#'b' {x} $# 'c'", "echo a#'b' <x> $# 'c'");
    assert_scanned("cat >{f} <<'E'\nit's\nE\nrm {x}", "cat ><f> <<'E'\nit's\nE\nrm <x>");
    assert_scanned("cat <<A <<-B\na\"\nA\n\t'\n\tB\n", "cat <<A <<-B\na\"\nA\n\t'\n\tB\n");
    assert_scanned("cat <<E\na\\\nE\n'\nE\nrm {x}", "cat <<E\na\\\nE\n'\nE\nrm <x>");
    assert_scanned("cat <<E\n$(date +\"%F\") ${x} `a`\nE\nrm {x}", "cat <<E\n$(date +\"%F\") ${x} `a`\nE\nrm <x>");
    assert_scanned("cat <<'E'\n$(date\n`\nE\nrm {x}", "cat <<'E'\n$(date\n`\nE\nrm <x>");
    assert_scanned("cat <<<{x} $((1<<2))\n", "cat <<<<x> $((1<<2))\n");
}

/// Fragments of random lines: all tokens that open, close or hide a quote.
const FRAGMENTS: [&str; 32] = [
    "{v}",
    "{v}",
    "{v}",
    "\"{v}\"",
    " {v} ",
    ": ",
    ": ",
    " ",
    "'",
    "\"",
    "`",
    "\\",
    "$",
    "$(",
    "\"$(",
    "((",
    "$((",
    "))",
    "(",
    ")",
    ")\"",
    ")#",
    "#",
    "${x:-",
    "}}",
    "$'",
    "\n",
    ": <<E\n",
    "<<'E'\n",
    "\nE\n",
    "case a in a)",
    ";;esac",
];

/// Values that perform an addition if a shell executes them.
const HOSTILE: [&str; 6] = [
    "$(echo $((40000000+2))>&2)",
    "`echo $((40000000+2))>&2`",
    "';echo $((40000000+2))>&2;'",
    "\";echo $((40000000+2))>&2;\"",
    "\necho $((40000000+2))>&2\n",
    "\nE\necho $((40000000+2))>&2\n",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        max_global_rejects: 1_000_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_shell_executes_a_value_in_an_accepted_line(
        fragments in proptest::collection::vec(proptest::sample::select(&FRAGMENTS[..]), 1..12),
        hostile in proptest::sample::select(&HOSTILE[..]),
    ) {
        let line = fragments.concat();
        let parts = scan(&line);
        prop_assume!(parts.as_ref().is_ok_and(|parts| parts.iter().any(|part| matches!(part, LinePart::Value(_)))));
        let quoted = shlex::try_quote(hostile).expect("the value holds no NUL");
        let script: String = parts.iter().flatten().map(|part| match part {
            LinePart::Text(text) => text.as_str(),
            LinePart::Value(_) => &quoted,
        }).collect();
        for shell in ["sh", "bash"] {
            prop_assert!(!executes(shell, &script), "{shell} executed the value in {line:?}: {script}");
        }
    }
}

/// Returns true if the shell performs the addition. A missing shell returns false.
fn executes(shell: &str, script: &str) -> bool {
    // With this `PATH`, the shell finds no programs and runs only built-in commands.
    let output = Command::new(format!("/bin/{shell}"))
        .args(["-c", script])
        .env("PATH", "/nonexistent")
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("40000002"))
}
