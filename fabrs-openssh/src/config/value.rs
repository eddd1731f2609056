//! The values that a keyword takes: flags, words, numbers and times.

use std::time::Duration;

/// What to do with a host key that is not on record (`StrictHostKeyChecking`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StrictHostKeyChecking {
    /// Only keys on record are taken.
    Yes,
    /// A new host's key is taken and recorded; a changed one is refused.
    AcceptNew,
    /// The user is asked; `ssh`'s default.
    Ask,
    /// Any key is taken, and recorded if the host is new (`no` or `off`).
    No,
}

/// What is wrong with a value, without its place.
pub(super) type Problem = String;

pub(super) fn parse_bool(word: &str) -> Result<bool, Problem> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("`{word}` is neither `yes` nor `no`")),
    }
}

/// `unbound` and `host-bound` are about the agent protocol; for the method itself they mean `yes`.
pub(super) fn parse_pubkey_authentication(word: &str) -> Result<bool, Problem> {
    match word.to_ascii_lowercase().as_str() {
        "unbound" | "host-bound" => Ok(true),
        _ => parse_bool(word),
    }
}

pub(super) fn parse_strict_host_key_checking(word: &str) -> Result<StrictHostKeyChecking, Problem> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(StrictHostKeyChecking::Yes),
        "no" | "false" | "off" => Ok(StrictHostKeyChecking::No),
        "ask" => Ok(StrictHostKeyChecking::Ask),
        "accept-new" => Ok(StrictHostKeyChecking::AcceptNew),
        _ => Err(format!("`{word}` is none of `yes`, `accept-new`, `ask`, `no`, `off`")),
    }
}

pub(super) fn parse_port(word: &str) -> Result<u16, Problem> {
    match word.parse() {
        Ok(0) | Err(_) => Err(format!("bad port `{word}`: a number from 1 to 65535 is needed")),
        Ok(port) => Ok(port),
    }
}

pub(super) fn parse_number(word: &str) -> Result<u32, Problem> {
    word.parse::<u32>()
        .ok()
        .filter(|&number| i32::try_from(number).is_ok())
        .ok_or_else(|| format!("bad number `{word}`"))
}

/// Reads a time such as `90`, `1h30m` or `2w`; `none` leaves it unset, as in `ssh`.
pub(super) fn parse_time(word: &str) -> Result<Option<Duration>, Problem> {
    if word == "none" {
        return Ok(None);
    }
    parse_seconds(word)
        .map(|seconds| Some(Duration::from_secs(u64::from(seconds))))
        .ok_or_else(|| format!("bad time `{word}`: seconds, or numbers with `s`, `m`, `h`, `d` or `w`"))
}

fn parse_seconds(word: &str) -> Option<u32> {
    let mut total: u32 = 0;
    let mut rest = word;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let amount: u32 = rest[..end].parse().ok()?;
        let mut after = rest[end..].chars();
        let unit: u32 = match after.next().map(|c| c.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            Some(_) => return None,
        };
        total = total.checked_add(amount.checked_mul(unit)?)?;
        i32::try_from(total).ok()?;
        rest = after.as_str();
        if rest.is_empty() {
            return Some(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        StrictHostKeyChecking, parse_bool, parse_number, parse_port, parse_pubkey_authentication, parse_seconds,
        parse_strict_host_key_checking, parse_time,
    };

    #[test]
    fn times_add_up() {
        #[track_caller]
        fn case(word: &str, expected: Option<u32>) {
            assert_eq!(parse_seconds(word), expected, "{word:?}");
        }
        case("0", Some(0));
        case("90", Some(90));
        case("90s", Some(90));
        case("1h30m", Some(5_400));
        case("1H30", Some(3_630));
        case("2w1d", Some(1_296_000));
        case("", None);
        case("m", None);
        case("1x", None);
        case("-1", None);
        case("1 m", None);
        case("2147483647", Some(2_147_483_647));
        case("2147483648", None);
        case("99999999999999999999", None);
        assert_eq!(parse_time("none"), Ok(None));
    }

    #[test]
    fn words_have_no_case_and_others_are_refused() {
        assert_eq!(parse_bool("YES"), Ok(true));
        assert_eq!(parse_bool("false"), Ok(false));
        assert!(parse_bool("maybe").is_err());
        assert_eq!(parse_pubkey_authentication("host-bound"), Ok(true));
        assert_eq!(parse_strict_host_key_checking("Accept-New"), Ok(StrictHostKeyChecking::AcceptNew));
        assert_eq!(parse_strict_host_key_checking("off"), Ok(StrictHostKeyChecking::No));
        assert!(parse_strict_host_key_checking("maybe").is_err());
    }

    #[test]
    fn numbers_stay_in_range() {
        assert_eq!(parse_port("65535"), Ok(65_535));
        assert!(parse_port("0").is_err());
        assert!(parse_port("65536").is_err());
        assert!(parse_port("abc").is_err());
        assert_eq!(parse_number("3"), Ok(3));
        assert!(parse_number("-1").is_err());
        assert!(parse_number("2147483648").is_err());
    }
}
