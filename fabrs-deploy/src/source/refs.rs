//! What a repository has under which name: read from `git ls-remote`.

use fabrs::event::escape_controls;
use fabrs::{Error, ErrorKind};

/// The names of a repository and what they stand for, the latest version first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refs(Vec<(String, String)>);

impl Refs {
    /// Reads the output of `git ls-remote --sort=-version:refname`. An annotated tag stands for its commit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] for an id that is not hexadecimal: a host that lies must not choose the text of a command.
    pub(super) fn parse(said: &str) -> Result<Self, Error> {
        let mut refs: Vec<(String, String)> = Vec::new();
        for line in said.lines() {
            let Some((id, name)) = line.split_once('\t') else { continue };
            if !is_commit(id) {
                let text = format!("invalid commit id `{}` in the output of `git ls-remote`", escape_controls(id));
                return Err(Error::new(ErrorKind::Format, text).hint("check the `git` of the host: `command -v git`"));
            }
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
        Ok(Self(refs))
    }

    /// Returns the commit of a name.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(_, known)| known == name).map(|(id, _)| id.as_str())
    }

    /// Returns the tags that begin with `prefix`, with their commits, the latest version first.
    pub(super) fn tags(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.0.iter().filter_map(|(id, name)| Some((name.strip_prefix("refs/tags/")?, id.as_str())));
        tags.filter(move |(tag, _)| tag.starts_with(prefix))
    }

    /// Returns the commit of a branch, and of nothing else: whoever may push tags must not replace a protected branch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if there is no such branch.
    pub(super) fn branch(&self, name: &str) -> Result<String, Error> {
        let name = name.strip_prefix("refs/heads/").unwrap_or(name);
        let none = || Error::new(ErrorKind::Usage, format!("the repository has no branch `{name}`"));
        self.get(&format!("refs/heads/{name}")).map(str::to_owned).ok_or_else(none)
    }

    /// Returns the commit of a tag, a branch, or the beginning of a commit that one of them stands for.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where there is none, or more than one.
    pub(super) fn resolve(&self, asked: &str) -> Result<String, Error> {
        let (tag, branch) = (self.get(&format!("refs/tags/{asked}")), self.get(&format!("refs/heads/{asked}")));
        if let (Some(tag), Some(branch)) = (tag, branch)
            && tag != branch
        {
            let error = Error::new(
                ErrorKind::Usage,
                format!("ambiguous name `{asked}`: a tag and a branch at different commits"),
            );
            return Err(error.hint(format!("name one of them: `refs/tags/{asked}` or `refs/heads/{asked}`")));
        }
        let named = tag.or(branch).or_else(|| self.get(asked));
        let is_hex = asked.len() >= 7 && asked.bytes().all(|byte| byte.is_ascii_hexdigit());
        let asked_id = asked.to_ascii_lowercase();
        // A tag or a branch must not pass for another commit.
        let is_other = named.is_some_and(|id| !id.starts_with(&asked_id));
        let is_commit_too = is_commit(asked) || self.0.iter().any(|(id, _)| id.starts_with(&asked_id));
        if is_hex && is_other && is_commit_too {
            let error =
                Error::new(ErrorKind::Usage, format!("ambiguous name `{asked}`: a commit, and the name of another"));
            return Err(error.hint(format!("name it in full: `refs/tags/{asked}` or `refs/heads/{asked}`")));
        }
        if let Some(id) = named {
            return Ok(id.to_owned());
        }
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

/// Tells whether a text is the whole id of a commit: SHA-1 or SHA-256.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LS_REMOTE: &str = "\
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
        assert_eq!(Refs::parse(LS_REMOTE).unwrap().resolve(asked).unwrap(), digit.to_string().repeat(40), "{asked}");
    }

    #[test]
    fn a_name_is_a_tag_or_a_branch_and_a_tag_stands_for_its_commit() {
        finds("deployable-10", '1');
        finds("refs/tags/main", '5');
        finds("refs/heads/main", '1');
        finds("feature/x", '2');
        finds("4444444", '4');
        finds(&"9".repeat(40), '9');
    }

    #[test]
    fn the_latest_tag_is_that_of_the_highest_version() {
        let refs = Refs::parse(LS_REMOTE).unwrap();
        assert_eq!(refs.tags("deployable-").next(), Some(("deployable-10", "1".repeat(40).as_str())));
        assert_eq!(refs.tags("deployed-").next(), None);
    }

    #[test]
    fn a_tag_with_the_name_of_a_branch_replaces_it_nowhere() {
        let refs = Refs::parse(LS_REMOTE).unwrap();
        assert_eq!(refs.branch("main").unwrap(), "1".repeat(40));
        let error = refs.resolve("main").unwrap_err();
        assert!(error.block().to_string().contains("`refs/tags/main` or `refs/heads/main`"), "{}", error.block());
        assert!(refs.branch("deployable-10").is_err());
    }

    #[test]
    fn a_tag_named_as_a_commit_does_not_replace_it() {
        let (commit, other) = ("1".repeat(40), "2".repeat(40));
        let refs = Refs::parse(&format!(
            "{commit}\trefs/heads/main\n{other}\trefs/tags/{commit}\n{other}\trefs/tags/1111111\n"
        ));
        let refs = refs.unwrap();
        for asked in [commit.as_str(), "1111111"] {
            let error = refs.resolve(asked).unwrap_err();
            assert!(error.to_string().starts_with("ambiguous name"), "{asked}: {error}");
        }
    }

    #[test]
    fn an_id_that_is_not_hexadecimal_is_refused() {
        for id in ["$(touch x)", "1111111", &"g".repeat(40)] {
            assert!(Refs::parse(&format!("{id}\trefs/heads/main")).is_err(), "{id}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error_that_says_so() {
        for (asked, part) in [("nope", "no tag or branch"), ("abcdef0", "all 40"), ("refs/x", "no tag or branch")] {
            let error = Refs::parse(LS_REMOTE).unwrap().resolve(asked).unwrap_err();
            assert!(error.block().to_string().contains(part), "{asked}: {}", error.block());
        }
    }
}
