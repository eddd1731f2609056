//! Several hosts in a text: ranges and comma lists.

use crate::host::error::HostError;
use crate::host::host::Host;
use crate::host::range::{parse_ranges, split_user};

/// The maximum number of hosts in a text.
const MAX_HOSTS: usize = 10_000;

impl Host {
    /// Parses one host, or several hosts from the ranges of a name.
    ///
    /// The last range varies fastest. Leading zeros are kept: `web[08:10]` expands to `web08`,
    /// `web09` and `web10`.
    ///
    /// ```
    /// use fabrs_core::Host;
    ///
    /// let hosts = Host::expand("deploy@web[1-2,08]:2222")?;
    /// let texts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    /// assert_eq!(texts, ["deploy@web1:2222", "deploy@web2:2222", "deploy@web08:2222"]);
    /// # Ok::<(), fabrs_core::HostError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A [`HostError`] if a range or a host is invalid, or if the text expands to more than 10,000
    /// hosts.
    pub fn expand(text: &str) -> Result<Vec<Self>, HostError> {
        let text = text.trim();
        let (before, address) = split_user(text);
        let Some(pieces) = parse_ranges(text, address)? else { return Ok(vec![text.parse()?]) };
        let hosts = pieces.iter().try_fold(1_usize, |product, piece| product.checked_mul(piece.len()));
        match hosts {
            Some(hosts) if hosts <= MAX_HOSTS => {}
            _ => return Err(HostError::TooMany(text.to_owned())),
        }
        let written = pieces.iter().fold(vec![before.to_owned()], |written, piece| {
            written.iter().flat_map(|start| piece.texts().map(move |end| format!("{start}{end}"))).collect()
        });
        written.iter().map(|host| host.parse()).collect()
    }

