//! The parameters of a task: what each takes from the command line.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Expr, ExprLit, FnArg, GenericArgument, ItemFn, Lit, Meta, Pat, PatType, PathArguments, Type};

use super::arg::ArgAttr;
use super::docs::docs;
use crate::errors::Errors;

/// The parameters of a task.
pub(super) struct Params {
    /// The `c: Connection` in front, where there is one.
    pub(super) connection: Option<PatType>,
    /// All others.
    pub(super) arguments: Vec<Param>,
    /// Whether every parameter is here, if only without what was wrong about it.
    pub(super) is_complete: bool,
}

/// A parameter that takes something from the command line.
pub(super) struct Param {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    /// The name as `fab` shows it: without `r#`, and without the `_` of an unused one.
    pub(super) name: String,
    pub(super) docs: String,
    /// The letter, and where it is asked for.
    pub(super) short: Option<(char, Meta)>,
    pub(super) kind: ArgKind,
}

/// How a parameter is given.
pub(super) enum ArgKind {
    /// `bool`: a switch, which is on or off by default.
    Flag { on: bool },
    /// `T`: needed.
    Required,
    /// `T` with `#[arg(default = …)]`.
    Defaulted(Expr),
    /// `Option<T>`: may be left out.
    Optional(Type),
    /// `Vec<T>`: any number of times.
    List(Type),
}

impl Params {
    /// Reads the parameters, and leaves out those that can be none.
    pub(super) fn read(function: &ItemFn, errors: &mut Errors) -> Self {
        let mut read = Self { connection: None, arguments: Vec::new(), is_complete: true };
        for (position, input) in function.sig.inputs.iter().enumerate() {
            // A receiver is told by `check`.
            let FnArg::Typed(input) = input else { continue };
            if is_named(&input.ty, "Connection") {
                if check_connection(input, position == 0, errors) {
                    read.connection = Some(input.clone());
                } else {
                    read.is_complete = false;
                }
                continue;
            }
            let param = if check_type(input, errors) { Param::read(input, errors) } else { None };
            read.is_complete &= param.is_some();
            read.arguments.extend(param);
        }
        check_shorts(&read.arguments, errors);
        read
    }
}

impl Param {
    fn read(input: &PatType, errors: &mut Errors) -> Option<Self> {
        let ident = check_pattern(input, errors)?;
        let arg = ArgAttr::read(&input.attrs, errors);
        let written = ident.unraw().to_string();
        let name = written.trim_start_matches('_').to_owned();
        let kind = arg_kind(&input.ty, arg.default, errors);
        let short = arg.short.and_then(|short| {
            let letter = short.letter.or_else(|| name.chars().next().filter(char::is_ascii_alphanumeric));
            if letter.is_none() {
                errors.add(&short.key, format!("`{name}` does not begin with a letter to take: write `short = 'v'`"));
            }
            letter.map(|letter| (letter, short.key))
        });
        Some(Self { ident: ident.clone(), ty: (*input.ty).clone(), name, docs: docs(&input.attrs), short, kind })
    }
}

fn arg_kind(ty: &Type, default: Option<Expr>, errors: &mut Errors) -> ArgKind {
    if is_named(ty, "bool") {
        return ArgKind::Flag { on: default.is_some_and(|default| check_switch_default(&default, errors)) };
    }
    if let Some(inner) = argument_of(ty, "Option") {
        check_no_default(default, "an `Option` that is left out is `None`: take the type without `Option`", errors);
        return ArgKind::Optional(inner.clone());
    }
    if let Some(inner) = argument_of(ty, "Vec") {
        check_no_default(default, "a `Vec` that is left out is empty: put its default into the task", errors);
        return ArgKind::List(inner.clone());
    }
    match default {
        Some(default) if check_text_default(ty, &default, errors) => ArgKind::Defaulted(default),
        _ => ArgKind::Required,
    }
}

/// Tells whether a type's last word is `name`: macros see words, not types.
fn is_named(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = ty else { return false };
    path.qself.is_none() && path.path.segments.last().is_some_and(|last| last.ident == name)
}

/// Returns `T` of `name<T>`.
fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| path.qself.is_none() && last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}

/// Tells whether this is the one connection a task may take: the first parameter.
fn check_connection(input: &PatType, is_first: bool, errors: &mut Errors) -> bool {
    if !is_first {
        errors.add(input, "the connection comes first: `async fn deploy(c: Connection, …)`");
    }
    is_first
}

fn check_type(input: &PatType, errors: &mut Errors) -> bool {
    let inner = argument_of(&input.ty, "Option").or_else(|| argument_of(&input.ty, "Vec"));
    check_reference(&input.ty, errors) && inner.is_none_or(|inner| check_reference(inner, errors))
}

fn check_reference(ty: &Type, errors: &mut Errors) -> bool {
    let text = match ty {
        Type::Reference(reference) => match &*reference.elem {
            elem if is_named(elem, "str") => "a task keeps its arguments: take `String`".to_owned(),
            elem if is_named(elem, "Path") => "a task keeps its arguments: take `PathBuf`".to_owned(),
            Type::Slice(slice) => format!("a task keeps its arguments: take `Vec<{}>`", type_source(&slice.elem)),
            elem => format!("a task keeps its arguments: take `{}`", type_source(elem)),
        },
        Type::ImplTrait(_) => "a task's arguments are read from the command line: name a type".to_owned(),
        _ => return true,
    };
    errors.add(ty, text);
    false
}

fn check_pattern<'a>(input: &'a PatType, errors: &mut Errors) -> Option<&'a Ident> {
    match &*input.pat {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {
            let is_named = name.ident.unraw().to_string().chars().any(|c| c != '_');
            if is_named {
                return Some(&name.ident);
            }
        }
        _ => {}
    }
    errors.add(&input.pat, "a task's argument needs a plain name, which is typed as `--name`");
    None
}

fn check_switch_default(default: &Expr, errors: &mut Errors) -> bool {
    if let Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) = default {
        return value.value;
    }
    errors.add(default, "the default of a switch is `true` (`--no-name` turns it off) or `false`");
    false
}

/// Checks that a number's default is one: text stands for whatever can be made from text, which a number cannot.
fn check_text_default(ty: &Type, default: &Expr, errors: &mut Errors) -> bool {
    const NUMBERS: [&str; 14] =
        ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = default else { return true };
    let is_number = NUMBERS.iter().any(|number| is_named(ty, number));
    if is_number {
        errors.add(default, format!("the default of a number is one: `default = {}`", text.value()));
    }
    !is_number
}

fn check_no_default(default: Option<Expr>, why: &str, errors: &mut Errors) {
    if let Some(default) = default {
        errors.add(default, why);
    }
}

fn check_shorts(params: &[Param], errors: &mut Errors) {
    for (position, param) in params.iter().enumerate() {
        let Some((letter, key)) = &param.short else { continue };
        let others = params.iter().take(position);
        let same = |other: &&Param| other.short.as_ref().is_some_and(|(other, _)| other == letter);
        if let Some(other) = others.into_iter().find(same) {
            errors
                .add(key, format!("`-{letter}` is taken by `{}`: write `short = '…'` with another letter", other.name));
        }
    }
}

/// Returns a type as a person writes it.
pub(super) fn type_source(ty: &Type) -> String {
    ty.to_token_stream().to_string().replace(' ', "").replace(',', ", ")
}
