//! The change of a flag, a switch or a sample: reads the present state, and runs a management
//! command of django-waffle if it differs from the desired state.

use fabrs::{Connection, Error, ErrorKind, Hide, ShellLine};

use crate::provision::ResourceChanges;
use crate::waffle::list::{PrivateCache, WaffleList, single_line};
use crate::waffle::reader::{WaffleRead, error_of, read};

/// The longest name accepted by the models of django-waffle, in characters.
const MAX_NAME_CHARS: usize = 100;

/// The treatment of a name that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingName {
    Reject,
    Create,
}

impl MissingName {
    /// Returns the option of the management command.
    pub(super) fn option(self) -> &'static [&'static str] {
        match self {
            Self::Reject => &[],
            Self::Create => &["--create"],
        }
    }
}

/// The present and the desired state of a flag, a switch or a sample, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    /// `None` if the name does not exist.
    pub(super) present: Option<String>,
    pub(super) desired: String,
}

/// A flag, a switch or a sample with a desired state.
pub(super) trait WaffleResource: Send + Sync + 'static {
    /// The kind, such as `flag`.
    const KIND: &'static str;

    fn name(&self) -> &str;

    fn missing(&self) -> MissingName;

    /// Checks the settings before any access to the host.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for an invalid setting.
    fn check(&self) -> Result<(), Error>;

    /// Compares the resource with the present states.
    fn compare(&self, list: &WaffleList) -> Comparison;

    /// Returns the reason why django-waffle cannot make the change without loss.
    fn refusal(&self, _list: &WaffleList) -> Option<String> {
        None
    }

    /// Returns the arguments of `manage.py`.
    fn line(&self) -> ShellLine;
}

/// Brings a resource into its desired state.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for an invalid name or setting, [`ErrorKind::Task`] for a missing name and
/// for a change with a loss, and the errors of [`read`] and of the management command.
pub(super) async fn ensure<R: WaffleResource>(connection: Connection, resource: R) -> Result<ResourceChanges, Error> {
    check_name(R::KIND, resource.name())?;
    resource.check()?;
    let label = format!("{} {}", R::KIND, resource.name());
    let line = ShellLine::raw(format!("python manage.py {}", resource.line().as_str()));
    let change = |difference: &str| connection.v_run(line).named(format!("{label}: {difference}")).hide(Hide::Stdout);
    let list = match read(&connection).await? {
        WaffleRead::List(list) => list,
        WaffleRead::Planned(output) => {
            let desired = resource.compare(&WaffleList::default()).desired;
            change(&format!("unknown -> {desired}")).await?;
            return Ok(output.into());
        }
    };
    let Comparison { present, desired } = resource.compare(&list);
    if present.is_none() && resource.missing() == MissingName::Reject {
        let error = error_of(&connection, ErrorKind::Task, format!("{label} does not exist"));
        return Err(error.hint("check the name, or add `.create()` to the request"));
    }
    let note = |text: &str| connection.client().into_iter().for_each(|client| client.note(connection.host(), text));
    if present.as_ref() == Some(&desired) {
        note(&format!("{label}: unchanged"));
        return Ok(Vec::new().into());
    }
    if let Some(reason) = resource.refusal(&list) {
        let error = error_of(&connection, ErrorKind::Task, format!("{label} is unchanged: {reason}"));
        return Err(error.hint("upgrade django-waffle to 5.0 or later"));
    }
    let difference = single_line(&format!("{} -> {desired}", present.as_deref().unwrap_or("missing")));
    if change(&difference).await?.was_run() {
        note(&format!("{label}: {difference}"));
        warn_of_private_cache(&connection, list.private_cache);
    }
    Ok(vec![difference].into())
}

/// Checks a name.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if django-waffle cannot store the name.
fn check_name(kind: &str, name: &str) -> Result<(), Error> {
    let problem = if name.is_empty() {
        "the name is empty".to_owned()
    } else if name.chars().any(char::is_control) {
        "the name has a control character".to_owned()
    } else if name.chars().count() > MAX_NAME_CHARS {
        format!("the name has more than {MAX_NAME_CHARS} characters")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Usage, format!("invalid {kind} `{}`: {problem}", single_line(name))))
}

/// Warns if the servers read flags from a cache that this change cannot clear.
fn warn_of_private_cache(connection: &Connection, cache: Option<PrivateCache>) {
    let (Some(client), Some(cache)) = (connection.client(), cache) else { return };
    let delay = cache.seconds.map_or_else(|| "after their restart".to_owned(), |limit| format!("within {limit} s"));
    let text = format!(
        "running servers see this change {delay}, since each process caches flags in its own memory: set \
         WAFFLE_CACHE_NAME to a shared cache"
    );
    client.warn(connection.host(), text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_database_cannot_store_is_rejected() {
        let long = "x".repeat(101);
        for name in ["", "a\nb", "a\u{1b}[2K", &long] {
            assert_eq!(check_name("flag", name).unwrap_err().kind(), ErrorKind::Usage, "{name:?}");
        }
        for name in ["one_page_checkout", "--list", "it's $HOME", "Käse", &long[1..]] {
            check_name("flag", name).unwrap();
        }
    }
}
