//! The `branchline` binary: everything is in the library, so that tests and other programs can call it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

// Receiving frees what it allocated batch by batch. The C library's allocator gives that back to the system each time and
// fetches it again, page by page.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    branchline_server::cli::run(std::env::args_os())
}
