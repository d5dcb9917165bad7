//! The benchmark: `cargo run --release -p branchline-tests --bin bench -- [ROW…] [--json]`.

fn main() {
    let (options, names): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    if let Some(unknown) = options.iter().find(|option| *option != "--json") {
        eprintln!("bench: no option {unknown}; rows:");
        for row in branchline_tests::bench::rows() {
            eprintln!("  {:<16} {}", row.name, row.about);
        }
        std::process::exit(2);
    }
    branchline_tests::bench::run(&names, !options.is_empty());
}
