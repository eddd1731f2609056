//! Arguments of a task: parses the texts of the command line into the types of the parameters.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use super::task_types::{Param, RawArgs, Task};
use crate::error::{CauseText, Error, ErrorKind, Result};

/// A type for the parameters of a task: any type with [`FromStr`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a task's argument",
    label = "cannot be read from the command line",
    note = "a task's argument is `bool`, `Option<T>`, `Vec<T>` or a `T` that implements `FromStr` (with an error that can be displayed)"
)]
pub trait FromArg: Sized {
    /// Parses the argument.
    ///
    /// # Errors
    ///
    /// The reason as a text, if the argument is invalid.
    fn from_arg(text: &str) -> std::result::Result<Self, String>;
}

impl<T: FromStr<Err: Display>> FromArg for T {
    fn from_arg(text: &str) -> std::result::Result<Self, String> {
        text.parse().map_err(|error: T::Err| error.to_string())
    }
}

impl RawArgs {
    /// Returns an empty list of arguments for `task`.
    pub fn new(task: &'static Task) -> Self {
        Self { task, values: HashMap::new() }
    }

    /// Adds a value. The value of a switch is `true` or `false`.
    pub fn push(&mut self, param: &'static Param, value: impl Into<String>) {
        self.values.entry(param.name).or_default().push(value.into());
    }

    /// Returns whether the parameter has a value.
    pub fn has(&self, param: &Param) -> bool {
        self.values.contains_key(param.name)
    }

    /// Returns the value of a switch, or `None` without the switch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the value is neither `true` nor `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.optional(name)
    }

    /// Returns the value of a required parameter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the value is missing, or not of type `T`.
    pub fn required<T: FromArg>(&self, name: &str) -> Result<T> {
        self.optional(name)?.ok_or_else(|| self.missing(&[name]))
    }

    /// Returns the value of an optional parameter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if the value is not of type `T`.
    pub fn optional<T: FromArg>(&self, name: &str) -> Result<Option<T>> {
        let last = self.values.get(name).and_then(|values| values.last());
        last.map(|text| self.parse(name, text)).transpose()
    }

    /// Returns all values of a list parameter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if a value is not of type `T`.
    pub fn list<T: FromArg>(&self, name: &str) -> Result<Vec<T>> {
        self.values.get(name).into_iter().flatten().map(|text| self.parse(name, text)).collect()
    }

    /// Returns the error for missing arguments.
    pub fn missing(&self, names: &[&str]) -> Error {
        let list: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        let task = self.task.shown_name();
        let text = format!("`{task}` did not receive required positional arguments: {}", list.join(", "));
        Error::new(ErrorKind::Usage, text).hint(format!("see `fab --help {task}` for its arguments"))
    }

    fn parse<T: FromArg>(&self, name: &str, text: &str) -> Result<T> {
        T::from_arg(text).map_err(|why| {
            let task = self.task.shown_name();
            let param = self.task.params.iter().find(|param| param.name == name);
            let type_name = param.map_or("", |param| param.type_name);
            let inner = type_name
                .strip_prefix("Option<")
                .or_else(|| type_name.strip_prefix("Vec<"))
                .and_then(|rest| rest.strip_suffix('>'))
                .unwrap_or(type_name);
            let flag = name.replace('_', "-");
            // For numbers, the range helps more than the message of the parser.
            match number_range(inner) {
                Some(what) => Error::new(ErrorKind::Usage, format!("`{task}`: `--{flag} {text}` is not {what}")),
                None => {
                    let text = format!("`{task}`: `--{flag} {text}` is not a value of type `{inner}`");
                    Error::new(ErrorKind::Usage, text).caused_by(CauseText(why))
                }
            }
        })
    }
}

/// Describes the valid numbers of a type.
fn number_range(type_name: &str) -> Option<&'static str> {
    Some(match type_name {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "u128" | "usize" => "a whole number of 0 or more",
        "i8" => "a whole number from -128 to 127",
        "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        _ => return None,
    })
}
