//! The macros of fabrs: [`task`](macro@task), which makes a function a task, and [`cmd!`](macro@cmd), which makes a
//! line for a shell. The facade `fabrs` re-exports both; what they write names that crate, so it must be a dependency under
//! this name.
//!
//! Every mistake that can be seen here is a compile error that says what to write instead, and is told once: whatever
//! else can be made is made beside it. The types that take part (`FromArg`, `TaskReturn`, `ShellValue`) explain
//! themselves in the same way.

mod cmd;
mod did_you_mean;
mod errors;
mod task;

use proc_macro::TokenStream;

/// Makes a function a task: something that `fab` lists, explains, and runs on hosts.
///
/// The function stays what it is. Beside it comes a type of the same name, with `call`, which takes the function's
/// arguments and gives a `Call` of it, and `task`, the description; and the task is registered with the program that
/// links it.
///
/// ```
/// use fabrs::prelude::*;
///
/// /// Puts a build live: the last good one, or the tag you name.
/// #[task(role = "web", rolling = 1)]
/// async fn deploy(
///     /// The tag to deploy.
///     #[arg(short)]
///     tag: Option<String>,
///     #[arg(default = "main")] branch: String,
///     /// Migrate, too.
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
/// assert_eq!(task.docs, "Puts a build live: the last good one, or the tag you name.");
/// assert_eq!(task.params[0].docs, "The tag to deploy.");
/// let call: Call = deploy::call(Some("v1".to_owned()), "main".to_owned(), false);
/// assert_eq!(call.arguments()[0], ("tag", "Some(\"v1\")".to_owned()));
/// ```
///
/// # The function
///
/// An `async fn`, or a plain `fn`, which runs on a thread where it may block. It returns nothing or a `Result`. A first
/// parameter of the type `Connection` is the host's; all others are arguments, and each host gets a copy of them.
///
/// | type of the argument | on the command line |
/// |---|---|
/// | `bool` | a switch, `--name`; with `#[arg(default = true)]` on, and turned off by `--no-name` |
/// | `Option<T>` | may be left out: `--name VALUE` |
/// | `Vec<T>` | any number of times: `--name A --name B` |
/// | any other `T` | needed, or with `#[arg(default = …)]` one that may be left out |
///
/// `T` is read by `FromStr`, and is `Clone`, `Debug`, `Send` and `Sync`. Types are known by their last word, as macros
/// see words: `std::option::Option<T>` is one, an alias of it is not.
///
/// Doc comments on the function and on its parameters are what help shows.
///
/// # `#[task(…)]`
///
/// | key | meaning |
/// |---|---|
/// | `role = "web"` | runs on the hosts of this role; on other hosts only if `-H` names them on the command line |
/// | `hosts("web1", "deploy@web2")` | runs on these hosts; with a role besides, on them and then on those of the role |
/// | `local` | runs once, on this machine, with no host of its own: for tasks that work on groups (`on(..)`, `call.all()`) |
/// | `rolling = 1` | on at most this number of hosts at a time; a smaller `-P` wins |
/// | `sudo` | it uses sudo, which is tried on all its hosts before anything begins |
/// | `defer_approval` | in a protected environment it is not asked before it begins: it has what is pending approved itself (`Client::approve`) before it changes anything, or only reads |
/// | `lock = "deploy"` | acquires the lock `deploy` on all its hosts before it runs; if another run holds the lock, the task fails, or waits with `--wait` |
/// | `default` | runs when no task is named |
/// | `name = "build-docs"` | is typed under another name than the function's |
/// | `alias = "d"` | is typed under this name, too; may be given several times |
///
/// A task without `role`, `hosts` and `local` runs on all hosts of the environment.
///
/// # Calls
///
/// `deploy::call(tag)` binds the arguments. In another task:
///
/// | call | runs |
/// |---|---|
/// | `deploy::call(tag).await?` | on the caller's host; an error if `deploy` declares other hosts |
/// | `deploy::call(tag).all().await?` | in a `local` task: on all hosts that `deploy` declares, narrowed by `-H`; returns the outcome of each |
/// | `deploy::call(tag).on(&c).await?` | on this connection, whichever hosts `deploy` declares |
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
/// | `short`, `short = 'v'` | has a short form, of its first letter or this one |
/// | `default = …` | what it is when it is left out; text (`"main"`) becomes whatever the type makes `From` it |
///
/// # Names
///
/// A task can't be named as a function of the prelude: `run(..)` in its file would call the task. And since the task is
/// a type, too, its module can't have another type or `mod` of the name, which rustc says itself.
#[proc_macro_attribute]
pub fn task(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), &item.into()).into()
}

/// Makes a line for a shell from a literal, in which every value is quoted.
///
/// ```
/// use fabrs::cmd;
///
/// let (tag, files) = ("v1; rm -rf /", ["a b", "c"]);
/// assert_eq!(cmd!("git reset --hard {tag}").as_str(), "git reset --hard 'v1; rm -rf /'");
/// assert_eq!(cmd!("rm -- {files...} ${TMP}").as_str(), "rm -- 'a b' c ${TMP}");
/// ```
///
/// | in the literal | is |
/// |---|---|
/// | `{name}`, `{app.release.tag}` | a value, as one quoted word, or as a quoted part of one: `/srv/{name}/log` |
/// | `{name...}` | a list, as a quoted word for each item, with blanks between them |
/// | `{n:03}` | a value formatted as `format!` does, then quoted |
/// | `${HOME}` | the shell's, up to its closing brace |
/// | `{{` and `}}` | a brace of the shell: `awk '{{print $1}}'` |
///
/// Anything else in braces is a compile error: bind it by `let` first.
///
/// # Where a value may stand
///
/// Only where its quoting holds. The literal is followed as a POSIX shell would read its quotes, and a value is refused
/// inside quotes (it has its own), in backticks, comments, here-documents and `((…))`, right behind a backslash or the
/// name of a variable, and right before a redirection. Inside double quotes, `$(…)` begins anew, so
/// `"$(basename {path})"` is right. Quotes must be balanced. What shells read differently is refused, and so is the
/// little that would need a parser (`case` in a `$(…)` in double quotes); `ShellLine::raw(..)` takes any text.
///
/// The quoting makes a value one word; what the command does with this word is its own. `sh -c {x}` and `eval {x}`
/// execute it, and one that begins with `-` is an option unless a `--` stands before it.
///
/// A mistake is told with the piece and its place, counted in characters of the literal's content (an escape such as
/// `\"` is one): stable Rust can't point into a literal.
#[proc_macro]
pub fn cmd(input: TokenStream) -> TokenStream {
    cmd::expand(input.into()).into()
}
