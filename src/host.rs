//! The machine, as it stands in a record: what a reader must know before comparing two speeds.

use std::fs::read_to_string;

use fgd_record::Host;

/// Describes this machine. What the system does not tell stays `None`.
pub fn describe() -> Host {
    Host {
        cpu: cpu_model().unwrap_or_else(|| "unknown".into()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: rayon::current_num_threads(),
        memory_bytes: memory_bytes(),
        simd: fgd_kernels::Level::current().widest().to_owned(),
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        gpu: None,
        governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        cgroup_cpus: cgroup_cpus(),
        cgroup_memory_bytes: line("/sys/fs/cgroup/memory.max").and_then(|text| text.parse().ok()),
        load_at_start: line("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
    }
}

/// Bytes that this process may have: those of the machine, or fewer in a container.
pub fn memory(host: &Host) -> Option<u64> {
    [host.memory_bytes, host.cgroup_memory_bytes].into_iter().flatten().min()
}

/// Bytes that what need not be kept may take: an eighth of the memory.
pub fn room(host: &Host) -> Option<u64> {
    memory(host).map(|bytes| bytes / 8)
}

/// Most memory this process has held so far, in bytes.
pub fn peak_memory_bytes() -> Option<u64> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// Counts [`peak_memory_bytes`] from now on; whether the system lets it.
pub fn reset_peak_memory() -> bool {
    // Documented in proc(5): 5 resets the high-water mark of the resident set.
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The same of another process, while it runs.
pub fn peak_memory_of(process: u32) -> Option<u64> {
    kibibytes(&format!("/proc/{process}/status"), "VmHWM:")
}

fn cpu_model() -> Option<String> {
    let text = read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemTotal:")
}

fn kibibytes(path: &str, field: &str) -> Option<u64> {
    let text = read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    let number: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(number * 1024)
}

/// Quota over period of the control group, where there is a quota.
fn cgroup_cpus() -> Option<f64> {
    let text = line("/sys/fs/cgroup/cpu.max")?;
    let (quota, period) = text.split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0.0).then_some(quota / period)
}

fn line(path: &str) -> Option<String> {
    let text = read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
