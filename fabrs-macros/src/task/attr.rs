//! The `#[task(…)]` attribute: the hosts, the name and the options of a task.

use proc_macro2::TokenStream;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitStr, Meta, Path, Token};

use super::rolling::Rolling;
use crate::did_you_mean;
use crate::errors::Errors;

/// The parsed `#[task(…)]` attribute.
#[derive(Default)]
pub(super) struct TaskAttr {
    pub(super) default: bool,
    pub(super) local: Option<Path>,
    pub(super) hosts: Option<(Path, Vec<LitStr>)>,
    pub(super) role: Option<(Path, LitStr)>,
    pub(super) rolling: Option<(Path, Rolling)>,
    pub(super) sudo: Option<Path>,
    pub(super) defer_approval: bool,
    pub(super) lock: Option<LitStr>,
    pub(super) name: Option<LitStr>,
    pub(super) aliases: Vec<LitStr>,
}

const KEYS: [&str; 10] =
    ["default", "local", "hosts", "role", "rolling", "sudo", "defer_approval", "lock", "name", "alias"];

impl TaskAttr {
    /// Parses the keys. Records an error for each invalid key and skips it.
    pub(super) fn read(arguments: TokenStream, errors: &mut Errors) -> Self {
        let mut attr = Self::default();
        let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(arguments).map_err(|error| {
            let text = format!("{error}: write keys, as in `#[task(role = \"web\", rolling = 1)]`");
            syn::Error::new(error.span(), text)
        });
        let mut seen: Vec<String> = Vec::new();
        for meta in errors.record(metas).into_iter().flatten() {
            let key = key_name(meta.path());
            if key != "alias" && seen.contains(&key) {
                errors.add(meta.path(), format!("duplicate key `{key}`"));
                continue;
            }
            errors.record(attr.read_key(&key, &meta));
            seen.push(key);
        }
        attr
    }

    fn read_key(&mut self, key: &str, meta: &Meta) -> syn::Result<()> {
        let path = meta.path().clone();
        match key {
            "default" => {
                check_flag(meta)?;
                self.default = true;
            }
            "local" => {
                check_flag(meta)?;
                self.local = Some(path);
            }
            "hosts" => self.hosts = Some((path, host_list(meta)?)),
            "role" => self.role = Some((path, string_value(meta, "role = \"web\"")?)),
            "rolling" => self.rolling = Some((path, rolling(meta)?)),
            "sudo" => {
                check_flag(meta)?;
                self.sudo = Some(path);
            }
            "defer_approval" => {
                check_flag(meta)?;
                self.defer_approval = true;
            }
            "lock" => self.lock = Some(lock_name(meta)?),
            "name" => self.name = Some(task_name(meta, "name = \"build-docs\"")?),
            "alias" => self.aliases.push(task_name(meta, "alias = \"d\"")?),
            unknown => {
                let text = format!(
                    "unknown key `{unknown}` in `#[task(…)]`: {}",
                    did_you_mean::unknown_name_hint(unknown, &KEYS)
                );
                return Err(syn::Error::new_spanned(path, text));
            }
        }
        Ok(())
    }
}

/// Returns the path of a key as text.
pub(super) fn key_name(path: &Path) -> String {
    let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    segments.join("::")
}

/// Checks that a key has no value.
fn check_flag(meta: &Meta) -> syn::Result<()> {
    match meta {
        Meta::Path(_) => Ok(()),
        _ => Err(expected_syntax(meta, &key_name(meta.path()))),
    }
}

fn string_value(meta: &Meta, example: &str) -> syn::Result<LitStr> {
    match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !text.value().trim().is_empty() => Ok(text.clone()),
            _ => Err(expected_syntax(meta, example)),
        },
        _ => Err(expected_syntax(meta, example)),
    }
}

/// Parses the name of a task: a single word on the command line that cannot be read as an option.
fn task_name(meta: &Meta, example: &str) -> syn::Result<LitStr> {
    let name = string_value(meta, example)?;
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.value().starts_with(char::is_alphabetic) && name.value().chars().all(is_part) {
        Ok(name)
    } else {
        let text = format!(
            "invalid task name `{}`: start with a letter, and use only letters, \
             digits, `-`, `_` and `.`",
            name.value()
        );
        Err(syn::Error::new(name.span(), text))
    }
}

/// Parses the name of a lock, a part of a file name.
fn lock_name(meta: &Meta) -> syn::Result<LitStr> {
    let lock = string_value(meta, "lock = \"deploy\"")?;
    if lock.value().contains(|c: char| c == '/' || c.is_control()) {
        let text = format!(
            "invalid lock name `{}`: it is part of a file name, so `/` and control characters are not allowed",
            lock.value()
        );
        return Err(syn::Error::new(lock.span(), text));
    }
    Ok(lock)
}

fn host_list(meta: &Meta) -> syn::Result<Vec<LitStr>> {
    const EXAMPLE: &str = "hosts(\"web1\", \"deploy@web2\")";
    let Meta::List(list) = meta else { return Err(expected_syntax(meta, EXAMPLE)) };
    let parse = Punctuated::<LitStr, Token![,]>::parse_terminated;
    let hosts = list.parse_args_with(parse).map_err(|_| expected_syntax(meta, EXAMPLE))?;
    if hosts.is_empty() || hosts.iter().any(|host| host.value().trim().is_empty()) {
        return Err(expected_syntax(meta, EXAMPLE));
    }
    Ok(hosts.into_iter().collect())
}

