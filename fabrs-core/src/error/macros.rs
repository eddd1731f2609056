//! The macros `bail!` and `ensure!`, to return an error with a text.

/// Returns an error with a formatted text from a task.
///
/// ```
/// use fabrs_core::{TaskError, bail};
///
/// fn check(tag: &str) -> Result<(), TaskError> {
///     if tag.is_empty() {
///         bail!("no tag is deployable");
///     }
///     Ok(())
/// }
/// assert_eq!(check("").unwrap_err().to_string(), "no tag is deployable");
/// ```
#[macro_export]
macro_rules! bail {
    ($($text:tt)+) => {
        return ::std::result::Result::Err($crate::TaskError::msg(::std::format!($($text)+)).into())
    };
}

/// Returns an error with a formatted text from a task if the condition is false.
///
/// ```
/// use fabrs_core::{TaskError, ensure};
///
/// fn check(free: u64) -> Result<(), TaskError> {
///     ensure!(free > 100, "only {free} MB are free");
///     Ok(())
/// }
/// assert!(check(200).is_ok());
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            $crate::bail!($($text)+);
        }
    };
}
