//! [`Layered`]: a setting with several sources, and their precedence.

/// A setting from the command line and from `fabrs.toml`, without the value of `ssh_config`.
///
/// The precedence is: argument, `ssh_config`, `fabrs.toml`, default. The value of `ssh_config`
/// depends on the host, so the transport inserts it between the other two.
///
/// ```
/// use fabrs_core::config::Layered;
///
/// let port = Layered::config(2222);
/// assert_eq!(port.resolve(Some(222), 22), 222);
/// assert_eq!(port.resolve(None, 22), 2222);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Layered<T> {
    /// The value from the command line or the embedding program, with the highest precedence.
    pub argument: Option<T>,
    /// The value from `fabrs.toml`. Only the default has a lower precedence.
    pub config: Option<T>,
}

impl<T> Layered<T> {
    /// Makes a setting from an argument.
    pub fn argument(value: T) -> Self {
        Self { argument: Some(value), config: None }
    }

    /// Makes a setting from an optional argument.
    pub fn from_argument(value: Option<T>) -> Self {
        Self { argument: value, config: None }
    }

    /// Makes a setting from `fabrs.toml`.
    pub fn config(value: T) -> Self {
        Self { argument: None, config: Some(value) }
    }
}

impl<T: Clone> Layered<T> {
    /// Returns the effective value, given the value of `ssh_config` for the host. Returns `None`
    /// without any value.
    pub fn choose(&self, ssh_config: Option<T>) -> Option<T> {
        self.argument.clone().or(ssh_config).or_else(|| self.config.clone())
    }

    /// Returns the effective value, given the value of `ssh_config` for the host and a default.
    pub fn resolve(&self, ssh_config: Option<T>, default: T) -> T {
        self.choose(ssh_config).unwrap_or(default)
    }
}

impl<T> Default for Layered<T> {
    /// Makes a setting without a value.
    fn default() -> Self {
        Self { argument: None, config: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(argument: Option<u16>, ssh_config: Option<u16>, config: Option<u16>, expected: u16) {
        assert_eq!(Layered { argument, config }.resolve(ssh_config, 22), expected);
    }

    #[test]
    fn the_precedence_is_argument_ssh_config_fabrs_toml_default() {
        case(Some(1), Some(2), Some(3), 1);
        case(Some(1), None, Some(3), 1);
        case(None, Some(2), Some(3), 2);
        case(None, None, Some(3), 3);
        case(None, None, None, 22);
    }

    #[test]
    fn a_setting_without_a_value_is_none() {
        assert_eq!(Layered::<u16>::default().choose(None), None);
    }
}
