//! Ranges of hosts, as in Ansible inventories: `web[01:20].example.com`, `deploy@web[1-3,8]:2222`,
//! `rack[a:c]-[1-2]`.
//!
//! Brackets contain parts separated by commas. A part is a number, a letter, or two bounds
//! separated by `:` or `-`. A name with several ranges expands to every combination. Brackets at
//! the start can also contain an IPv6 address instead of a range.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;

use crate::host::error::HostError;

/// A piece of a name: fixed text or a range.
#[derive(Debug)]
pub(super) enum RangePiece<'t> {
    Text(&'t str),
    Range(Vec<RangePart>),
}

impl RangePiece<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::Range(parts) => parts.iter().map(RangePart::len).fold(0, usize::saturating_add),
        }
    }

    pub(super) fn texts(&self) -> Box<dyn Iterator<Item = String> + '_> {
        match self {
            Self::Text(text) => Box::new(std::iter::once((*text).to_owned())),
            Self::Range(parts) => Box::new(parts.iter().flat_map(RangePart::texts)),
        }
    }
}

/// A part of a range.
#[derive(Debug)]
pub(super) enum RangePart {
    /// Numbers, padded with zeros to this width.
    Numbers(RangeInclusive<u64>, usize),
    Letters(RangeInclusive<char>),
}

impl RangePart {
    fn len(&self) -> usize {
        let between = match self {
            Self::Numbers(numbers, _) => numbers.end() - numbers.start(),
            Self::Letters(letters) => u64::from(*letters.end()) - u64::from(*letters.start()),
        };
        usize::try_from(between).unwrap_or(usize::MAX).saturating_add(1)
    }

    fn texts(&self) -> Box<dyn Iterator<Item = String> + '_> {
        match self {
            Self::Numbers(numbers, width) => Box::new(numbers.clone().map(move |number| format!("{number:0width$}"))),
            Self::Letters(letters) => Box::new(letters.clone().map(String::from)),
        }
    }
}

/// Returns whether the name in a text contains a range.
pub(super) fn is_range(text: &str) -> bool {
    let (_, address) = split_user(text);
    parse_ranges(text, address).is_ok_and(|pieces| pieces.is_some())
}

/// Splits the text after the user and its `@`.
pub(super) fn split_user(text: &str) -> (&str, &str) {
    text.split_at(text.rfind('@').map_or(0, |at| at + 1))
}

/// Splits an address into fixed text and ranges. Returns `None` without a range.
pub(super) fn parse_ranges<'t>(text: &str, address: &'t str) -> Result<Option<Vec<RangePiece<'t>>>, HostError> {
    let mut pieces = Vec::new();
    let mut rest = address;
    while let Some((before, after)) = rest.split_once('[') {
        let wrong = |range: &str, why: String| HostError::Range { text: text.to_owned(), range: range.to_owned(), why };
        let Some((inside, behind)) = after.split_once(']') else {
            // An IPv6 address without `]` has its own error.
            let is_address = pieces.is_empty() && before.is_empty() && after.contains("::");
            return if is_address { Ok(None) } else { Err(wrong(&format!("[{after}"), "`]` is missing".to_owned())) };
        };
        if pieces.is_empty() && before.is_empty() && is_name(inside, behind) {
            return Ok(None);
        }
        let parts = inside.split(',').map(|part| parse_range_part(part.trim()));
        let parts: Vec<RangePart> =
            parts.collect::<Result<_, _>>().map_err(|why| wrong(&format!("[{inside}]"), why))?;
        pieces.extend([RangePiece::Text(before), RangePiece::Range(parts)]);
        rest = behind;
    }
    if pieces.is_empty() {
        return Ok(None);
    }
    pieces.push(RangePiece::Text(rest));
    Ok(Some(pieces))
}

/// Returns whether brackets at the start enclose an address or a name, as in `[::1]:22`.
fn is_name(inside: &str, behind: &str) -> bool {
    let address = inside.split('%').next().unwrap_or_default();
    if address.parse::<Ipv6Addr>().is_ok() || address.contains("::") {
        return true;
    }
    let is_whole = behind.is_empty() || behind.starts_with(':');
    is_whole && !inside.contains([':', ',']) && bound(inside).is_none() && !looks_like_range(inside)
}

fn looks_like_range(part: &str) -> bool {
    part.is_empty() || part.split_once('-').is_some_and(|(low, high)| bound(low).is_some() && bound(high).is_some())
}

/// A bound of a range.
#[derive(Debug, Clone, Copy)]
enum Bound<'t> {
    Number(&'t str),
    Letter(char),
}

fn bound(text: &str) -> Option<Bound<'_>> {
    let mut chars = text.chars();
    match (chars.next()?, chars.next()) {
        (letter, None) if letter.is_ascii_alphabetic() => Some(Bound::Letter(letter)),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(Bound::Number(text)),
        _ => None,
    }
}

/// Parses a part of a range. Returns the reason if it is invalid.
fn parse_range_part(part: &str) -> Result<RangePart, String> {
    if part.is_empty() {
        return Err("a part is empty".to_owned());
    }
    let (low, high) = part.split_once([':', '-']).unwrap_or((part, part));
    match (bound_of(part, low.trim())?, bound_of(part, high.trim())?) {
        (Bound::Number(low), Bound::Number(high)) => numbers(low, high),
        (Bound::Letter(low), Bound::Letter(high)) if low.is_ascii_lowercase() != high.is_ascii_lowercase() => {
            Err(format!("`{part}` mixes a lowercase and an uppercase letter"))
        }
        (Bound::Letter(low), Bound::Letter(high)) if low > high => Err(descending(low, high)),
        (Bound::Letter(low), Bound::Letter(high)) => Ok(RangePart::Letters(low..=high)),
        (Bound::Number(_), Bound::Letter(_)) | (Bound::Letter(_), Bound::Number(_)) => {
            Err(format!("`{part}` mixes a number and a letter"))
        }
    }
}

fn bound_of<'t>(part: &str, text: &'t str) -> Result<Bound<'t>, String> {
    match text {
        "" => Err(format!("`{part}` has only one bound")),
        _ if text.contains([':', '-']) => Err(format!("`{part}` has more than two bounds")),
        _ => bound(text).ok_or_else(|| format!("`{text}` is neither a number nor a letter")),
    }
}

fn numbers(low: &str, high: &str) -> Result<RangePart, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is too large"));
    let (first, last) = (number(low)?, number(high)?);
    let is_filled = |text: &str| text.len() > 1 && text.starts_with('0');
    if (is_filled(low) || is_filled(high)) && low.len() != high.len() {
        return Err(format!("`{low}` and `{high}` have different lengths, and one has leading zeros"));
    }
    if first > last {
        return Err(descending(low, high));
    }
    Ok(RangePart::Numbers(first..=last, if is_filled(low) { low.len() } else { 0 }))
}

fn descending(low: impl std::fmt::Display, high: impl std::fmt::Display) -> String {
    format!("the first bound `{low}` is greater than the last bound `{high}`")
}
