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

/// CPU seconds of a process so far, its ended threads included, in steps of a hundredth.
///
/// # Panics
/// Where there is no such process; one that has ended but was not waited for still counts.
pub(crate) fn process_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_else(|e| panic!("process {pid}: {e}"));
    // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<f64>().expect("a count of ticks");
    (ticks(11) + ticks(12)) / 100.0
}

/// The largest memory that a running process held.
pub(crate) struct Peak;

impl Peak {
    /// Waits until a child has ended, without collecting it; gives its CPU seconds and peak memory in bytes.
    pub(crate) fn watch(pid: u32) -> (f64, u64) {
        let mut peak = 0;
        loop {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let kilobytes = line("VmHWM:").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
            peak = peak.max(kilobytes.unwrap_or(0) * 1024);
            match line("State:") {
                Some(state) if !state.starts_with('Z') => std::thread::sleep(std::time::Duration::from_millis(2)),
                _ => return (process_seconds(pid), peak),
            }
        }
    }
}

/// Bytes of memory that a process holds now.
///
/// # Panics
/// Where there is no such process.
pub(crate) fn resident_bytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_else(|e| panic!("process {pid}: {e}"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a running process has memory");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("kilobytes") * 1024.0
}
