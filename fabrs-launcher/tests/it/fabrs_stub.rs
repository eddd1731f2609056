//! Stands in for fabrs, so that a tool compiles in no time: tasks are texts which are printed when the tool starts.

/// Prints whose tool this is.
pub fn main(project: &str) -> std::process::ExitCode {
    println!("tool of {project}");
    std::process::ExitCode::SUCCESS
}

/// Registers a text as real tasks are registered: by being linked.
#[macro_export]
macro_rules! task {
    ($($text:tt)*) => {
        const _: () = {
            extern "C" fn print() {
                println!($($text)*);
            }
            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
            static PRINT: extern "C" fn() = print;
        };
    };
}
