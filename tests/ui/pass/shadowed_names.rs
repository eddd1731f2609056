//! Names of the user's own do not get in the way of what the macros write.
#![allow(dead_code, unused)]

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

#[task(default)]
async fn call(args: String, value: ::std::option::Option<u8>, #[arg(default = 1)] connection: u8) -> Result {
    let _ = (args, value, connection);
    ::std::result::Result::Ok(())
}

#[task(default)]
fn task_(task: ::std::vec::Vec<String>, #[arg(default = true)] name: bool) -> Result {
    let _ = (task, name);
    ::std::result::Result::Ok(())
}

fn main() {
    let pieces = 7;
    assert_eq!(cmd!("echo {pieces:03}").as_str(), "echo 007");
    let _ = call::call(String::new(), ::std::option::Option::None, 1);
}