fn rolling(meta: &Meta) -> syn::Result<Rolling> {
    let literal = match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit, .. }) => Some(lit),
            _ => None,
        },
        _ => None,
    };
    literal.and_then(Rolling::parse).unwrap_or_else(|| Err(expected_syntax(meta, Rolling::SYNTAX)))
}

fn expected_syntax(meta: &Meta, example: &str) -> syn::Error {
    syn::Error::new_spanned(meta, format!("write `{example}`"))
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn read(arguments: TokenStream) -> (TaskAttr, Vec<String>) {
        let mut errors = Errors::default();
        let attr = TaskAttr::read(arguments, &mut errors);
        (attr, errors.messages())
    }

    #[test]
    fn every_key_is_read() {
        let (attr, errors) = read(
            quote! { default, role = "web", rolling = 2, sudo, lock = "shop", name = "go", alias = "d", alias = "dd" },
        );
        assert_eq!(errors, [""; 0]);
        assert!(attr.default && attr.sudo.is_some() && attr.local.is_none() && attr.hosts.is_none());
        assert_eq!(attr.role.map(|(_, role)| role.value()).as_deref(), Some("web"));
        assert_eq!(attr.rolling.map(|(_, rolling)| rolling), Some(Rolling::Hosts(2)));
        assert_eq!(attr.lock.map(|lock| lock.value()).as_deref(), Some("shop"));
        assert_eq!(attr.name.map(|name| name.value()).as_deref(), Some("go"));
        assert_eq!(attr.aliases.iter().map(LitStr::value).collect::<Vec<_>>(), ["d", "dd"]);
        let (attr, errors) = read(quote! { rolling = "25%" });
        assert_eq!(errors, [""; 0]);
        assert_eq!(attr.rolling.map(|(_, rolling)| rolling), Some(Rolling::Percent(25)));
        let (attr, errors) = read(quote! { hosts("a", "b",), });
        assert_eq!(errors, [""; 0]);
        let (_, hosts) = attr.hosts.unwrap();
        assert_eq!(hosts.iter().map(LitStr::value).collect::<Vec<_>>(), ["a", "b"]);
        assert!(read(quote! { local }).0.local.is_some());
    }

    #[track_caller]
    fn assert_error(arguments: TokenStream, expected: &str) {
        let (_, errors) = read(arguments);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{errors:?}");
    }

    #[test]
    fn an_invalid_key_or_value_has_a_message_with_the_syntax() {
        assert_error(quote! { roles = "web" }, "unknown key `roles` in `#[task(…)]`: did you mean `role`?");
        assert_error(quote! { parallel }, "unknown key `parallel` in `#[task(…)]`: known keys: `default`, `local`");
        assert_error(quote! { role("web") }, "write `role = \"web\"`");
        assert_error(quote! { role = web }, "write `role = \"web\"`");
        assert_error(quote! { role = "" }, "write `role = \"web\"`");
        assert_error(quote! { hosts = "a" }, "write `hosts(\"web1\", \"deploy@web2\")`");
        assert_error(quote! { hosts() }, "write `hosts(");
        assert_error(quote! { local = true }, "write `local`");
        assert_error(quote! { sudo = "root" }, "write `sudo`");
        assert_error(quote! { lock }, "write `lock = \"deploy\"`");
        assert_error(quote! { lock = "a/b" }, "invalid lock name `a/b`");
        let syntax = "write `rolling = 1` or `rolling = \"25%\"`";
        for invalid in [quote! { rolling }, quote! { rolling(1) }, quote! { rolling = half }, quote! { rolling = 0.5 }]
        {
            assert_error(invalid, syntax);
        }
        let number = "`rolling = \"25\"` has no unit: write `rolling = 25` for a number of hosts, or add a `%`";
        assert_error(quote! { rolling = "25" }, number);
        assert_error(quote! { rolling = "0%" }, "`rolling = \"0%\"` runs on no host: write a percentage from `1%`");
        for large in ["101%", "256%", "9999999999%"] {
            assert_error(quote! { rolling = #large }, &format!("`{large}` is more than all hosts"));
        }
        for invalid in ["", "%", "x%", "25 %", "2.5%", "-5%", "+5%", "25%%"] {
            assert_error(quote! { rolling = #invalid }, &format!("`{invalid}` is not a percentage: {syntax}"));
        }
        assert_error(quote! { rolling = 0 }, "`rolling = 0` runs on no host");
        assert_error(quote! { name = "-x" }, "invalid task name `-x`");
        assert_error(quote! { alias = "a b" }, "invalid task name `a b`");
        assert_error(quote! { "web" }, "expected identifier: write keys, as in `#[task(role");
        assert_error(quote! { default, default }, "duplicate key `default`");
    }

    #[test]
    fn valid_keys_next_to_an_error_are_kept() {
        let (attr, errors) = read(quote! { role = "web", rolling = 0, colour, default });
        assert_eq!(errors.len(), 2);
        assert!(attr.default && attr.role.is_some() && attr.rolling.is_none());
    }
}
