//! What the scanner takes, what it refuses, and that no shell disagrees with it.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::cmd::placeholder::Form;

/// Renders the parts as the line would be with each value as `<name>`, each list as `<name...>`.
fn rendered(line: &str) -> Result<String, String> {
    let parts = scan(line).map_err(|fault| fault.message(line))?;
    let render = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Value(value) => match &value.form {
            Form::Word => format!("<{}>", value.path.join(".")),
            Form::List => format!("<{}...>", value.path.join(".")),
            Form::Formatted(spec) => format!("<{}:{spec}>", value.path.join(".")),
        },
    };
    Ok(parts.iter().map(render).collect())
}

#[track_caller]
fn taken(line: &str, expected: &str) {
    assert_eq!(rendered(line).as_deref(), Ok(expected), "{line}");
}

#[track_caller]
fn refused(line: &str, expected: &str) {
    let message = rendered(line).expect_err(line);
    assert!(message.starts_with(expected), "{line}\n  said: {message}\n  not:  {expected}");
}

#[test]
fn values_stand_wherever_their_quoting_holds() {
    taken("git reset --hard {tag}", "git reset --hard <tag>");
    taken("cp {from} /srv/{app.name}/{n:03}.log", "cp <from> /srv/<app.name>/<n:03>.log");
    taken("rm -- {files...}", "rm -- <files...>");
    taken("({list...})|wc", "(<list...>)|wc");
    taken("echo 'a'{x}\"b\"", "echo 'a'<x>\"b\"");
    taken("a={x} b >{log} 2>&1", "a=<x> b ><log> 2>&1");
    taken("echo \"$(basename {path})\" {x}", "echo \"$(basename <path>)\" <x>");
    taken("echo \"$(a \"$(b {x})\" (c) )\" '{{'", "echo \"$(a \"$(b <x>)\" (c) )\" '{'");
    taken("echo ${x:-$(a {v})}", "echo ${x:-$(a <v>)}");
    taken("kill $${x} $1{x}", "kill $$<x> $1<x>");
    taken("case $x in a) echo {v};; esac", "case $x in a) echo <v>;; esac");
    taken("(a) && ( (b {v}) )", "(a) && ( (b <v>) )");
    taken("echo $(($x * (2 + $(a {v})))){v}", "echo $(($x * (2 + $(a <v>))))<v>");
}

#[test]
fn braces_are_doubled_and_those_behind_a_dollar_belong_to_the_shell() {
    taken("awk '{{print $1}}' {f}", "awk '{print $1}' <f>");
    taken("mkdir {{a,b}} {{{x}}}", "mkdir {a,b} {<x>}");
    taken("echo ${HOME} ${x:-'}'} \"${y:-z}\" ${a:-${b}}", "echo ${HOME} ${x:-'}'} \"${y:-z}\" ${a:-${b}}");
    taken("sh -c 'echo ${a:-${b}}'", "sh -c 'echo ${a:-${b}}'");
    taken("find . -exec rm {{}} \\;", "find . -exec rm {} \\;");
    taken("echo \\{{x}}", "echo \\{x}");
    taken("f() {{ ls; }}", "f() { ls; }");
}

#[test]
fn a_value_inside_quotes_is_refused() {
    refused("echo '-- {x}'", "`{x}` at column 10 stands inside '…': values are quoted by cmd! itself");
    refused("echo \"-- {x}\"", "`{x}` at column 10 stands inside \"…\": values are quoted by cmd! itself");
    refused("echo \"$(a \"{x}\")\"", "`{x}` at column 12 stands inside \"…\"");
    refused("echo $'{x}'", "`{x}` at column 8 stands inside '…'");
    refused("echo it's {x}", "`{x}` at column 11 stands inside '…'");
    refused("echo \"\\{x}\"", "`{x}` at column 8 stands inside \"…\"");
}

#[test]
fn a_value_where_no_quoting_holds_is_refused() {
    refused("echo `a {x}`", "`{x}` at column 9 stands inside backticks");
    refused("echo \"`a {x}`\"", "`{x}` at column 10 stands inside backticks");
    refused("ls # {x}", "`{x}` at column 6 stands in a comment");
    refused("echo $((1 + {n}))", "`{n}` at column 13 stands inside `((…))`");
    refused("echo \"$((1 + {n}))\"", "`{n}` at column 14 stands inside `((…))`");
    refused("((x = {n}))", "`{n}` at column 7 stands inside `((…))`");
    refused("echo $[{n}]", "`$[` at column 6 is arithmetic in some shells");
    refused("cat <<E\n{x}\nE", "`{x}` at line 2, column 1 stands in a here-document");
    refused("cat <<'E' >f\na\n{x}\nE", "`{x}` at line 3, column 1 stands in a here-document");
    refused("cat <<E\n$(a {x})\nE", "`$` at line 2, column 1 stands in a here-document, where it may hold no value");
    refused("cat <<{x}\nE", "`<<{x}` at line 1, column 5: a here-document needs a plain name");
    refused("echo ${x:-{y}}", "`{y}` at column 11 stands inside `${…}`, which belongs to the shell");
    refused("echo \\{x}", "`{x}` at column 7 stands behind a backslash");
    refused(
        "echo $HOME{x}",
        "`{x}` at column 11 stands right behind `$HOME` and would become part of that name: write `${HOME}`",
    );
    refused("echo {n}>log", "`{n}` at column 6 stands right before a redirection");
    refused("cp --to={dirs...}", "`{dirs...}` at column 9 becomes several words");
    refused("cp {a...}{b}", "`{a...}` at column 4 becomes several words");
}

