//! The `branchline` binary: everything is in the library, so that tests and other programs can call it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

// Receiving frees what it allocated batch by batch. The C library's allocator gives that back to the system each time and
// fetches it again, page by page.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long the allocator keeps freed memory before it gives it back, in milliseconds.
#[cfg(unix)]
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

// The allocator reads its options once, before anything of ours runs. A command that ends soon is fastest with memory
// kept; a server mostly rests, and each of a thousand connections would hold twice of what it needs. Ten milliseconds let
// one page use what the last one left: given back at once, that was a tenth of what a page costs.
#[cfg(unix)]
fn begin_again_as_a_server() {
    use std::os::unix::process::CommandExt;
    if std::env::args_os().all(|argument| argument != "serve") || std::env::var_os(PURGE_DELAY).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // It comes back only where it has failed, and then the server holds more memory, nothing else.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(PURGE_DELAY, "10").exec();
    }
}

fn main() -> ExitCode {
    #[cfg(unix)]
    begin_again_as_a_server();
    branchline_server::cli::run(std::env::args_os())
}
