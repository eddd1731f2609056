//! `bail!` and `ensure!`: failing with a text.

/// Returns from a task with an error of this text.
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

/// Returns from a task with an error of this text, unless the condition holds.
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