#[test]
fn what_shells_read_differently_is_refused() {
    refused("echo $'it\\'s'", "`\\'` at column 10 stands inside $'…'");
    refused("echo \"${x:-'y'}\"", "`'` at column 12 is a quote inside a `${…}` inside \"…\"");
    refused("echo \"$(case a in a) b;; esac)\"", "`case` at column 9 stands in a `$(…)` inside \"…\"");
    refused(
        "cat <<E\n$(a\nE\n)\nE",
        "`$` at line 2, column 1 stands in a here-document, where it may hold no value and go",
    );
    refused("cat <<E\n`a\nE\n`\nE", "`` ` `` at line 2, column 1 stands in a here-document");
    refused("((a \"b\") | c)", "`\"` at column 5 stands inside `((…))`, which shells read differently");
    refused("echo $((a) | b)", "`)` at column 10 stands inside `((…))`, which shells read differently");
    refused("echo $(a)#'", "`#` at column 10 stands right behind a `)`");
    refused("echo \"$\\\n(a)\"", "`$` at line 1, column 7 is parted from what follows by a line break");
}

#[test]
fn what_is_opened_and_not_closed_is_refused() {
    refused("echo it's", "`'` at column 8 is never closed");
    refused("echo \"a", "`\"` at column 6 is never closed");
    refused("echo `a", "`` ` `` at column 6 is never closed");
    refused("echo \"$(a\"", "`\"` at column 10 is never closed");
    refused("echo \"$(a", "`$(` at column 7 is never closed");
    refused("echo ${a", "`${` at column 6 is never closed");
    refused("cat <<E\na", "`<<` at line 1, column 5 is never closed");
    refused("echo \\", "`\\` at column 6 is the last character");
    refused("echo {x", "`{` at column 6 is never closed: write `{{`");
    refused("echo x}", "`}` at column 7 closes nothing: write `}}`");
    refused("echo \0", "NUL byte at column 6: no shell can be given one");
}

#[test]
fn braces_without_a_name_say_what_to_write() {
    refused("awk '{print $1}'", "`{print $1}` at column 6 is no name: values are `{name}`, ");
    assert!(rendered("mkdir {a,b}").unwrap_err().ends_with("braces of the shell are `{{a,b}}`"));
    refused("sh -c '{a\nb}'", "`{a\\nb}` at line 1, column 8 is no name");
    assert!(rendered("echo '{\"a\": {\"b\": 1}}'").unwrap_err().ends_with("braces of the shell are `{{` and `}}`"));
    refused("ls {}", "`{}` at column 4 names no value: write `{name}`, or `{{}}` for braces of the shell");
    refused("ls {0}", "`{0}` at column 4: values go by name: write `{name}`, or `{{0}}` for braces");
    refused("ls {l...:03}", "`{l...:03}` at column 4: a list cannot be formatted: write `{name...}`");
}

#[test]
fn quotes_in_comments_and_here_documents_open_nothing() {
    taken("ls # don't\nrm {x}", "ls # don't\nrm <x>");
    taken("echo a#'b' {x} $# 'c'", "echo a#'b' <x> $# 'c'");
    taken("cat >{f} <<'E'\nit's\nE\nrm {x}", "cat ><f> <<'E'\nit's\nE\nrm <x>");
    taken("cat <<A <<-B\na\"\nA\n\t'\n\tB\n", "cat <<A <<-B\na\"\nA\n\t'\n\tB\n");
    taken("cat <<E\na\\\nE\n'\nE\nrm {x}", "cat <<E\na\\\nE\n'\nE\nrm <x>");
    taken("cat <<E\n$(date +\"%F\") ${x} `a`\nE\nrm {x}", "cat <<E\n$(date +\"%F\") ${x} `a`\nE\nrm <x>");
    taken("cat <<'E'\n$(date\n`\nE\nrm {x}", "cat <<'E'\n$(date\n`\nE\nrm <x>");
    taken("cat <<<{x} $((1<<2))\n", "cat <<<<x> $((1<<2))\n");
}

/// What the lines of the next test are made of: everything that opens, closes or hides a quote.
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

/// Adds two numbers where a shell executes it, and nowhere else.
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
    fn no_shell_executes_a_value_in_a_line_that_was_taken(
        fragments in proptest::collection::vec(proptest::sample::select(&FRAGMENTS[..]), 1..12),
        hostile in proptest::sample::select(&HOSTILE[..]),
    ) {
        let line = fragments.concat();
        let parts = scan(&line);
        prop_assume!(parts.as_ref().is_ok_and(|parts| parts.iter().any(|part| matches!(part, Part::Value(_)))));
        let quoted = shlex::try_quote(hostile).expect("the value holds no NUL");
        let script: String = parts.iter().flatten().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Value(_) => &quoted,
        }).collect();
        for shell in ["sh", "bash"] {
            prop_assert!(!executes(shell, &script), "{shell} executed the value in {line:?}: {script}");
        }
    }
}

/// Tells whether a shell reaches the addition; a shell that is not there executes nothing.
fn executes(shell: &str, script: &str) -> bool {
    // Nothing can be found by an empty PATH, so that only what is built in runs.
    let output = Command::new(format!("/bin/{shell}"))
        .args(["-c", script])
        .env("PATH", "/nonexistent")
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("40000002"))
}
