//! Parsers for the values of keywords: flags, words, numbers and times.

use std::time::Duration;

/// The handling of hosts without a recorded key (`StrictHostKeyChecking`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StrictHostKeyChecking {
    /// Accepts only recorded keys.
    Yes,
    /// Accepts and records the key of a new host. Rejects a changed key.
    AcceptNew,
    /// Prompts the user. The default of `ssh`.
    Ask,
    /// Accepts every key, and records the key of a new host (`no` or `off`).
    No,
}

/// The reason for the rejection of a value, without the location.
pub(super) type Problem = String;

pub(super) fn parse_bool(word: &str) -> Result<bool, Problem> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err(format!("invalid value `{word}`: expected `yes` or `no`")),
    }
}

/// Parses `PubkeyAuthentication`. `unbound` and `host-bound` mean `yes`, because they only affect
/// the agent protocol.
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
        _ => Err(format!("invalid value `{word}`: expected `yes`, `accept-new`, `ask`, `no` or `off`")),
    }
}

pub(super) fn parse_port(word: &str) -> Result<u16, Problem> {
    match word.parse() {
        Ok(0) | Err(_) => Err(format!("invalid port `{word}`: expected a number from 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

pub(super) fn parse_number(word: &str) -> Result<u32, Problem> {
    word.parse::<u32>()
        .ok()
        .filter(|&number| i32::try_from(number).is_ok())
        .ok_or_else(|| format!("invalid number `{word}`"))
}

/// Parses a time such as `90`, `1h30m` or `2w`. As in `ssh`, `none` leaves the time unset.
pub(super) fn parse_time(word: &str) -> Result<Option<Duration>, Problem> {
    if word == "none" {
        return Ok(None);
    }
    parse_seconds(word).map(|seconds| Some(Duration::from_secs(u64::from(seconds)))).ok_or_else(|| {
        format!("invalid time `{word}`: expected seconds, or numbers with the unit `s`, `m`, `h`, `d` or `w`")
    })
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
    fn words_are_case_insensitive_and_other_words_are_rejected() {
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
