//! The user's own values in `fabrs.toml`: `[vars]` and an environment's `vars`.

use std::fmt;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

use crate::error::{Error, ErrorKind, Result};

use super::document::Entry;

/// The user's own values, by name; an environment's stand over those of the file's top.
///
/// ```
/// use fabrs_core::config::Config;
///
/// #[derive(serde::Deserialize)]
/// struct Shop { app: String, workers: u8 }
///
/// let config = Config::parse("vars = { app = 'shop' }\nenv.staging.vars.workers = 4", "fabrs.toml".as_ref())?;
/// let shop: Shop = config.environment("staging")?.vars().read()?;
/// assert_eq!((shop.app.as_str(), shop.workers), ("shop", 4));
/// # Ok::<(), fabrs_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct Vars {
    table: toml::Table,
}

impl Vars {
    /// Returns a value that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.table.get(name)?.as_str()
    }

    /// Returns all names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    /// Reads all of them into a type of the user's.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a field is missing or of another type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        self.table.clone().try_into().map_err(|cause| {
            let doing = format!("the vars in `fabrs.toml` do not fit `{}`", std::any::type_name::<T>());
            Error::new(ErrorKind::Config, doing).caused_by(cause)
        })
    }

    /// Takes the values of `below` that have no value here; a table is one value and is not merged.
    pub(super) fn over(&mut self, below: &Self) {
        for (name, value) in &below.table {
            self.table.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    pub(super) fn from_entry(entry: &Entry<'_>) -> Result<Self> {
        let value = entry.table()?.clone();
        // A number too large for 64 bits is met only here.
        let table = toml::Table::deserialize(ValueDeserializer::from(value)).map_err(|cause| {
            entry.error(cause.span(), &format!("could not read `{}`", entry.path())).caused_by(cause)
        })?;
        Ok(Self { table })
    }
}

impl fmt::Debug for Vars {
    /// Shows the names only: people do keep passwords in such files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(text: &str) -> Vars {
        Vars { table: text.parse().unwrap() }
    }

    #[test]
    fn a_value_above_hides_the_whole_value_below() {
        let mut above = vars("app = 'shop'\nsmtp = { host = 'a' }");
        above.over(&vars("app = 'other'\ndomain = 'x'\nsmtp = { host = 'b', port = 25 }"));
        assert_eq!(above, vars("app = 'shop'\ndomain = 'x'\nsmtp = { host = 'a' }"));
    }

    #[test]
    fn only_a_text_is_returned_as_text() {
        let vars = vars("app = 'shop'\nworkers = 4");
        assert_eq!((vars.text("app"), vars.text("workers"), vars.text("none")), (Some("shop"), None, None));
    }

    #[test]
    fn values_that_do_not_fit_name_the_type_and_the_field() {
        let error = vars("app = 'shop'").read::<std::collections::BTreeMap<String, u8>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let block = error.block().to_string();
        assert!(block.contains("u8"), "{block}");
        assert!(block.contains("in `app`"), "{block}");
    }

    #[test]
    fn values_are_not_in_the_debug_form() {
        assert_eq!(format!("{:?}", vars("password = 'hunter2'")), "{\"password\"}");
    }
}
