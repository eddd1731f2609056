//! Checks of the function and the keys of a task.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::{ItemFn, ReturnType, Safety, Signature, Type};

use super::attr::TaskAttr;
use super::params::Params;
use crate::errors::Errors;

/// The functions of the prelude. A task with such a name would shadow the function, and call
/// itself.
const PRELUDE_FUNCTIONS: [&str; 21] = [
    "cd", "cmd", "confirm", "current", "effect", "env", "get", "local", "on", "once", "prefix", "probe", "prompt",
    "put", "role", "run", "secs", "step", "sudo", "sync", "v_run",
];

/// Returns the error for an item that is not a function. `error` is the original parse error.
pub(super) fn not_a_function(item: &TokenStream, error: syn::Error) -> syn::Error {
    let words: Vec<String> = item
        .clone()
        .into_iter()
        .filter_map(|token| match token {
            TokenTree::Ident(ident) => Some(ident.to_string()),
            _ => None,
        })
        .take_while(|word| word != "fn")
        .collect();
    let other = ["struct", "enum", "union", "trait", "impl", "mod", "type", "static", "use"];
    if words.iter().any(|word| other.contains(&word.as_str())) {
        syn::Error::new_spanned(item, "`#[task]` requires a function: `#[task] async fn deploy() -> Result { … }`")
    } else {
        error
    }
}

/// Checks the function except for its parameters. Returns true if `call` can be generated.
pub(super) fn check_function(function: &ItemFn, errors: &mut Errors) -> bool {
    check_name(&function.sig.ident, errors);
    let signature = &function.sig;
    // Run every check before the results are combined, to report all errors.
    let receiver = check_receiver(signature, errors);
    let generics = check_generics(signature, errors);
    let qualifiers = check_qualifiers(signature, errors);
    let output = check_output(signature, errors);
    receiver && generics && qualifiers && output
}

fn check_name(name: &Ident, errors: &mut Errors) {
    let text = name.unraw().to_string();
    if PRELUDE_FUNCTIONS.contains(&text.as_str()) {
        errors.add(
            name,
            format!(
                "a task function cannot be named `{text}`: `{text}(..)` in this file would call the task instead of the \
                 prelude function; rename the function and add `#[task(name = \"{text}\")]`"
            ),
        );
    }
}

fn check_receiver(signature: &Signature, errors: &mut Errors) -> bool {
    if let Some(receiver) = signature.receiver() {
        errors.add(receiver, "a task must be a function, not a method: `fab` has no `self` value");
    }
    signature.receiver().is_none()
}

fn check_generics(signature: &Signature, errors: &mut Errors) -> bool {
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        let text = "a task cannot be generic: its arguments are read from the command line, so write concrete types";
        errors.add(&generics.params, text);
    } else if let Some(clause) = &generics.where_clause {
        errors.add(clause, "a task cannot have a `where` clause: write concrete types");
    }
    generics.params.is_empty() && generics.where_clause.is_none()
}

fn check_qualifiers(signature: &Signature, errors: &mut Errors) -> bool {
    let mut is_valid = true;
    let mut reject = |at: &dyn quote::ToTokens, word: &str, why: &str| {
        errors.add(at, format!("a task cannot be {word}: {why}"));
        is_valid = false;
    };
    if let Some(constness) = &signature.constness {
        reject(constness, "`const`", "`fab` calls it at run time");
    }
    match &signature.safety {
        Safety::Unsafe(token) => reject(token, "`unsafe`", "every user of the command line can call it"),
        Safety::Safe(token) => reject(token, "`safe`", "write `fn` without a qualifier"),
        Safety::Default => {}
    }
    if let Some(abi) = &signature.abi {
        reject(abi, "`extern`", "`fab` calls it from Rust");
    }
    if let Some(variadic) = &signature.variadic {
        reject(variadic, "variadic", "write `Vec<T>` for an argument that can be given several times");
    }
    is_valid
}

fn check_output(signature: &Signature, errors: &mut Errors) -> bool {
    let ReturnType::Type(_, output) = &signature.output else { return true };
    let is_valid = !matches!(**output, Type::ImplTrait(_) | Type::Never(_));
    if !is_valid {
        errors.add(output, "a task must return `Result` or nothing");
    }
    is_valid
}

/// Checks the keys of `#[task(…)]` against each other and against the parameters.
pub(super) fn check_keys(attr: &TaskAttr, params: &Params, errors: &mut Errors) {
    check_local(attr, errors);
    check_local_connection(attr, params, errors);
}

fn check_local(attr: &TaskAttr, errors: &mut Errors) {
    let Some(local) = &attr.local else { return };
    let other = match attr {
        TaskAttr { hosts: Some(_), .. } => "hosts",
        TaskAttr { role: Some(_), .. } => "role",
        TaskAttr { rolling: Some(_), .. } => "rolling",
        TaskAttr { sudo: Some(_), .. } => "sudo",
        _ => return,
    };
    errors.add(
        local,
        format!(
            "`local` and `{other}` cannot be combined: a `local` task runs once on this machine, and \
             reaches hosts with `on(role(..))`"
        ),
    );
}

fn check_local_connection(attr: &TaskAttr, params: &Params, errors: &mut Errors) {
    if let (Some(_), Some(connection)) = (&attr.local, &params.connection) {
        let text = "a `local` task has no host and no connection: use `local(..)` or `on(role(..))`";
        errors.add(connection, text);
    }
}
