//! Writes the pages of the book that are made from the code; with `--check` it only says which are stale. The page of
//! commands needs the built binary.

use std::process::ExitCode;

use branchline_tests::reference::{commands, pages};
use branchline_tests::source::relative;

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let mut stale = false;
    for page in pages().into_iter().chain([commands()]).filter(|page| !page.is_current()) {
        if check {
            eprintln!("{} is stale", relative(&page.path));
            stale = true;
        } else if let Err(failure) = std::fs::write(&page.path, &page.text) {
            eprintln!("{}: {failure}", relative(&page.path));
            return ExitCode::FAILURE;
        } else {
            println!("wrote {}", relative(&page.path));
        }
    }
    if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
