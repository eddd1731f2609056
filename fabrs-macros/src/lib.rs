//! The macros of fabrs: [`task`](macro@task) turns a function into a task, and [`cmd!`](macro@cmd)
//! builds a shell line with quoted values. The facade `fabrs` re-exports both. The generated code
//! refers to the crate `fabrs`, so a project must depend on `fabrs` under this name.
//!
//! Each mistake is reported once, as a compile error with the correct syntax. Everything else is
//! still generated, to avoid follow-up errors. The traits `FromArg`, `TaskReturn` and `ShellValue`
//! have diagnostics of the same form.

mod cmd;
mod did_you_mean;
mod errors;
mod task;

use proc_macro::TokenStream;

/// Turns a function into a task. `fab` lists the task, shows its help, and runs it on hosts.
///
/// The function itself is unchanged. The macro adds a type of the same name: `call` takes the
/// arguments of the function and returns a `Call`, and `task` returns the description. The task is
/// registered with the program that links it.
///
/// ```
/// use fabrs::prelude::*;
///
/// /// Deploys the last good build, or the given tag.
/// #[task(role = "web", rolling = 1)]
/// async fn deploy(
///     /// The tag to deploy.
///     #[arg(short)]
///     tag: Option<String>,
///     #[arg(default = "main")] branch: String,
///     /// Migrate the database too.
///     #[arg(default = true)]
///     migrate: bool,
/// ) -> Result {
///     let tag = tag.as_deref().unwrap_or(&branch);
///     run(cmd!("git reset --hard {tag}")).await?;
///     if migrate {
///         once("migrate", run("./manage.py migrate")).await?;
///     }
///     Ok(())
/// }
///
/// let task = deploy::task();
/// assert_eq!(task.docs, "Deploys the last good build, or the given tag.");
/// assert_eq!(task.params[0].docs, "The tag to deploy.");
/// let call: Call = deploy::call(Some("v1".to_owned()), "main".to_owned(), false);
/// assert_eq!(call.arguments()[0], ("tag", "Some(\"v1\")".to_owned()));
/// ```
///
/// # The function
///
/// A task is an `async fn`, or a plain `fn` that runs on a blocking thread. It returns nothing or a
/// `Result`. A first parameter of type `Connection` receives the connection to the host. All other
/// parameters are arguments. Each host receives a copy of them.
///
/// | type of the argument | on the command line |
/// |---|---|
/// | `bool` | a switch, off by default: `--name` |
/// | `Option<T>` | optional: `--name VALUE` |
/// | `Vec<T>` | repeatable: `--name A --name B` |
/// | any other `T` | required, or optional with `#[arg(default = …)]` |
///
/// With `#[arg(default = true)]`, a switch is on by default, and `--no-name` turns it off.
///
/// `T` must implement `FromStr`, `Clone`, `Debug`, `Send` and `Sync`. The macro identifies a type
/// by the last segment of its path: `std::option::Option<T>` is an `Option`, a type alias is not.
///
/// The help shows the doc comments of the function and of its parameters.
///
/// # `#[task(…)]`
///
/// | key | meaning |
/// |---|---|
/// | `role = "web"` | runs on the hosts of this role; on other hosts only if selected with `-H` |
/// | `hosts("web1", "deploy@web2")` | runs on these hosts and, if set, on the hosts of `role` |
/// | `local` | runs once on this machine, without a host |
/// | `rolling = 1`, `rolling = "25%"` | the maximum of hosts at a time; a smaller `-P` wins |
/// | `sudo` | uses sudo; `fab` validates sudo on all hosts of the task before the run starts |
/// | `defer_approval` | starts without a prompt in a protected environment |
/// | `lock = "deploy"` | acquires the lock `deploy` on all hosts before the task runs |
/// | `default` | runs if the command line names no task |
/// | `name = "build-docs"` | the name on the command line; defaults to the name of the function |
/// | `alias = "d"` | another name on the command line; repeatable |
///
/// A task without `role`, `hosts` and `local` runs on all hosts of the environment. A `local` task
/// uses groups of hosts instead of a connection: `on(..)`, `call.all()`.
///
/// `rolling = "25%"` is a percentage of the hosts of the task, rounded down, with a minimum of 1
/// host. The next host starts as soon as a host is finished.
///
/// In a protected environment, `fab` prompts before a task starts. A task with `defer_approval`
/// starts without this prompt. The task must call `Client::approve` before its first change, or
/// only read.
///
/// If another run holds the lock, the task fails. With `--wait`, the task waits for the lock.
///
/// # Calls
///
/// `deploy::call(tag)` binds the arguments. Another task can run the call:
///
/// | call | runs |
/// |---|---|
/// | `deploy::call(tag).await?` | on the host of the caller |
/// | `deploy::call(tag).all().await?` | on all hosts declared by `deploy`, narrowed by `-H` |
/// | `deploy::call(tag).on(&c).await?` | on the connection `c` |
///
/// The first form fails if `deploy` declares other hosts. `all()` requires a `local` task, and
/// returns the outcome of each host. `on(&c)` ignores the hosts declared by `deploy`.
///
/// ```
/// use fabrs::prelude::*;
///
/// #[task(role = "web", rolling = 1)]
/// async fn deploy(tag: String) -> Result {
///     run(cmd!("git reset --hard {tag}")).await?;
///     Ok(())
/// }
///
/// #[task(local)]
/// async fn release(tag: String) -> Result {
///     local(cmd!("git push origin {tag}")).await?;
///     deploy::call(tag).all().await?.all_ok()?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// # `#[arg(…)]`
///
/// | key | meaning |
/// |---|---|
/// | `short`, `short = 'v'` | adds a short option: the first letter of the name, or this letter |
/// | `default = …` | the value of an omitted argument; a string is converted with `From` |
///
/// # Names
///
/// A task cannot have the name of a prelude function, because `run(..)` in the same file would call
/// the task. A task is also a type. Its module cannot contain another type or a `mod` of the same
/// name, and rustc reports the conflict.
#[proc_macro_attribute]
pub fn task(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), &item.into()).into()
}

