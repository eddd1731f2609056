//! A stub of fabrs. Tools compile fast with it, and print the texts of their tasks at startup.

/// Prints the hash of the tool's project.
pub fn main(project: &str) -> std::process::ExitCode {
    println!("tool of {project}");
    std::process::ExitCode::SUCCESS
}

/// Registers a text like a real task, through a linker section.
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
