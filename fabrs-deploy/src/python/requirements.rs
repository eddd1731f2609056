//! Requirements: the key of a set of requirements files, and their unpinned lines.

use fabrs::{Error, ErrorKind, Output};

/// Prints the key, the unpinned lines and the local lines of requirements files.
pub(super) const REQUIREMENTS_SCRIPT: &str = include_str!("requirements.py");

/// The requirements of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirements {
    /// A hash of the files, the options and the Python version.
    pub(super) key: String,
    /// The lines without exactly one version.
    pub(super) unpinned: Vec<String>,
    /// `true` if a requirement is in the release itself. Other releases can't share the virtualenv.
    pub(super) is_local: bool,
}

impl Requirements {
    /// Parses the output of the script.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the output has no key.
    pub(super) fn parse(output: &Output) -> Result<Self, Error> {
        let lines = output.lines()?;
        let unpinned = lines.iter().filter_map(|line| line.strip_prefix("unpinned ")).map(str::to_owned).collect();
        let key = lines.iter().find_map(|line| line.strip_prefix("key "));
        match key {
            Some(key) => {
                let is_local = lines.iter().any(|line| line.starts_with("local "));
                Ok(Self { key: key.to_owned(), unpinned, is_local })
            }
            None => {
                Err(Error::new(ErrorKind::Task, "internal error: the requirements script printed no key")
                    .on(output.host()))
            }
        }
    }

    /// Returns a placeholder for the plan of a dry run, since the files do not exist yet.
    pub(super) fn placeholder() -> Self {
        Self { key: "KEY-OF-THE-REQUIREMENTS".to_owned(), unpinned: Vec::new(), is_local: false }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    /// Writes files, runs the script on the first file, and returns the printed lines.
    fn run_script(files: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            fs::write(dir.path().join(name), text).unwrap();
        }
        let ran = Command::new("python3")
            .args(["-c", super::REQUIREMENTS_SCRIPT, "--no-index", files[0].0])
            .current_dir(dir.path())
            .output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn unpinned(text: &str) -> Vec<String> {
        let lines = run_script(&[("requirements.txt", text)]);
        lines.iter().filter_map(|line| line.strip_prefix("unpinned ").map(str::to_owned)).collect()
    }

    #[test]
    fn a_requirement_without_exactly_one_version_is_unpinned() {
        let pinned = "a==1\nb[c]===2.0 ; python_version > '3'\nd==1.0 \\\n  --hash=sha256:00\n# x>1\n--no-index\nf @ https://example.com/f.zip\n";
        assert_eq!(unpinned(pinned), Vec::<String>::new());
        assert_eq!(unpinned("a>=1\nb\nc==1.*\nd==1,<2  # why\n"), ["a>=1", "b", "c==1.*", "d==1,<2"]);
    }

    #[test]
    fn included_files_change_the_key_and_constraints_pin_nothing() {
        let with = |more: &str| {
            run_script(&[
                ("req/base.txt", "-r more.txt\n-c limits.txt\n"),
                ("req/more.txt", more),
                ("req/limits.txt", "z<3"),
            ])
        };
        assert_eq!(with("a>1")[0], "unpinned a>1");
        assert_ne!(with("a==1"), with("a==2"));
        assert_eq!(with("a==1"), with("a==1"));
    }

    #[test]
    fn a_requirement_in_the_release_is_local() {
        for local in [
            "-e .",
            "--editable=./lib",
            "./lib",
            "../lib",
            "lib @ file:./libs/lib",
            "file:lib",
            "-e git+https://example.com/x",
        ] {
            assert!(
                run_script(&[("requirements.txt", local)]).iter().any(|line| line.starts_with("local ")),
                "{local}"
            );
        }
        assert!(
            !run_script(&[("requirements.txt", "a==1\nb @ https://example.com/b.zip")])
                .iter()
                .any(|line| line.starts_with("local"))
        );
    }
}
