//! The scripts that take and give a file on a host. POSIX, with `mktemp`, `cat`, `mv`, and what a host has of checksums.

use std::fmt::Write as _;

use super::super::job::Attributes;
use super::super::source::{Source, Sum};
use super::super::{IS_A_FOLDER, NO_FILE, NO_REGULAR};
use crate::shell::{ShellLineError, quote, quote_path};

/// Begins what a script says about itself.
pub(in super::super) const SAYS: &str = "fabrs: ";
/// What the script of `put` says when it wants the content.
pub(super) const SEND: &str = "fabrs-send\n";
/// What it says, with the path behind it, when the file is there; and when it was there already.
pub(super) const DONE: &str = "fabrs-done ";
pub(super) const SAME: &str = "fabrs-same ";
/// What the script of `get` says before the content: mode and size; or that the file is the same.
pub(super) const CONTENT: &str = "fabrs-content ";

/// Prints the SHA-256 of what is read, by the first program that can.
const SUM: &str = "sum() { { sha256sum || shasum -a 256 || openssl dgst -r -sha256; } 2>/dev/null | cut -c1-64; }\n";
/// Says what is wrong and ends.
const FAIL: &str = "fail() { printf 'fabrs: %s\\n' \"$*\" >&2; exit 1; }\n";

/// Returns the script that takes a file on its standard input, unless the target has the same content.
///
/// It works in a temporary folder beside the target, which nobody else may look into and which is gone afterwards, and ends
/// with a rename: the target has the old content or the new one. Whoever owns the folder around it can't swap the file,
/// since it is only named from inside. A target that is a symlink keeps it, and what it leads to is replaced. What was there
/// keeps its mode and, as far as whoever runs this may say so, its owner.
///
/// Of a secret no checksum is in the script, where others could read it and guess: it is compared when it has arrived.
pub(super) fn put(
    target: &str,
    name: &str,
    sum: &Sum,
    attributes: &Attributes,
    content: &Source,
) -> Result<String, ShellLineError> {
    let mut script = format!(
        "{FAIL}{SUM}umask 022\nt={}; n={}\n\
         case $t in */) t=$t$n ;; *) if [ -d \"$t\" ]; then t=$t/$n; fi ;; esac\n\
         if [ -L \"$t\" ]; then t=$(readlink -f -- \"$t\") || fail \"the symlink $t leads nowhere\"; fi\n\
         [ -d \"$t\" ] && fail \"$t{IS_A_FOLDER}\"\n\
         case $t in */*) d=${{t%/*}} ;; *) d=. ;; esac; [ -n \"$d\" ] || d=/\n\
         [ -d \"$d\" ] || fail \"there is no folder $d\"\n\
         d=$(cd -- \"$d\" && pwd) || exit 1; o=${{d%/}}/${{t##*/}}\n",
        quote_path(target)?,
        quote(name)?,
    );
    let owner = owner_words(attributes)?;
    let mode = attributes.mode.map(|mode| format!("{mode:o}"));
    let keep_owner = "chown \"$(ls -ldn -- \"$o\" | awk '{ print $3 \":\" $4 }')\" f 2>/dev/null || :";
    let keep_mode = "\"$(stat -c %a -- \"$o\" 2>/dev/null || stat -f %Lp -- \"$o\")\"";
    let _infallible = write!(
        script,
        "state() {{ ls -ldn -- \"$o\" 2>/dev/null | awk '{{ print $1, $3, $4 }}'; }}\n\
         same() {{ before=$(state); {change_owner} || exit 1; {change_mode} || exit 1\n\
         if [ \"$before\" = \"$(state)\" ]; then printf '{SAME}%s\\n' \"$t\"; else printf '{DONE}%s\\n' \"$t\"; fi; exit 0; }}\n\
         {by_sum}\
         trap 'exit 1' HUP INT PIPE TERM; trap 'cd / && rm -rf -- \"$w\"' EXIT\n\
         w=$(mktemp -d \"${{d%/}}/.fabrs.{random}\" 2>&1) || fail \"the folder $d can not be written to: ${{w##*: }}\"\n\
         cd -- \"$w\" && [ -O . ] || fail \"$w was taken away\"\n\
         printf '{send}'\n\
         (umask 077; cat >f) || exit 1\n\
         [ \"$(wc -c <f)\" -eq {size} ] || fail 'not all of it arrived'\n\
         {on_arrival}\
         {new_owner}\n\
         {new_mode} || exit 1\n\
         mv -f -- f \"$o\" || exit 1\n\
         printf '{DONE}%s\\n' \"$t\"",
        // What `mktemp` replaces.
        random = "X".repeat(8),
        size = sum.size,
        by_sum = match content.secret() {
            None => format!(
                "[ -f \"$o\" ] && [ \"$(wc -c <\"$o\" 2>/dev/null)\" -eq {} ] && [ \"$(sum <\"$o\")\" = {} ] && same\n",
                sum.size, sum.sha256
            ),
            Some(_) => String::new(),
        },
        on_arrival = if content.secret().is_some() { "[ -f \"$o\" ] && cmp -s f \"$o\" && same\n" } else { "" },
        send = SEND.escape_default(),
        change_owner = owner.as_ref().map_or_else(|| ":".to_owned(), |owner| format!("chown {owner} \"$o\"")),
        change_mode = mode.as_ref().map_or_else(|| ":".to_owned(), |mode| format!("chmod {mode} \"$o\"")),
        new_owner = owner.as_ref().map_or_else(
            || format!("if [ -f \"$o\" ]; then {keep_owner}; fi"),
            |owner| format!("chown {owner} f || exit 1"),
        ),
        // Once, and last: until here nobody else may read it, and a change of the owner takes setuid away.
        new_mode = mode.as_ref().map_or_else(
            || format!("if [ -f \"$o\" ]; then chmod {keep_mode} f; else chmod {:o} f; fi", content.new_mode()),
            |mode| format!("chmod {mode} f"),
        ),
    );
    Ok(script)
}

