//! The scripts that upload one entry, and that remove one.

use std::ffi::OsStr;
use std::path::Path;

use super::shell_text::{
    ACL, BLOCKS, DONE, FAIL, NAMES, REMOVE, SAME, SEND, SEND_PARTS, SHUT, SUM, SUM_IS, SWEEP, owner_words, path_word,
    touch_time, word,
};
use crate::files::file_error::{CHANGED_MEANWHILE, IS_A_FOLDER, IS_NO_FOLDER, IS_NO_LINK};
use crate::files::job::{Attributes, FileJob, Job, LARGE_FILE_SIZE, ReplacePolicy};
use crate::files::script::talk::END;
use crate::files::validation::with_argument;
use crate::shell::{ShellLineError, quote, quote_path};

/// The end of a line in the output of a program.
const NEWLINE: &str = "\n";
/// Sets `d` to the directory of the target `t`, and `o` to the absolute path. Programs print an `x` after each path, since a shell
/// strips line breaks at the end.
const FIND: &str = "\
case $t in */*) d=${t%/*} ;; *) d=. ;; esac; [ -n \"$d\" ] || d=/
[ -d \"$d\" ] || { [ ! -e \"$d\" ] || fail \"$d is not a directory\"; fail \"no such directory: $d\"; }
d=$(cd -- \"$d\" && pwd && echo x) || exit 1; d=${d%?x}; o=${d%/}/${t##*/}
";
/// Enters a private temporary directory in `p`, beside the target, with the secret name `w`. It is removed at the end. The owner of
/// `p` cannot swap its files, since the script names them only from inside. The removal repeats while another script still writes
/// into the directory, and signals do not interrupt it.
const ENTER: &str = "\
p=$(cd -- \"$p\" && pwd -P && echo x) || exit 1; p=${p%?x}; w=${p%/}/.fabrs.$w
sweep \"$p\"; i=0
clean() { trap '' HUP INT PIPE TERM; cd /; until rm -rf -- \"$w\" || [ $((i += 1)) -gt 99 ]; do :; done 2>/dev/null; }
trap 'clean; exit 1' HUP INT PIPE TERM; trap clean EXIT
e=$(umask 077; mkdir -- \"$w\" 2>&1) || fail \"the folder $p can not be written to: ${e##*: }\"
cd -- \"$w\" && [ -O . ] && [ \"$(pwd -P)\" = \"$w\" ] && shut || fail \"$w was taken away\"
";
/// Prints the SHA-256 of each MiB of a file, if the host has Python or Perl.
///
/// Time of an upload of 64 MiB with one changed block, as a ratio to sending all (medians, 2026-12-01): 0.40 at 100 Mbit/s,
/// 0.81 at 20 ms without a limit. On loopback, where nothing limits, it is 1.4 for 256 MiB.
const BLOCK_SUMS: &str = r#"blocks() { { python3 -c 'import hashlib, sys
with open(sys.argv[1], "rb") as f:
    for b in iter(lambda: f.read(1 << 20), b""): sys.stdout.write(hashlib.sha256(b).hexdigest() + "\0")' "$1" ||
perl -MDigest::SHA=sha256_hex -e 'open F, "<", $ARGV[0] or exit 1; binmode F; while (read F, $b, 1 << 20) { print sha256_hex($b), "\0" }' "$1"; } 2>/dev/null; }
"#;
/// Receives parts of a file. A line announces each part: the first MiB, the number of MiB, and the number of further bytes.
const PARTS: &str = "\
parts() { while read -r at count rest && [ \"$at\" != done ]; do [ -f f ] || exit 1
[ \"$count\" = 0 ] || dd bs=1048576 seek=\"$at\" count=\"$count\" conv=notrunc iflag=fullblock status=none of=f || exit 1
[ \"$rest\" = 0 ] || { dd bs=1048576 seek=$((at + count)) count=0 status=none && head -c \"$rest\"; } 1<>f || exit 1
printf 'fabrs-part\\0'; done; [ \"$at\" = done ]; }
";
/// Skips the first line of the input. It arrives a round trip after the script, which compares meanwhile.
pub(super) const HEAR: &str = "heard=; hear() { [ -n \"$heard\" ] || read -r fabrs; heard=1; }\n";
/// Compares the received content with the announced checksum.
const VERIFY: &str = "\
s=$(sum <f); [ -n \"$s\" ] || fail 'the host has no program for SHA-256, so that nothing can be verified'
[ \"$s\" = \"$v\" ] || fail 'what has arrived is not what was sent'
";
/// Flushes the file to disk.
const FLUSH: &str = "sync f 2>/dev/null || sync || exit 1\n";
/// Prints the mode and the owner of the target.
const STATE: &str = "state() { ls -ldn -- \"$o\" 2>/dev/null | awk 'NR == 1 { print $1, $3, $4 }'; }\n";

/// Returns the script that takes a file on its standard input, unless the target has the same content.
///
/// It ends with a rename: the target has the old content or the new one. For a symlink, the file that it leads to is replaced. The
/// new file keeps the mode of the old file, and its owner if the user may set it.
///
/// If the checksum is not `known`, the host sends its own and receives the result of the comparison. The script never contains
/// the checksum of a secret, from which other users could guess the secret: the content is compared after its arrival. For an
/// edit, the checksums of the new and the old content are sent with the content.
pub(in super::super) fn put(file: FileJob<'_>, known: Option<&str>, name: &str) -> Result<String, ShellLineError> {
    let (job, size) = (file.job, file.fingerprint.size);
    let change = change(&job.attributes, "\"$o\"")?;
    let verify = match job.write_options.verifies {
        true => VERIFY.to_owned(),
        // Kept blocks may have changed since their checksums were computed.
        false if file.fingerprint.size >= LARGE_FILE_SIZE => format!("if [ -n \"$keep\" ]; then {VERIFY}fi\n"),
        false => String::new(),
    };
    let flush = if job.write_options.flushes { FLUSH } else { "" };
    Ok(format!(
        "{FAIL}{SUM}{SWEEP}{SHUT}{STATE}{HEAR}printf '\\0'\numask 022\nw={name}; t={target}; n={own}\n\
         case $t in */) t=$t$n ;; *) if [ -d \"$t\" ]; then t=$t/$n; fi ;; esac\n\
         {follow}\n\
         {FIND}\
         [ -f \"$o\" ] && [ ! -L \"$o\" ] && old=1 || old=; keep=\n\
         same() {{ before=$(state)\n{change}\
         if [ \"$before\" = \"$(state)\" ]; then printf '{SAME}%s\\0' \"$t\"; else printf '{DONE}%s\\0' \"$t\"; fi; exit 0; }}\n\
         {compare}\
         p={beside}\n{ENTER}\
         (umask 077; : >f) || exit 1\n\
         {arrive}\
         [ \"$(wc -c <f)\" -eq {size} ] || fail 'not all of it arrived'\n\
         [ -n \"$old\" ] && cmp -s f \"$o\" && same\n\
         {verify}{validate}{flush}{unless_changed}{back_up}\
         {land}\
         printf '{DONE}%s\\0' \"$t\"",
        target = path_word(&job.target)?,
        own = word(&job.item.name())?,
        follow = if job.write_options.over_links {
            format!("[ -d \"$t\" ] && [ ! -L \"$t\" ] && fail \"$t{IS_A_FOLDER}\"")
        } else {
            format!(
                "if [ -L \"$t\" ]; then l=$(readlink -f -- \"$t\" && echo x) || fail \"the symlink $t leads nowhere\"; t=${{l%?x}}; fi\n\
                 [ -d \"$t\" ] && fail \"$t{IS_A_FOLDER}\""
            )
        },
        compare = compare(file, known),
        // For an upload in place, the directory of the file need not be writable.
        beside = if job.write_options.in_place { "${TMPDIR:-/tmp}" } else { "$d" },
        arrive = arrive(file),
        unless_changed = unless_changed(file),
        validate = validate(file)?,
        back_up = back_up(file)?,
        land = land(file, &change)?,
    ))
}

/// Ends the script if the target has the content already.
fn compare(file: FileJob<'_>, known: Option<&str>) -> String {
    let has_the_size = format!("[ -n \"$old\" ] && [ \"$(wc -c <\"$o\" 2>/dev/null)\" -eq {} ]", file.fingerprint.size);
    match (file.content.secret(), known) {
        (Some(_), _) => String::new(),
        (None, Some(sum)) => format!("{has_the_size} && [ \"$(sum <\"$o\")\" = {sum} ] && same\n"),
        (None, None) => {
            let by_sum = format!(
                "if {has_the_size}; then h=$(sum <\"$o\")\n\
                 if [ -n \"$h\" ]; then printf '{SUM_IS}%s\\0' \"$h\"; hear; read -r h; [ \"$h\" != same ] || same; fi; fi\n"
            );
            if file.fingerprint.size < LARGE_FILE_SIZE || file.job.write_options.replaces != ReplacePolicy::Anything {
                return by_sum;
            }
            // One checksum detects an equal file. A different file may have equal blocks.
            format!(
                "{by_sum}{BLOCK_SUMS}if [ -n \"$old\" ] && [ -n \"$(sum </dev/null)\" ]\n\
                 then printf '{BLOCKS}\\0'; blocks \"$o\"; printf '{END}\\0'; hear; read -r h; [ \"$h\" != some ] || keep=1; fi\n"
            )
        }
    }
}

/// Receives the content, as a whole or in parts, and its checksum.
fn arrive(file: FileJob<'_>) -> String {
    let write_options = &file.job.write_options;
    let expects = if write_options.expects_sums() { "read -r v u; " } else { "" };
    let whole = format!("printf '{SEND}\\0'; hear; {expects}cat >f || exit 1");
    if file.fingerprint.size < LARGE_FILE_SIZE || file.content.secret().is_some() {
        return format!("{whole}\n");
    }
    format!(
        "{PARTS}if dd iflag=fullblock status=none count=0 </dev/null 2>/dev/null\n\
         then if [ -n \"$keep\" ]; then cp -- \"$o\" f 2>/dev/null || cat <\"$o\" >f || exit 1; fi\n\
         dd bs=1 seek={size} count=0 status=none of=f </dev/null || exit 1\n\
         printf '{SEND_PARTS}%s\\0' \"$w\"; hear; parts || exit 1; v=$count; u=$rest; else keep=; {whole}; fi\n",
        size = file.fingerprint.size,
    )
}

/// Fails if the target is not the file from which the content was made.
fn unless_changed(file: FileJob<'_>) -> String {
    match &file.job.write_options.replaces {
        ReplacePolicy::Anything | ReplacePolicy::Link => String::new(),
        ReplacePolicy::Nothing => format!("[ ! -e \"$o\" ] || fail \"$t{CHANGED_MEANWHILE}\"\n"),
        ReplacePolicy::Matching(sum) => format!(
            "[ -f \"$o\" ] && [ \"$(wc -c <\"$o\")\" -eq {} ] && c=$(sum <\"$o\") && \
             {{ [ -z \"$c\" ] || [ \"$c\" = \"$u\" ]; }} || fail \"$t{CHANGED_MEANWHILE}\"\n",
            sum.size
        ),
    }
}

/// Fails if the validation line of the user fails, with the last line of its output.
fn validate(file: FileJob<'_>) -> Result<String, ShellLineError> {
    let Some(line) = &file.job.write_options.validation else { return Ok(String::new()) };
    let shown = quote(line.as_str())?;
    // The job was checked: the line has a path, outside of quotes.
    let line = with_argument(line.check()?).unwrap_or_else(|_| "false".to_owned());
    Ok(format!(
        // Under its own name, since some programs look at the suffix.
        "b=${{o##*/}}; [ \"$b\" = f ] || ln f \"./$b\" 2>/dev/null || cp -p f \"./$b\" || exit 1\n\
         u2=$({{ cd /; set -- \"$w/$b\"; {line}\n}} 2>&1 </dev/null) || {{ i=$?; fail 'it is not valid: `'{shown}'` ended with' \"$i: $(printf '%s' \"$u2\" | tail -n 1)\"; }}\n\
         [ \"$b\" = f ] || rm -f -- \"./$b\"\n"
    ))
}

/// Writes a backup of the old file, atomically.
fn back_up(file: FileJob<'_>) -> Result<String, ShellLineError> {
    let Some(suffix) = &file.job.write_options.backup else { return Ok(String::new()) };
    let suffix = quote(suffix)?;
    Ok(format!(
        "if [ -f \"$o\" ]; then b=${{o##*/}}{suffix}; cp -p -- \"$o\" \"./$b\" && mv -f -- \"./$b\" \"$d/\" || exit 1; fi\n"
    ))
}

/// Moves the new file to its target, with the requested attributes or those of the old file.
fn land(file: FileJob<'_>, change: &str) -> Result<String, ShellLineError> {
    let attributes = &file.job.attributes;
    if file.job.write_options.in_place {
        return Ok(format!("cat f >\"$o\" || exit 1\n{change}"));
    }
    let owner = match owner_words(attributes)? {
        Some(owner) => format!("chown {owner} f || exit 1\n"),
        None => "if [ -n \"$old\" ]; then chown \"$3:$4\" f 2>/dev/null || :; fi\n".to_owned(),
    };
    // Last: no other user may read the file before, and a change of the owner clears the set-user-ID bit.
    let mode = match attributes.mode {
        Some(mode) => format!("chmod {mode:o} f"),
        None => format!(
            "if [ -n \"$old\" ]; then chmod \"$(stat -c %a -- \"$o\" 2>/dev/null || stat -f %Mp%Lp -- \"$o\")\" f; \
             else chmod {:o} f; fi",
            file.new_mode()
        ),
    };
    let time = touch(attributes, "f");
    let flush = if file.job.write_options.flushes { "sync \"$d\" 2>/dev/null || :\n" } else { "" };
    // Into the directory: `mv` would follow a symlink to another directory.
    let land = if file.job.write_options.over_links {
        "b=${o##*/}; [ \"$b\" = f ] || mv -f -- f \"./$b\" && mv -f -- \"./$b\" .. || exit 1\n"
    } else {
        "mv -f -- f \"$o\" || exit 1\n"
    };
    Ok(format!(
        "{old}{owner}{mode} || exit 1\n{time}{land}{flush}[ \"${{names:-1}}\" -le 1 ] || printf '{NAMES}%s\\0' \"$t\"\n",
        old = old()
    ))
}

/// Reads the old file: `$1` is the mode, `names` the number of hard links, `$3` and `$4` the owner and the group. An ACL is copied
/// if the host has the programs. An ACL that the new file inherits from the directory is removed, since the old file had none.
fn old() -> String {
    format!(
        "if [ -n \"$old\" ]; then l=$(ls -ldn -- \"$o\"); set -f; set -- $l; set +f\n\
         names=$2\n\
         case $1 in *+) getfacl -cp -- \"$o\" 2>/dev/null | setfacl --set-file=- f 2>/dev/null || printf '{ACL}%s\\0' \"$t\" ;;\n\
         *) case $(ls -ld f) in ??????????+*) setfacl -b f 2>/dev/null || printf '{ACL}%s\\0' \"$t\" ;; esac ;; esac; fi\n"
    )
}

/// Sets the requested attributes of an existing file.
fn change(attributes: &Attributes, name: &str) -> Result<String, ShellLineError> {
    let owner = owner_words(attributes)?.map(|owner| format!("chown {owner} {name} || exit 1\n"));
    let mode = attributes.mode.map(|mode| format!("chmod {mode:o} {name} || exit 1\n"));
    Ok(format!("{}{}{}", owner.unwrap_or_default(), mode.unwrap_or_default(), touch(attributes, name)))
}

fn touch(attributes: &Attributes, name: &str) -> String {
    let touch = |time| format!("TZ=UTC0 touch -t {} {name} || exit 1\n", touch_time(time));
    attributes.modified.map(touch).unwrap_or_default()
}

/// Returns the script that receives parts of a file in the directory of another script.
pub(in super::super) fn help(folder: &str) -> Result<String, ShellLineError> {
    Ok(format!(
        "{PARTS}w={}\ncd -- \"$w\" && [ -O . ] && [ \"$(pwd -P)\" = \"$w\" ] && [ ! -L f ] || exit 1\nprintf '\\0'; read -r fabrs; parts || :",
        quote_path(folder)?
    ))
}

/// Returns the script that creates a symlink, or replaces one atomically.
pub(in super::super) fn link(job: &Job, to: &Path, name: &str) -> Result<String, ShellLineError> {
    let (target, attributes) = (job.target.as_os_str(), &job.attributes);
    let unless_other = match job.write_options.replaces {
        ReplacePolicy::Link => format!("[ ! -e \"$t\" ] || [ -L \"$t\" ] || fail \"$t{IS_NO_LINK}\"\n"),
        _ => String::new(),
    };
    let owner = owner_words(attributes)?;
    let give = |name: &str| match &owner {
        Some(owner) => format!("chown -h {owner} \"{name}\" || exit 1\n"),
        None => String::new(),
    };
    // Into the directory: `mv` would follow a symlink to another directory.
    Ok(format!(
        "{FAIL}{SWEEP}{SHUT}{STATE}w={name}; t={target}; l={to}; n=${{t##*/}}; o=$t\n\
         if [ -L \"$t\" ] && [ \"$(readlink -- \"$t\" && echo x)\" = \"$l{NEWLINE}x\" ]; then\n\
         before=$(state)\n{give_old}[ \"$before\" != \"$(state)\" ] || printf '{SAME}'; exit 0; fi\n\
         [ -d \"$t\" ] && [ ! -L \"$t\" ] && fail \"$t{IS_A_FOLDER}\"\n\
         {unless_other}{FIND}p=$d\n{ENTER}\
         ln -s -- \"$l\" \"./$n\" || exit 1\n\
         {give_new}mv -f -- \"./$n\" ..",
        give_old = give("$t"),
        give_new = give("./$n"),
        target = path_word(target)?,
        to = word(to.as_os_str())?,
    ))
}

/// Returns the script that creates a directory.
pub(in super::super) fn folder(target: &OsStr, attributes: &Attributes) -> Result<String, ShellLineError> {
    Ok(format!(
        "{FAIL}{STATE}umask 022\nt={target}; o=$t; before=$(state)\n\
         if [ ! -d \"$t\" ]; then [ ! -e \"$t\" ] || fail \"$t{IS_NO_FOLDER}\"; mkdir -p -- \"$t\" || exit 1; fi\n\
         {change}[ \"$before\" != \"$(state)\" ] || printf '{SAME}'",
        change = change(attributes, "\"$t\"")?,
        target = path_word(target)?,
    ))
}

/// Returns the script that removes a path. The message of `ls` tells a missing path from one that the user may not see. Both
/// look the same to the tests of a shell.
pub(in super::super) fn remove(path: &str, is_recursive: bool) -> Result<String, ShellLineError> {
    let refuse = format!("[ ! -d \"$t\" ] || [ -L \"$t\" ] || fail \"$t{IS_A_FOLDER}\"\n");
    let (remove, refuse) = if is_recursive { ("remove", "") } else { ("rm -f --", refuse.as_str()) };
    Ok(format!(
        "{FAIL}{REMOVE}export LC_ALL=C; t={target}; while [ \"${{t%/}}\" != \"$t\" ]; do t=${{t%/}}; done\n\
         e=$(ls -d -- \"$t\" 2>&1) || case $e in *'No such file or directory'|*'Not a directory') printf '{SAME}'; exit 0 ;;\n\
         *) fail \"${{e##*: }}\" ;; esac\n\
         {refuse}e=$({remove} \"$t\" 2>&1) || {{ e=$(printf '%s\\n' \"$e\" | head -n 1); fail \"${{e#rm: }}\"; }}",
        target = quote_path(path)?,
    ))
}
