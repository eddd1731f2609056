//! What the host says of requirement files.

use fabrs::{Error, ErrorKind, Output};

/// What the script says of requirement files.
pub(super) const REQUIREMENTS_SCRIPT: &str = include_str!("requirements.py");

/// What there is to know of the requirements of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirements {
    /// The same for the same files and the same Python.
    pub(super) key: String,
    /// What is not pinned to one version.
    pub(super) unpinned: Vec<String>,
    /// Whether something comes from the release itself, so that no other can have it.
    pub(super) is_local: bool,
}

impl Requirements {
    /// Reads what the script has said.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] where it has not come to its end.
    pub(super) fn parse(said: &Output) -> Result<Self, Error> {
        let lines = said.lines()?;
        let unpinned = lines.iter().filter_map(|line| line.strip_prefix("unpinned ")).map(str::to_owned).collect();
        let key = lines.iter().find_map(|line| line.strip_prefix("key "));
        match key {
            Some(key) => {
                let is_local = lines.iter().any(|line| line.starts_with("local "));
                Ok(Self { key: key.to_owned(), unpinned, is_local })
            }
            None => Err(Error::new(ErrorKind::Task, "could not read the requirements").on(said.host())),
        }
    }

    /// Returns what stands in a plan for what nobody knows yet.
    pub(super) fn placeholder() -> Self {
        Self { key: "KEY-OF-THE-REQUIREMENTS".to_owned(), unpinned: Vec::new(), is_local: false }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    /// Runs the script on files, of which the first is asked about, and returns its lines.
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
    fn what_is_not_one_version_is_unpinned() {
        let pinned = "a==1\nb[c]===2.0 ; python_version > '3'\nd==1.0 \\\n  --hash=sha256:00\n# x>1\n--no-index\nf @ https://example.com/f.zip\n";
        assert_eq!(unpinned(pinned), Vec::<String>::new());
        assert_eq!(unpinned("a>=1\nb\nc==1.*\nd==1,<2  # why\n"), ["a>=1", "b", "c==1.*", "d==1,<2"]);
    }

    #[test]
    fn files_that_are_named_count_too_and_those_of_constraints_pin_nothing() {
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
    fn what_comes_from_the_release_itself_is_local() {
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
