//! What a repository has under which name: read from `git ls-remote`.

use fabrs::{Error, ErrorKind};

/// The names of a repository and what they stand for, the latest version first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refs(Vec<(String, String)>);

impl Refs {
    /// Reads what `git ls-remote --sort=-version:refname` prints. An annotated tag stands for its commit.
    pub(super) fn read(said: &str) -> Self {
        let mut refs: Vec<(String, String)> = Vec::new();
        for line in said.lines() {
            let Some((id, name)) = line.split_once('\t') else { continue };
            let (name, is_commit_of_tag) = match name.strip_suffix("^{}") {
                Some(name) => (name, true),
                None => (name, false),
            };
            match refs.iter_mut().find(|(_, known)| known == name) {
                Some((known, _)) if is_commit_of_tag => id.clone_into(known),
                Some(_) => {}
                None => refs.push((id.to_owned(), name.to_owned())),
            }
        }
        Self(refs)
    }

    /// Returns the commit of a name.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(_, known)| known == name).map(|(id, _)| id.as_str())
    }

    /// Returns the tag of the latest version that begins with `prefix`, with its commit.
    pub(super) fn latest_tag(&self, prefix: &str) -> Option<(&str, &str)> {
        let tags = self.0.iter().filter_map(|(id, name)| Some((name.strip_prefix("refs/tags/")?, id.as_str())));
        tags.into_iter().find(|(tag, _)| tag.starts_with(prefix))
    }

    /// Returns the commit of a tag, a branch, or the beginning of a commit that one of them stands for.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where there is none, or more than one.
    pub(super) fn find(&self, asked: &str) -> Result<String, Error> {
        let named = self.get(&format!("refs/tags/{asked}")).or_else(|| self.get(&format!("refs/heads/{asked}")));
        if let Some(id) = named.or_else(|| self.get(asked)) {
            return Ok(id.to_owned());
        }
        let is_hex = asked.len() >= 7 && asked.bytes().all(|byte| byte.is_ascii_hexdigit());
        let asked_id = asked.to_ascii_lowercase();
        if is_hex && matches!(asked.len(), 40 | 64) {
            return Ok(asked_id);
        }
        let mut ids: Vec<&str> =
            self.0.iter().map(|(id, _)| id.as_str()).filter(|id| id.starts_with(&asked_id)).collect();
        ids.sort_unstable();
        ids.dedup();
        match (is_hex, ids.as_slice()) {
            (true, [id]) => Ok((*id).to_owned()),
            (true, []) => {
                let error =
                    Error::new(ErrorKind::Usage, format!("no tag or branch is at a commit that begins with `{asked}`"));
                Err(error.hint("say all 40 digits of a commit that is not at the end of a branch"))
            }
            (true, _) => Err(Error::new(ErrorKind::Usage, format!("`{asked}` begins more than one commit"))),
            (false, _) => Err(Error::new(ErrorKind::Usage, format!("the repository has no tag or branch `{asked}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
1111111111111111111111111111111111111111\tHEAD
1111111111111111111111111111111111111111\trefs/heads/main
2222222222222222222222222222222222222222\trefs/heads/feature/x
3333333333333333333333333333333333333333\trefs/tags/deployable-10
1111111111111111111111111111111111111111\trefs/tags/deployable-10^{}
4444444444444444444444444444444444444444\trefs/tags/deployable-9
5555555555555555555555555555555555555555\trefs/tags/main
";

    #[track_caller]
    fn finds(asked: &str, digit: char) {
        assert_eq!(Refs::read(SAID).find(asked).unwrap(), digit.to_string().repeat(40), "{asked}");
    }

    #[test]
    fn a_tag_comes_before_a_branch_and_stands_for_its_commit() {
        finds("deployable-10", '1');
        finds("main", '5');
        finds("feature/x", '2');
        finds("4444444", '4');
        finds(&"9".repeat(40), '9');
    }

    #[test]
    fn the_latest_tag_is_that_of_the_highest_version() {
        let refs = Refs::read(SAID);
        assert_eq!(refs.latest_tag("deployable-"), Some(("deployable-10", "1".repeat(40).as_str())));
        assert_eq!(refs.latest_tag("deployed-"), None);
    }

    #[test]
    fn what_is_not_there_is_an_error_that_says_so() {
        for (asked, part) in [("nope", "no tag or branch"), ("abcdef0", "all 40"), ("refs/x", "no tag or branch")] {
            let error = Refs::read(SAID).find(asked).unwrap_err();
            assert!(error.block().to_string().contains(part), "{asked}: {}", error.block());
        }
    }
}
