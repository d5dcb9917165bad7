//! The asynchronous runtime of a command, spans of time as people write them, and the signal to stop.

use std::time::Duration;

use branchline_core::{Error, Result};

/// How long blocking work may still run after the main task has ended: it commits or rolls back on its own.
const END_GRACE: Duration = Duration::from_secs(5);

/// Threads for store work: it waits for one disk, and a storm of connections must not turn into a thread for each.
const BLOCKING_THREADS_MAX: usize = 16;

/// Runs a task to its end on a runtime of its own.
///
/// # Errors
/// The task's own; `server-task` where the system gives no threads.
pub fn block_on<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .map_err(|e| Error::storage("server-task").with("detail", e.to_string()))?;
    let done = runtime.block_on(task);
    runtime.shutdown_timeout(END_GRACE);
    done
}

/// Waits for SIGINT or SIGTERM.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Parses `60s`, `5m`, `24h`, `7d`, or bare seconds; for arguments.
///
/// # Errors
/// The words for the usage error.
pub fn parse_span(text: &str) -> std::result::Result<Duration, String> {
    let wrong = || format!("“{text}” is no span of time such as 60s, 5m, 24h or 7d");
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    match count.checked_mul(seconds) {
        Some(total @ 1..=SPAN_SECONDS_MAX) => Ok(Duration::from_secs(total)),
        _ => Err(wrong()),
    }
}

/// Longest span that an argument may name, in seconds: a year.
const SPAN_SECONDS_MAX: u64 = 366 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_and_without_a_unit() {
        assert_eq!(parse_span("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_span("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(parse_span("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in ["", "h", "0s", "-5s", "5 m", "5w", "99999999999999999999s", "999999d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
