//! One setting that several sources may name, and which of them wins.

/// A setting as the command line and `fabrs.toml` gave it, before `ssh_config` was asked.
///
/// The ladder is: argument, then `ssh_config`, then `fabrs.toml`, then the default. What `ssh_config` says depends on
/// the host, so the two sides are kept apart here and the transport puts its answer between them.
///
/// ```
/// use fabrs_core::config::Layered;
///
/// let port = Layered { argument: None, config: Some(2222) };
/// assert_eq!(port.resolve(Some(222), 22), 222);
/// assert_eq!(port.resolve(None, 22), 2222);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layered<T> {
    /// What was typed, or set by the program that embeds this crate; beats everything.
    pub argument: Option<T>,
    /// What `fabrs.toml` says; beats only the default.
    pub config: Option<T>,
}

impl<T> Layered<T> {
    /// Makes a choice that an argument has made.
    pub fn argument(value: T) -> Self {
        Self { argument: Some(value), config: None }
    }

    /// Makes a choice that `fabrs.toml` has made.
    pub fn config(value: T) -> Self {
        Self { argument: None, config: Some(value) }
    }
}

impl<T: Clone> Layered<T> {
    /// Returns what was chosen, given what `ssh_config` says for the host; nothing where nobody says anything.
    pub fn choose(&self, ssh_config: Option<T>) -> Option<T> {
        self.argument.clone().or(ssh_config).or_else(|| self.config.clone())
    }

    /// Returns what was chosen, given what `ssh_config` says for the host, or else the default.
    pub fn resolve(&self, ssh_config: Option<T>, default: T) -> T {
        self.choose(ssh_config).unwrap_or(default)
    }
}

impl<T> Default for Layered<T> {
    /// Makes a choice that nobody has made.
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
    fn argument_beats_ssh_config_beats_fabrs_toml_beats_the_default() {
        case(Some(1), Some(2), Some(3), 1);
        case(Some(1), None, Some(3), 1);
        case(None, Some(2), Some(3), 2);
        case(None, None, Some(3), 3);
        case(None, None, None, 22);
    }

    #[test]
    fn a_choice_that_nobody_made_is_none() {
        assert_eq!(Layered::<u16>::default().choose(None), None);
    }
}
