//! Wildcard patterns of `ssh_config` and `known_hosts`: `*`, `?`, and `!` in lists.

/// Returns true if `pattern` matches all of `text`. `*` matches any bytes, `?` matches one byte.
pub(crate) fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut t, mut p) = (0, 0);
    // Backtracking to the last `*` is enough: a later `*` can match everything an earlier `*`
    // could.
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, matched)) = last_star else { return false };
                last_star = Some((star, matched + 1));
                p = star + 1;
                t = matched + 1;
            }
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Returns true if `text` matches a pattern of a comma-separated list, and no pattern with `!`.
pub(crate) fn list_matches(text: &str, list: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(text, negated) => return false,
            Some(_) => {}
            None => found |= matches(text, pattern),
        }
    }
    found
}

/// Matches like [`list_matches`], but ignores ASCII case, as for host names.
pub(crate) fn hostname_matches(host: &str, list: &str) -> bool {
    list_matches(&host.to_ascii_lowercase(), &list.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{hostname_matches, list_matches, matches};

    #[test]
    fn wildcards_match_the_whole_text() {
        #[track_caller]
        fn case(pattern: &str, text: &str, expected: bool) {
            assert_eq!(matches(text, pattern), expected, "`{pattern}` against `{text}`");
        }
        case("", "", true);
        case("", "a", false);
        case("*", "", true);
        case("**", "abc", true);
        case("?", "", false);
        case("web?", "web1", true);
        case("web?", "web10", false);
        case("*.example.com", "a.b.example.com", true);
        case("*.example.com", "example.com", false);
        case("a*b*c", "aXbXbXc", true);
        case("a*b*c", "aXbXbX", false);
        case("web[12]", "web1", false);
        case("web[12]", "web[12]", true);
        case("Web", "web", false);
    }

    #[test]
    fn a_negated_pattern_overrides_all_others() {
        #[track_caller]
        fn case(list: &str, expected: bool) {
            assert_eq!(list_matches("host3", list), expected, "`{list}`");
        }
        case("host1,host3", true);
        case("!host1,!host2", false);
        case("!host1,!host2,*", true);
        case("*,!host3", false);
        case("!host3,*", false);
        case("", false);
    }

    #[test]
    fn host_names_are_compared_without_case() {
        assert!(hostname_matches("WEB1.Example.com", "*.EXAMPLE.COM"));
    }

    #[test]
    fn many_stars_match_in_bounded_time() {
        assert!(!matches(&"a".repeat(2_000), &"a*".repeat(500).replace("a*a*", "a*b*")));
    }
}