/// Builds a shell line from a literal, and quotes every value.
///
/// ```
/// use fabrs::cmd;
///
/// let (tag, files) = ("v1; rm -rf /", ["a b", "c"]);
/// assert_eq!(cmd!("git reset --hard {tag}").as_str(), "git reset --hard 'v1; rm -rf /'");
/// assert_eq!(cmd!("rm -- {files...} ${TMP}").as_str(), "rm -- 'a b' c ${TMP}");
/// ```
///
/// | in the literal | meaning |
/// |---|---|
/// | `{name}`, `{app.release.tag}` | a value, as a quoted word or part: `/srv/{name}/log` |
/// | `{name...}` | a list, as a quoted word for each item, separated by blanks |
/// | `{n:03}` | a value formatted as by `format!`, then quoted |
/// | `${HOME}` | an expansion of the shell, up to its closing brace |
/// | `{{` and `}}` | a brace of the shell: `awk '{{print $1}}'` |
///
/// Other text in braces is a compile error. Bind other expressions with `let` first.
///
/// # Positions of values
///
/// A value is accepted only in a position with reliable quoting. The macro tracks quotes like a
/// POSIX shell. It rejects a value:
///
/// - in quotes, because the value has its own quotes;
/// - in backticks, comments, here-documents and `((…))`;
/// - directly after a backslash or the name of a variable;
/// - directly before a redirection.
///
/// `$(…)` in double quotes starts a new context, so `"$(basename {path})"` is valid. Quotes must be
/// balanced. Syntax with different meanings in different shells is rejected, and so is `case` in a
/// `$(…)` in double quotes. `ShellLine::raw(..)` accepts any text.
///
/// Quoting turns a value into a single word. The command decides how to use the word: `sh -c {x}`
/// and `eval {x}` execute the word. A value with a leading `-` is an option, unless a `--` precedes
/// the value.
///
/// An error shows the invalid part of the literal and its line and column, counted in characters of
/// the string content. An escape such as `\"` counts as one character. Stable Rust cannot point
/// into a literal.
#[proc_macro]
pub fn cmd(input: TokenStream) -> TokenStream {
    cmd::expand(input.into()).into()
}
