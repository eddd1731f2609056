//! The `fab` command.

fn main() -> std::process::ExitCode {
    fabrs_cli::fab_main()
}
