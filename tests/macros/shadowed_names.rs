//! Names defined by the user do not conflict with the generated code.
#![allow(clippy::all, clippy::pedantic, reason = "the style of user code is not checked")]
#![allow(dead_code, unused, reason = "some names are only defined")]

use fabrs::{cmd, task};

struct Box;
struct Debug;
struct Clone;
struct Call;
struct Task;
struct Piece;
enum Own {
    Some,
    None,
    Ok,
    Err,
}
use Own::{Err, None, Ok, Some};
mod std {}
mod core {}
mod fabrs_core {}
macro_rules! format {
    () => {};
}
macro_rules! vec {
    () => {};
}
macro_rules! line {
    () => {};
}
type Result = ::std::result::Result<(), ::std::io::Error>;

#[task]
async fn call(args: String, value: ::std::option::Option<u8>, #[arg(default = 1)] connection: u8) -> Result {
    let _ = (args, value, connection);
    ::std::result::Result::Ok(())
}

#[task]
fn task_(task_: ::std::vec::Vec<String>, #[arg(default = true)] argument: bool, text0: u8, r#type: u8) -> Result {
    let _ = (task_, argument, text0, r#type);
    ::std::result::Result::Ok(())
}

#[task]
async fn argument(c: ::fabrs::Connection, argument: String) {}

/// A task in a function has no path.
#[test]
fn shadowed_names_do_not_change_the_generated_code() {
    #[task]
    async fn inner(inner: String) -> Result {
        ::std::result::Result::Ok(())
    }
    let _ = inner::call(String::new());

    let pieces = 7;
    assert_eq!(cmd!("echo {pieces:03}").as_str(), "echo 007");
    let _ = call::call(String::new(), ::std::option::Option::None, 1);
}