    /// Splits a list at its commas. A comma in brackets belongs to a range and does not split.
    ///
    /// ```
    /// use fabrs_core::Host;
    ///
    /// assert_eq!(Host::split_list("web[1-3,8], db1").collect::<Vec<_>>(), ["web[1-3,8]", "db1"]);
    /// ```
    pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
        let mut inside = false;
        let parts = text.split(move |c| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            c == ',' && !inside
        });
        parts.map(str::trim)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Result<Vec<String>, HostError> {
        Ok(Host::expand(text)?.iter().map(ToString::to_string).collect())
    }

    #[track_caller]
    fn case(text: &str, expected: &[&str]) {
        assert_eq!(texts(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn a_range_expands_in_its_order() {
        case("web[2-4]", &["web2", "web3", "web4"]);
        case("web[2:4]", &["web2", "web3", "web4"]);
        case("web[1-3,8]", &["web1", "web2", "web3", "web8"]);
        case(" web[8, 1-2] ", &["web8", "web1", "web2"]);
        case("web[7]", &["web7"]);
        case("web[5-5].example.com", &["web5.example.com"]);
        case("web[9-11]", &["web9", "web10", "web11"]);
        case("[1-2]web", &["1web", "2web"]);
        case("10.0.0.[254-255]", &["10.0.0.254", "10.0.0.255"]);
        case("web", &["web"]);
    }

    #[test]
    fn leading_zeros_are_kept() {
        case("web[08:10]", &["web08", "web09", "web10"]);
        case("web[00-01]", &["web00", "web01"]);
        case("web[0-1]", &["web0", "web1"]);
        case("web[007]", &["web007"]);
        case("web[1-2,03]", &["web1", "web2", "web03"]);
    }

    #[test]
    fn letters_expand_and_several_ranges_give_every_combination() {
        case("db-[a:c]", &["db-a", "db-b", "db-c"]);
        case("[a-b]", &["a", "b"]);
        case("[A:B]x", &["Ax", "Bx"]);
        case("r[1-2]-[a-b,z]", &["r1-a", "r1-b", "r1-z", "r2-a", "r2-b", "r2-z"]);
    }

    #[test]
    fn every_host_of_a_range_has_the_user_and_the_port() {
        case("deploy@web[1-2]:2222", &["deploy@web1:2222", "deploy@web2:2222"]);
        case("a[1]@b@web[1-2]", &["a[1]@b@web1", "a[1]@b@web2"]);
        case("[1-2]:22", &["1:22", "2:22"]);
        case("[a:b]:22", &["a:22", "b:22"]);
        case("127.0.0.1:[2201-2202]", &["127.0.0.1:2201", "127.0.0.1:2202"]);
    }

    #[test]
    fn brackets_around_an_address_are_not_a_range() {
        case("[::1]:22", &["[::1]:22"]);
        case("[::1]", &["::1"]);
        case("u@[2001:db8::1]:22", &["u@[2001:db8::1]:22"]);
        case("[1::2]", &["1::2"]);
        case("[a::c]:22", &["[a::c]:22"]);
        case("[1:2:3:4:5:6:7:8]:22", &["[1:2:3:4:5:6:7:8]:22"]);
        case("[fe80::1%eth0]:22", &["[fe80::1%eth0]:22"]);
        case("::1", &["::1"]);
        case("[web-front]:22", &["web-front:22"]);
        case("@local", &["@local"]);
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        assert_eq!(Host::expand(text).unwrap_err().to_string(), why);
    }

    #[test]
    fn an_invalid_range_is_reported_with_its_reason() {
        refused(
            "web[4-2]",
            "invalid range `[4-2]` in `web[4-2]`: the first bound `4` is greater than the last bound `2`",
        );
        refused("x[c:a]", "invalid range `[c:a]` in `x[c:a]`: the first bound `c` is greater than the last bound `a`");
        refused("x[1-c]", "invalid range `[1-c]` in `x[1-c]`: `1-c` mixes a number and a letter");
        refused("[a-3]", "invalid range `[a-3]` in `[a-3]`: `a-3` mixes a number and a letter");
        refused("x[a:C]", "invalid range `[a:C]` in `x[a:C]`: `a:C` mixes a lowercase and an uppercase letter");
        refused("x[aa:cc]", "invalid range `[aa:cc]` in `x[aa:cc]`: `aa` is neither a number nor a letter");
        refused("x[1-3,]", "invalid range `[1-3,]` in `x[1-3,]`: a part is empty");
        refused("x[]", "invalid range `[]` in `x[]`: a part is empty");
        refused("[]", "invalid range `[]` in `[]`: a part is empty");
        refused("x[1-]", "invalid range `[1-]` in `x[1-]`: `1-` has only one bound");
        refused("x[-3]", "invalid range `[-3]` in `x[-3]`: `-3` has only one bound");
        refused("x[1-2-3]", "invalid range `[1-2-3]` in `x[1-2-3]`: `1-2-3` has more than two bounds");
        refused("x[1-2", "invalid range `[1-2` in `x[1-2`: `]` is missing");
        refused("x[1-2]y[3", "invalid range `[3` in `x[1-2]y[3`: `]` is missing");
        refused(
            "x[01-100]",
            "invalid range `[01-100]` in `x[01-100]`: `01` and `100` have different lengths, and one has leading zeros",
        );
        refused(
            "x[99999999999999999999-1]",
            "invalid range `[99999999999999999999-1]` in `x[99999999999999999999-1]`: \
             `99999999999999999999` is too large",
        );
        refused("web[1-2]:0", "`0` is not a port (1 to 65535) in `web1:0`");
        refused("x]", "`x]` is not a valid host name");
        refused("[::1", "the brackets in `[::1` do not enclose an address: write `[::1]:22`");
    }

    #[test]
    fn too_many_hosts_are_rejected_before_the_expansion() {
        assert_eq!(Host::expand("x[1-100]y[1-100]").unwrap().len(), 10_000);
        for text in ["x[1-10001]", "x[1-100]y[0-100]", "x[0-18446744073709551615]", "[1-9999][1-9999][1-9999][0-9999]"]
        {
            refused(text, &format!("`{text}` expands to more than 10000 hosts"));
        }
    }

    #[test]
    fn a_range_is_not_one_host() {
        let error = "web[2-4]".parse::<Host>().unwrap_err();
        assert_eq!(error.to_string(), "`web[2-4]` is a range of hosts, but one host is expected");
    }

    #[test]
    fn a_list_is_split_outside_of_brackets() {
        let split = |text| Host::split_list(text).collect::<Vec<_>>();
        assert_eq!(split("a, b[1,2] ,[::1]:22"), ["a", "b[1,2]", "[::1]:22"]);
        assert_eq!(split("a,,b"), ["a", "", "b"]);
        assert_eq!(split("a[1,2"), ["a[1,2"]);
    }

    /// Random combinations of parts of ranges.
    fn near_ranges() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "[",
            "]",
            "[",
            "]",
            "-",
            ":",
            "::",
            ",",
            "@",
            "1",
            "08",
            "a",
            "Z",
            "web",
            ".",
            "1-3",
            "a:c",
            "%",
            " ",
            "é",
            "18446744073709551615",
            "2222",
            "[1-3]",
            "[::1]",
        ]);
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn expansion_never_panics_and_every_expanded_host_is_a_single_host(text in prop_oneof![any::<String>(), near_ranges()]) {
            if let Ok(hosts) = Host::expand(&text) {
                prop_assert!((1..=MAX_HOSTS).contains(&hosts.len()));
                for host in hosts {
                    let again = Host::expand(&host.to_string());
                    prop_assert_eq!(again.as_deref(), Ok(&[host][..]));
                }
            }
        }

        #[test]
        fn a_range_contains_each_number_once(
            first in 0_u64..20_000,
            more in 0_u64..300,
            width in 0_usize..8,
            user in prop::option::of("[a-z]{1,8}"),
            port in prop::option::of(1_u16..),
        ) {
            let last = first + more;
            // A range with leading zeros needs two bounds of the same length.
            let width = if width == 0 { 0 } else { width.max(last.to_string().len()) };
            let user = user.map_or(String::new(), |user| format!("{user}@"));
            let port = port.map_or(String::new(), |port| format!(":{port}"));
            let text = format!("{user}w[{first:0width$}-{last:0width$}].x{port}");
            let expected: Vec<String> =
                (first..=last).map(|number| format!("{user}w{number:0width$}.x{port}")).collect();
            prop_assert_eq!(texts(&text).unwrap(), expected);
        }

        #[test]
        fn an_ipv6_address_in_brackets_is_always_one_host(bits in any::<u128>(), port in prop::option::of(1_u16..)) {
            let address = Ipv6Addr::from(bits);
            let port_text = port.map_or(String::new(), |port| format!(":{port}"));
            let hosts = Host::expand(&format!("[{address}]{port_text}")).unwrap();
            prop_assert_eq!(hosts.len(), 1);
            prop_assert_eq!(hosts[0].name(), address.to_string());
            prop_assert_eq!(hosts[0].port(), port);
        }
    }
}
