//! The scripts that compare one entry with what is on the host, and change nothing.

use std::ffi::OsStr;
use std::path::Path;

use super::put::HEAR;
use super::shell_text::{FAIL, SEND, SUM, SUM_IS, belongs, path_word, word};
use crate::files::file_error::{IS_A_FOLDER, IS_NO_FOLDER, IS_NO_LINK, NO_FOLDER};
use crate::files::job::{Attributes, FileJob, Job, ReplacePolicy};
use crate::shell::ShellLineError;

/// Prints that the entry would change, or that it is the same, and ends.
const ANSWERS: &str = "\
differs() { printf 'fabrs-done %s\\0' \"$t\"; exit 0; }
same() { printf 'fabrs-same %s\\0' \"$t\"; exit 0; }
";

/// Returns the script that compares a file with its target, by its size and SHA-256 and by the attributes that it is to have.
///
/// It asks as the script of `put` does. A secret comes on its standard input, since no sum of it may be in the script.
pub(in super::super) fn plan(file: FileJob<'_>, known: Option<&str>) -> Result<String, ShellLineError> {
    let (job, size) = (file.job, file.fingerprint.size);
    let follow = if job.write_options.over_links {
        "[ ! -L \"$t\" ] || differs\n".to_owned()
    } else {
        "if [ -L \"$t\" ]; then l=$(readlink -f -- \"$t\" && echo x) || fail \"the symlink $t leads nowhere\"; t=${l%?x}; fi\n"
            .to_owned()
    };
    let compare = match (file.content.secret(), known) {
        (Some(_), _) => format!("printf '{SEND}\\0'; hear; cmp -s - \"$t\" && same_content; differs"),
        (None, Some(sum)) => format!("[ \"$(sum <\"$t\")\" = {sum} ] && same_content; differs"),
        (None, None) => format!(
            "h=$(sum <\"$t\"); [ -n \"$h\" ] || differs\n\
             printf '{SUM_IS}%s\\0' \"$h\"; hear; read -r h; [ \"$h\" = same ] && same_content; differs"
        ),
    };
    // The folders of a tree are made with it.
    let folder = if job.item.below.is_none() {
        format!(
            "case $t in */*) d=${{t%/*}} ;; *) d=. ;; esac; d=${{d:-/}}\n\
             [ -d \"$d\" ] || {{ [ ! -e \"$d\" ] || fail \"$d{IS_NO_FOLDER}\"; fail \"{NO_FOLDER}$d\"; }}\n"
        )
    } else {
        String::new()
    };
    Ok(format!(
        "{FAIL}{SUM}{HEAR}{ANSWERS}printf '\\0'\nt={target}; n={own}\n\
         case $t in */) t=$t$n ;; *) if [ -d \"$t\" ]; then t=$t/$n; fi ;; esac\n\
         {follow}{folder}[ -d \"$t\" ] && fail \"$t{IS_A_FOLDER}\"\n\
         [ -f \"$t\" ] && [ \"$(wc -c <\"$t\" 2>/dev/null)\" -eq {size} ] || differs\n\
         same_content() {{ {attributes}same; }}\n\
         {compare}",
        target = path_word(&job.target)?,
        own = word(&job.item.name())?,
        attributes = unless_attributes(&job.attributes, FILE_MODE)?,
    ))
}

/// Returns the script that looks whether a folder is there, with the attributes that it is to have.
pub(in super::super) fn plan_folder(target: &OsStr, attributes: &Attributes) -> Result<String, ShellLineError> {
    Ok(format!(
        "{FAIL}{ANSWERS}printf '\\0'\nt={target}\n\
         [ -d \"$t\" ] || {{ [ ! -e \"$t\" ] || fail \"$t{IS_NO_FOLDER}\"; differs; }}\n\
         {attributes}same",
        target = path_word(target)?,
        attributes = unless_attributes(attributes, FOLDER_MODE)?,
    ))
}

/// Returns the script that looks whether a symlink is there that leads to `to`. It fails where a put would.
pub(in super::super) fn plan_link(job: &Job, to: &Path) -> Result<String, ShellLineError> {
    let unless_other = match job.write_options.replaces {
        ReplacePolicy::Link => format!("[ ! -e \"$t\" ] || [ -L \"$t\" ] || fail \"$t{IS_NO_LINK}\"\n"),
        _ => format!("[ -d \"$t\" ] && [ ! -L \"$t\" ] && fail \"$t{IS_A_FOLDER}\"\n"),
    };
    Ok(format!(
        "{FAIL}{ANSWERS}printf '\\0'\nt={target}; l={to}\n{unless_other}\
         [ -L \"$t\" ] && [ \"$(readlink -- \"$t\" && echo x)\" = \"$l\nx\" ] || differs\n\
         {owner}same",
        target = path_word(job.target.as_os_str())?,
        to = word(to.as_os_str())?,
        owner = unless_owner(&job.attributes)?,
    ))
}

/// The bits of a file's mode that `chmod` sets as they are given.
const FILE_MODE: u32 = 0o7777;
/// Those of a folder: GNU `chmod` keeps set-user-ID and set-group-ID unless the mode names them.
const FOLDER_MODE: u32 = 0o1777;

/// Ends the script where the entry is to have another mode or owner. Bits of the mode outside of `exact` may be set already.
fn unless_attributes(attributes: &Attributes, exact: u32) -> Result<String, ShellLineError> {
    let mode = attributes.mode.map(|mode| {
        format!(
            "m=$(stat -L -c %a -- \"$t\" 2>/dev/null || stat -L -f %Mp%Lp -- \"$t\"); \
             [ $((0$m & 0{exact:o})) -eq $((0{mode:o} & 0{exact:o})) ] && [ $((0{mode:o} & ~0$m)) -eq 0 ] || differs\n"
        )
    });
    Ok(format!("{}{}", mode.unwrap_or_default(), unless_owner(attributes)?))
}

fn unless_owner(attributes: &Attributes) -> Result<String, ShellLineError> {
    if !attributes.gives_owner() {
        return Ok(String::new());
    }
    // `find` fails if there is no such user yet.
    Ok(format!("x=$(find \"$t\" -prune ! \\({} \\) -print) && [ -z \"$x\" ] || differs\n", belongs(attributes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::script::text::{DONE, SAME};

    #[test]
    fn the_answers_are_those_of_a_put() {
        assert!(ANSWERS.contains(&format!("'{DONE}%s")) && ANSWERS.contains(&format!("'{SAME}%s")));
    }
}
