//! The memory that a run uses.

use std::fs;

use burn::tensor::Device;

/// Describes the memory use: that of the device, if the device reports it, and the peak of the process.
pub fn used(device: &Device) -> String {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    let on_device = device.memory_pool_usage().map(|usage| {
        let (used, reserved) = (gigabytes(usage.bytes_in_use), gigabytes(usage.bytes_reserved));
        format!("{used:.1} GB in use and {reserved:.1} GB reserved on the device")
    });
    let resident = peak_resident_bytes().map(|bytes| format!("{:.1} GB of main memory at the peak", gigabytes(bytes)));
    let parts: Vec<String> = on_device.into_iter().chain(resident).collect();
    if parts.is_empty() { "unknown on this system".into() } else { parts.join(", ") }
}

/// Peak size of the process in main memory, in bytes; `None` on systems other than Linux.
fn peak_resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
