//! CPU time as the kernel counts it.

use std::fs;

/// CPU seconds of the calling thread so far, to the nanosecond.
pub(crate) fn thread_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts a thread's time");
    let nanoseconds: f64 = stat.split(' ').next().and_then(|n| n.parse().ok()).expect("schedstat begins with a number");
    nanoseconds / 1e9
}

/// The best of several runs, in CPU microseconds for each of `count` things.
pub(crate) fn best_micros<T>(runs: usize, count: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..runs {
        let before = thread_seconds();
        std::hint::black_box(work());
        best = best.min(thread_seconds() - before);
    }
    best * 1e6 / count as f64
}
