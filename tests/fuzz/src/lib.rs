//! One entry for libFuzzer for each target.

pub use branchline_tests::fuzz::target;
pub use libfuzzer_sys::fuzz_target;

/// Hands libFuzzer's bytes to the target of this name.
#[macro_export]
macro_rules! guided {
    ($name:literal) => {
        $crate::fuzz_target!(
            // The hook of libFuzzer would end the process at every panic, those too that the door catches and answers.
            init: std::panic::set_hook(Box::new(|_| {})),
            |bytes: &[u8]| {
                static TARGET: std::sync::LazyLock<&branchline_fuzz::Target> =
                    std::sync::LazyLock::new(|| $crate::target($name).expect("a target of this name"));
                let _ = (TARGET.run)(bytes);
            }
        );
    };
}

pub use branchline_tests::fuzz::Target;
