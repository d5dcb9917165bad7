//! The `branchline` binary: everything is in the library, so that tests and other programs can call it.

use std::process::ExitCode;

fn main() -> ExitCode {
    branchline_server::cli::run(std::env::args_os())
}