/// Returns the script that makes folders, and all above them.
pub(super) fn folders(folders: &[String]) -> Result<String, ShellLineError> {
    let words = folders.iter().map(|folder| quote_path(folder)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("umask 022\nmkdir -p -- {}", words.join(" ")))
}

/// Returns the script that prints a file, unless it has this content.
pub(super) fn get(path: &str, known: Option<&Sum>) -> Result<String, ShellLineError> {
    let same = match known {
        Some(sum) => format!(
            "if [ \"$s\" -eq {} ] && [ \"$(sum <\"$f\")\" = {} ]; then printf '{SAME}\\n'; exit 0; fi\n",
            sum.size, sum.sha256
        ),
        None => String::new(),
    };
    Ok(format!(
        "{FAIL}{SUM}f={}\n[ -d \"$f\" ] && fail \"$f{IS_A_FOLDER}\"\n[ -e \"$f\" ] || fail \"{NO_FILE}$f\"\n\
         [ -f \"$f\" ] || fail \"$f{NO_REGULAR}\"\n\
         s=$(wc -c <\"$f\") || exit 1\n{same}\
         m=$(stat -L -c %a -- \"$f\" 2>/dev/null || stat -L -f %Lp -- \"$f\")\n\
         printf '{CONTENT}%s %s\\n' \"$m\" $((s)); head -c $((s)) \"$f\"",
        quote_path(path)?
    ))
}

/// Returns the script that lists the files that a path means: itself, all in a folder, or all that match a pattern. Each
/// ends with a NUL: first what it is listed below, then the path below that.
pub(super) fn list(path: &str) -> Result<String, ShellLineError> {
    Ok(format!(
        "{FAIL}found=\nfor f in {}; do\n\
         if [ -d \"$f\" ]; then found=1; (cd -- \"$f\" && find -L . -type f -exec printf '%s\\0%s\\0' \"$f\" {{}} \\;) || exit 1\n\
         elif [ -e \"$f\" ]; then found=1; printf '\\0%s\\0' \"$f\"; fi\n\
         done\n[ -n \"$found\" ] || fail \"{NO_FILE}\"{}",
        pattern(path)?,
        quote(path)?,
    ))
}

/// Returns a path as a word whose `*`, `?` and `[...]` the shell expands, and in which nothing else means anything.
fn pattern(path: &str) -> Result<String, ShellLineError> {
    let mut word = String::new();
    let (home, rest) = match path.strip_prefix("~/") {
        Some(rest) => ("~/", rest),
        None if path.starts_with('-') => ("./", path),
        None => ("", path),
    };
    word.push_str(home);
    let mut plain = String::new();
    for c in rest.chars() {
        if "*?[]".contains(c) {
            if !plain.is_empty() {
                word.push_str(&quote(&std::mem::take(&mut plain))?);
            }
            word.push(c);
        } else {
            plain.push(c);
        }
    }
    if !plain.is_empty() || word.is_empty() {
        word.push_str(&quote(&plain)?);
    }
    Ok(word)
}

/// Returns the owner and the group as `chown` takes them.
fn owner_words(attributes: &Attributes) -> Result<Option<String>, ShellLineError> {
    let (owner, group) = match (&attributes.owner, &attributes.group) {
        (None, None) => return Ok(None),
        (owner, group) => (owner.as_deref().unwrap_or_default(), group.as_ref()),
    };
    let group = group.map(|group| format!(":{group}")).unwrap_or_default();
    Ok(Some(quote(&format!("{owner}{group}"))?.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signs_of_a_pattern_are_left_to_the_shell() {
        assert_eq!(pattern("/var/log/*.log").unwrap(), "/var/log/*.log");
        assert_eq!(pattern("a b/[0-9]?").unwrap(), "'a b/'[0-9]?");
        assert_eq!(pattern("~/$x/*").unwrap(), "~/'$x/'*");
        assert_eq!(pattern("-rf").unwrap(), "./-rf");
        assert_eq!(pattern("").unwrap(), "''");
    }
}
