//! [`Template`]: a file of this machine with places that are filled in for a host.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::template_vars::TemplateVars;
use super::tilde::expand_tilde;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::REDACTED;

/// A template in the language of Jinja, by [minijinja](https://docs.rs/minijinja): a source that is filled in for each host
/// that it is put on.
///
/// It knows what [`set`](Self::set) gives it, the `vars` that `fabrs.toml` has for the host, and the host's name as `host`. A name
/// that it does not know is an error and not nothing. `{% include %}`, `{% extends %}` and `{% import %}` find what is in its folder.
/// Nothing is escaped; the last line end stays.
///
/// ```
/// use fabrs_core::{Client, Template, transport::Fake};
///
/// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
/// let conf = Template::file("conf/shop.conf.j2").set("port", 8000).set("domains", ["shop.example.com"]);
/// let put = web.put(conf, "/etc/nginx/conf.d/shop.conf").sudo().validate("nginx -t -c %s").backup(".bak");
/// # drop(put);
/// # Ok::<(), fabrs_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Template {
    text: Text,
    values: BTreeMap<String, Value>,
}

#[derive(Clone)]
enum Text {
    File(PathBuf),
    Given(String),
}

/// What a template is called that has no file.
const GIVEN: &str = "a template";

impl Template {
    /// Takes a file of this machine; a leading `~/` is the home of who runs this program.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { text: Text::File(path.into()), values: BTreeMap::new() }
    }

    /// Takes a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Text::Given(text.into()), values: BTreeMap::new() }
    }

    /// Gives a name in it this value, whatever else it would be: anything that serde can write, except a
    /// [`Secret`](crate::Secret), which is an [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    pub fn set(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.values.insert(name.into(), Value::from_serialize(value));
        self
    }

    /// Fills it in, on a blocking thread.
    pub(super) fn filled(&self, vars: &TemplateVars) -> Result<String> {
        let failed = || Error::new(ErrorKind::Local, format!("could not fill in {self}"));
        // Serialized, a secret is this text: the file would have it in its place.
        if let Some((name, _)) = self.values.iter().find(|(_, value)| value.to_string().contains(REDACTED)) {
            let text = format!("`{name}` of {self} has a `Secret`, which a template can't write");
            let error = Error::new(ErrorKind::Usage, text);
            return Err(error
                .hint("put the secret alone (`put(&secret, target)`), or set `secret.expose()`, which a diff shows"));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_keep_trailing_newline(true);
        let (folder, name, text) = match &self.text {
            Text::Given(text) => (PathBuf::from("."), GIVEN.to_owned(), text.clone()),
            Text::File(path) => {
                let path = expand_tilde(path);
                let text = std::fs::read_to_string(&path).map_err(|source| failed().caused_by(source))?;
                let folder = path.parent().unwrap_or(Path::new("")).to_owned();
                (folder, path.display().to_string(), text)
            }
        };
        environment.set_loader(minijinja::path_loader(folder));
        let values: BTreeMap<_, _> = vars
            .values()
            .map(|(name, value)| (name, Value::from_serialize(value)))
            .chain(self.values.iter().map(|(name, value)| (name.as_str(), value.clone())))
            .collect();
        let filled = environment.render_named_str(&name, &text, &values);
        filled.map_err(|source| {
            let unknown = match environment.template_from_named_str(&name, &text) {
                Ok(template) if source.kind() == minijinja::ErrorKind::UndefinedError => {
                    template.undeclared_variables(true)
                }
                _ => HashSet::new(),
            };
            let mut unknown: Vec<_> = unknown.into_iter().filter(|name| !values.contains_key(of_what(name))).collect();
            unknown.sort();
            let error = failed().caused_by(source);
            if unknown.is_empty() {
                return error;
            }
            let vars: Vec<_> = values.keys().copied().collect();
            error.hint(format!("it does not know `{}`; it knows `{}`", unknown.join("`, `"), vars.join("`, `")))
        })
    }
}

/// Returns the name of what something is a part of: `app` of `app.user`.
fn of_what(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Text::File(path) => write!(f, "{}", path.display()),
            Text::Given(_) => f.write_str(GIVEN),
        }
    }
}

impl fmt::Debug for Template {
    /// Shows no values, which may be nobody else's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("text", &self.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_an_error_and_never_written_as_its_placeholder() {
        let secret = crate::secret::Secret::new("hunter2-hunter2");
        for value in [serde_json::json!(secret), serde_json::json!({ "password": [secret] })] {
            let error =
                Template::text("x={{ token }}").set("token", value).filled(&vars()).expect_err("it has a secret");
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("`token` of a template has a `Secret`"), "{error}");
        }
    }

    fn vars() -> TemplateVars {
        TemplateVars::new([("host", "web1".into()), ("app", serde_json::json!({ "name": "shop" }))])
    }

    #[track_caller]
    fn case(text: &str, expected: &str) {
        let filled = Template::text(text).set("port", 80).set("names", ["a", "<b>"]).filled(&vars());
        assert_eq!(filled.map_err(|error| error.to_string()).as_deref(), Ok(expected));
    }

    #[test]
    fn places_are_filled_in_and_nothing_is_escaped() {
        case("listen {{ port }};\n", "listen 80;\n");
        case("{% for name in names %}{{ name }} {% endfor %}", "a <b> ");
        case("{{ app.name }} on {{ host }}", "shop on web1");
        case("{{ app.user | default('www') }}", "www");
    }

    #[test]
    fn what_is_given_is_more_than_what_is_known() {
        let filled = Template::text("{{ host }}").set("host", "other").filled(&vars());
        assert_eq!(filled.unwrap(), "other");
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.j2");
        std::fs::write(&path, "a\n{{ nobody }}\n").unwrap();
        let error = Template::file(&path).filled(&vars()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("undefined value") && cause.contains("x.j2:2"), "{cause}");
        let hint = "hint: it does not know `nobody`; it knows `app`, `host`";
        assert!(error.block().to_string().ends_with(hint), "{}", error.block());
    }

    #[test]
    fn a_template_finds_what_is_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.j2"), "{% include 'part.j2' %}!").unwrap();
        std::fs::write(folder.path().join("part.j2"), "{{ host }}").unwrap();
        assert_eq!(Template::file(folder.path().join("x.j2")).filled(&vars()).unwrap(), "web1!");
    }
}
