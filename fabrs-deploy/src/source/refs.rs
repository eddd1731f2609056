//! The refs of a repository: parses `git ls-remote`, and resolves names to commits.

use fabrs::event::escape_controls;
use fabrs::{Error, ErrorKind};

/// The refs of a repository, each with its commit, the latest version first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refs(Vec<(String, String)>);

impl Refs {
    /// Parses the output of `git ls-remote --sort=-version:refname`. The commit of an annotated tag
    /// replaces the id of the tag object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] for an id that is not hexadecimal. Ids become part of commands, so a
    /// manipulated host could otherwise inject text into the commands of other hosts.
    pub(crate) fn parse(output: &str) -> Result<Self, Error> {
        let mut refs: Vec<(String, String)> = Vec::new();
        for line in output.lines() {
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

    /// Returns the commit of a full ref name.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(_, known)| known == name).map(|(id, _)| id.as_str())
    }

    /// Returns the tags with this prefix and their commits, the latest version first.
    pub(crate) fn tags(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.0.iter().filter_map(|(id, name)| Some((name.strip_prefix("refs/tags/")?, id.as_str())));
        tags.filter(move |(tag, _)| tag.starts_with(prefix))
    }

    /// Returns the commit of a branch. Tags are ignored: a user with the right to push tags must
    /// not be able to replace a protected branch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the repository has no such branch.
    pub(crate) fn branch(&self, name: &str) -> Result<String, Error> {
        let name = name.strip_prefix("refs/heads/").unwrap_or(name);
        let unknown = || Error::new(ErrorKind::Usage, format!("the repository has no branch `{name}`"));
        self.get(&format!("refs/heads/{name}")).map(str::to_owned).ok_or_else(unknown)
    }

    /// Resolves a tag, a branch, a full ref name or a commit id to a full commit id. A short commit
    /// id must be the start of the commit of a ref.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the name is unknown or ambiguous.
    pub(crate) fn resolve(&self, name: &str) -> Result<String, Error> {
        let (tag, branch) = (self.get(&format!("refs/tags/{name}")), self.get(&format!("refs/heads/{name}")));
        if let (Some(tag), Some(branch)) = (tag, branch)
            && tag != branch
        {
            let error = Error::new(
                ErrorKind::Usage,
                format!("ambiguous name `{name}`: a tag and a branch at different commits"),
            );
            return Err(error.hint(format!("use the full name: `refs/tags/{name}` or `refs/heads/{name}`")));
        }
        let named = tag.or(branch).or_else(|| self.get(name));
        let is_hex = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id_prefix = name.to_ascii_lowercase();
        // A tag or branch with the name of a commit id must not replace this commit.
        let is_other = named.is_some_and(|id| !id.starts_with(&id_prefix));
        let is_commit_too = is_commit(name) || self.0.iter().any(|(id, _)| id.starts_with(&id_prefix));
        if is_hex && is_other && is_commit_too {
            let text = format!("ambiguous name `{name}`: a commit id, and a tag or branch at another commit");
            let error = Error::new(ErrorKind::Usage, text);
            return Err(error.hint(format!("use the full name: `refs/tags/{name}` or `refs/heads/{name}`")));
        }
        if let Some(id) = named {
            return Ok(id.to_owned());
        }
        if is_hex && matches!(name.len(), 40 | 64) {
            return Ok(id_prefix);
        }
        let mut ids: Vec<&str> =
            self.0.iter().map(|(id, _)| id.as_str()).filter(|id| id.starts_with(&id_prefix)).collect();
        ids.sort_unstable();
        ids.dedup();
        match (is_hex, ids.as_slice()) {
            (true, [id]) => Ok((*id).to_owned()),
            (true, []) => {
                let text = format!("no tag or branch has a commit id with the prefix `{name}`");
                let error = Error::new(ErrorKind::Usage, text);
                Err(error.hint("use all 40 digits for a commit that is not the head of a branch"))
            }
            (true, _) => {
                let text = format!("ambiguous commit id `{name}`: {} commits have this prefix", ids.len());
                Err(Error::new(ErrorKind::Usage, text))
            }
            (false, _) => {
                let error = Error::new(ErrorKind::Usage, format!("the repository has no tag or branch `{name}`"));
                Err(error.hint("list the tags and branches with `git ls-remote`"))
            }
        }
    }
}

/// Returns `true` for a full commit id: SHA-1 or SHA-256.
pub(crate) fn is_commit(text: &str) -> bool {
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
    fn assert_resolves(name: &str, digit: char) {
        assert_eq!(Refs::parse(LS_REMOTE).unwrap().resolve(name).unwrap(), digit.to_string().repeat(40), "{name}");
    }

    #[test]
    fn a_tag_a_branch_or_a_commit_id_resolves_to_a_commit() {
        assert_resolves("deployable-10", '1');
        assert_resolves("refs/tags/main", '5');
        assert_resolves("refs/heads/main", '1');
        assert_resolves("feature/x", '2');
        assert_resolves("4444444", '4');
        assert_resolves(&"9".repeat(40), '9');
    }

    #[test]
    fn the_latest_tag_has_the_highest_version() {
        let refs = Refs::parse(LS_REMOTE).unwrap();
        assert_eq!(refs.tags("deployable-").next(), Some(("deployable-10", "1".repeat(40).as_str())));
        assert_eq!(refs.tags("deployed-").next(), None);
    }

    #[test]
    fn a_tag_with_the_name_of_a_branch_does_not_replace_the_branch() {
        let refs = Refs::parse(LS_REMOTE).unwrap();
        assert_eq!(refs.branch("main").unwrap(), "1".repeat(40));
        let error = refs.resolve("main").unwrap_err();
        assert!(error.block().to_string().contains("`refs/tags/main` or `refs/heads/main`"), "{}", error.block());
        assert!(refs.branch("deployable-10").is_err());
    }

    #[test]
    fn a_tag_with_the_name_of_a_commit_id_does_not_replace_the_commit() {
        let (commit, other) = ("1".repeat(40), "2".repeat(40));
        let refs = Refs::parse(&format!(
            "{commit}\trefs/heads/main\n{other}\trefs/tags/{commit}\n{other}\trefs/tags/1111111\n"
        ));
        let refs = refs.unwrap();
        for name in [commit.as_str(), "1111111"] {
            let error = refs.resolve(name).unwrap_err();
            assert!(error.to_string().starts_with("ambiguous name"), "{name}: {error}");
        }
    }

    #[test]
    fn an_id_that_is_not_hexadecimal_is_rejected() {
        for id in ["$(touch x)", "1111111", &"g".repeat(40)] {
            assert!(Refs::parse(&format!("{id}\trefs/heads/main")).is_err(), "{id}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_reason() {
        for (name, part) in [("nope", "no tag or branch"), ("abcdef0", "all 40"), ("refs/x", "no tag or branch")] {
            let error = Refs::parse(LS_REMOTE).unwrap().resolve(name).unwrap_err();
            assert!(error.block().to_string().contains(part), "{name}: {}", error.block());
        }
    }
}
