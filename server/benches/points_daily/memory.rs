//! The most memory that a process had: its own, of which the server beside the bench is a part, or that of another.

/// In megabytes, since it began or since [`begin_anew`]; none of a process that is gone.
pub(crate) fn peak_mb(process: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1024)
}

/// Has this process' peak begin at what it has now.
pub(crate) fn begin_anew() {
    // Where that is not allowed, the peak is that of all that was done before too.
    _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// What this process had at most, as JSON.
pub(crate) fn told() -> String {
    peak_mb("self").map_or("null".to_owned(), |peak| peak.to_string())
}
