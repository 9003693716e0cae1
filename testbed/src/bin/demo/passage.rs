//! One change on its way through the system, as times.

use serde_json::Value;

/// Times are nanoseconds of `CLOCK_BOOTTIME`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// What changed, for the table.
    pub title: String,
    /// When the change began to exist: the earliest stamp that there is.
    pub start_ns: u64,
    /// Whether `start_ns` is the stamp that the BPF program took in the kernel.
    pub stamped_in_kernel: bool,
    /// When the API had accepted the write.
    pub accepted_ns: u64,
    /// When DNS was verified.
    pub verified_ns: u64,
    /// Writes that the API accepted because of it.
    pub writes: usize,
}

/// What the daemon's line `IP change detected` says about time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Who saw it: `socket-filter`, `netlink` or `snapshot`.
    pub rung: String,
    /// The BPF program's stamp.
    pub kernel_ns: Option<u64>,
    /// When user space had it.
    pub received_ns: Option<u64>,
    /// When the daemon was sure of it.
    pub decided_ns: u64,
}

impl Detection {
    /// Reads the line; a line without `at_ns` breaks the log's contract.
    pub fn read(line: &Value) -> Option<Self> {
        Some(Self {
            rung: line["rung"].as_str().unwrap_or("unknown").to_owned(),
            kernel_ns: line["kernel_ns"].as_u64(),
            received_ns: line["received_ns"].as_u64(),
            decided_ns: line["at_ns"].as_u64()?,
        })
    }

    /// The earliest stamp.
    pub fn start_ns(&self) -> u64 {
        self.kernel_ns.or(self.received_ns).unwrap_or(self.decided_ns)
    }
}

/// Milliseconds with three decimals; a negative time means that two clocks disagree, and is shown as such.
pub fn milliseconds(from_ns: u64, to_ns: u64) -> String {
    let (sign, nanos) = if to_ns < from_ns { ("-", from_ns - to_ns) } else { ("", to_ns - from_ns) };
    format!("{sign}{}.{:03}", nanos / 1_000_000, nanos / 1_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn time_counts_from_the_earliest_stamp() {
        let all = Detection::read(&json!({"rung": "socket-filter", "kernel_ns": 5, "received_ns": 7, "at_ns": 9}));
        assert_eq!(all.map(|detection| detection.start_ns()), Some(5));
        let netlink = Detection::read(&json!({"rung": "netlink", "received_ns": 7, "at_ns": 9}));
        assert_eq!(netlink.map(|detection| detection.start_ns()), Some(7));
        assert_eq!(Detection::read(&json!({"rung": "snapshot", "kernel_ns": 5})), None);
    }

    #[test]
    fn milliseconds_have_three_decimals() {
        assert_eq!(milliseconds(1_000, 12_346_678), "12.345");
        assert_eq!(milliseconds(2_500_000, 1_000_000), "-1.500");
    }
}
