//! [`Vars`]: the user's variables in `fabrs.toml`, `[vars]` and `vars` of an environment.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

use crate::error::{CauseText, Error, ErrorKind, Result};

use crate::config::document::{FILE_NAME, TomlEntry};

/// The user's variables by name. Variables of an environment have precedence over the variables at
/// the top of the file.
///
/// ```
/// use fabrs_core::config::Config;
///
/// #[derive(serde::Deserialize)]
/// struct Shop { app: String, workers: u8 }
///
/// let text = "vars = { app = 'shop' }\nenv.staging.vars.workers = 4";
/// let config = Config::parse(text, "fabrs.toml".as_ref())?;
/// let shop: Shop = config.environment("staging")?.vars().read()?;
/// assert_eq!((shop.app.as_str(), shop.workers), ("shop", 4));
/// # Ok::<(), fabrs_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Vars {
    table: toml::Table,
    /// The position of each variable: `fabrs.toml:4`.
    places: BTreeMap<String, String>,
}

impl Vars {
    /// Returns the value of a variable, if the value is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.table.get(name)?.as_str()
    }

    /// Returns all names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    /// Deserializes all variables into a type of the user.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with file, line and field, if a field is missing or has another type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_path_to_error::deserialize(toml::Value::Table(self.table.clone())).map_err(|error| {
            let text = format!("invalid vars for `{}`", std::any::type_name::<T>());
            let path = error.path().to_string();
            Error::new(ErrorKind::Config, text).caused_by(CauseText(self.mismatch_text(&path, error.inner().message())))
        })
    }

    /// Describes a variable of the wrong type. String values are not shown, since `fabrs.toml` can
    /// contain passwords.
    fn mismatch_text(&self, path: &str, message: &str) -> String {
        let top = path.split(['.', '[']).next().unwrap_or_default();
        let Some(place) = self.places.get(top) else { return format!("{FILE_NAME}: {message}") };
        match (message.split_once(", expected "), self.at(path)) {
            (Some((kind, expected)), Some(found)) if kind.starts_with("invalid") => {
                let shown = match found {
                    toml::Value::Integer(_) if kind.starts_with("invalid value") => found.to_string(),
                    _ => found.type_str().to_owned(),
                };
                format!("{place}: `{path}` must be {expected}, found: {shown}")
            }
            _ => format!("{place}: `{path}`: {message}"),
        }
    }

    /// Returns the value at a path such as `smtp.ports[1]`.
    fn at(&self, path: &str) -> Option<&toml::Value> {
        let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
        let mut value = self.table.get(steps.next()?)?;
        for step in steps {
            value = match value {
                toml::Value::Array(list) => list.get(step.parse::<usize>().ok()?)?,
                toml::Value::Table(table) => table.get(step)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Adds the variables of `defaults` that are missing in these variables. Tables are not merged.
    pub(super) fn merge_defaults(&mut self, defaults: &Self) {
        for (name, value) in &defaults.table {
            if !self.table.contains_key(name) {
                self.table.insert(name.clone(), value.clone());
                self.places
                    .extend(defaults.places.get_key_value(name).map(|(name, place)| (name.clone(), place.clone())));
            }
        }
    }

    pub(super) fn from_entry(entry: &TomlEntry<'_>) -> Result<Self> {
        let value = entry.table()?.clone();
        // The parser accepts a number of more than 64 bits, and the conversion rejects the number.
        let table = toml::Table::deserialize(ValueDeserializer::from(value)).map_err(|cause| {
            entry.error(cause.span(), &format!("could not read `{}`", entry.path())).caused_by(cause)
        })?;
        let places = entry.entries()?.iter().map(|entry| (entry.key().to_owned(), entry.place())).collect();
        Ok(Self { table, places })
    }
}

impl fmt::Debug for Vars {
    /// Prints only the names, since `fabrs.toml` can contain passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fabrs_toml::Config;

    fn vars(text: &str) -> Vars {
        let text = text.lines().map(|line| format!("vars.{line}\n")).collect::<Vec<_>>().concat();
        Config::parse(&text, "fabrs.toml".as_ref()).unwrap().vars().clone()
    }

    /// Returns the variables without their positions.
    fn values(vars: &Vars) -> toml::Table {
        vars.table.clone()
    }

    #[test]
    fn a_value_replaces_the_whole_default() {
        let mut above = vars("app = 'shop'\nsmtp = { host = 'a' }");
        above.merge_defaults(&vars("app = 'other'\ndomain = 'x'\nsmtp = { host = 'b', port = 25 }"));
        assert_eq!(values(&above), values(&vars("app = 'shop'\ndomain = 'x'\nsmtp = { host = 'a' }")));
        assert_eq!(above.places["app"], "fabrs.toml:1");
        assert_eq!(above.places["domain"], "fabrs.toml:2");
    }

    #[test]
    fn only_a_string_is_returned_as_text() {
        let vars = vars("app = 'shop'\nworkers = 4");
        assert_eq!((vars.text("app"), vars.text("workers"), vars.text("none")), (Some("shop"), None, None));
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Shop {
        app: String,
        #[serde(default)]
        workers: u8,
        smtp: Option<Smtp>,
        stage: Option<Stage>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Smtp {
        host: String,
        ports: Vec<u16>,
    }

    #[derive(Debug, serde::Deserialize)]
    enum Stage {
        Test,
    }

    #[track_caller]
    fn refused(text: &str, cause: &str) {
        let error = vars(text).read::<Shop>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let block = error.block().to_string();
        let expected = format!("error: invalid vars for `{}`\n  caused by: {cause}", std::any::type_name::<Shop>());
        assert_eq!(block, expected);
    }

    #[test]
    fn invalid_vars_are_reported_with_line_field_and_expected_type() {
        refused("app = 1", "fabrs.toml:1: `app` must be a string, found: integer");
        refused("app = 'a'\nworkers = 300", "fabrs.toml:2: `workers` must be u8, found: 300");
        refused(
            "app = 'a'\nsmtp = { host = 'h', ports = [25, 'hunter2'] }",
            "fabrs.toml:2: `smtp.ports[1]` must be u16, found: string",
        );
        refused("app = 'a'\nsmtp = { ports = [] }", "fabrs.toml:2: `smtp`: missing field `host`");
        refused("workers = 1", "fabrs.toml: missing field `app`");
        refused("app = 'a'\nstage = 'Live'", "fabrs.toml:2: `stage`: unknown variant `Live`, expected `Test`");
        refused(
            "app = 'a'\ncolour = 1",
            "fabrs.toml:2: `colour`: unknown field `colour`, expected one of `app`, `workers`, `smtp`, `stage`",
        );
        let shop: Shop = vars("app = 'a'\nstage = 'Test'\nsmtp = { host = 'h', ports = [25] }").read().unwrap();
        assert!(matches!(shop.stage, Some(Stage::Test)));
    }

    #[test]
    fn debug_output_contains_no_values() {
        assert_eq!(format!("{:?}", vars("password = 'hunter2'")), "{\"password\"}");
    }
}
