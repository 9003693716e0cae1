use aya::programs::RawTracePoint;
use ddns_ebpf::{TCP_RESET, TCP_RETRANSMISSION};

use super::loaded::{LoadError, Loaded};

/// The kernel's tracepoints, and the programs on them.
const TRACEPOINTS: [(&str, &str); 2] = [("tcp_retransmit_skb", TCP_RETRANSMISSION), ("tcp_receive_reset", TCP_RESET)];

/// Attaches the programs that count what TCP suffers.
pub(super) fn attach(loaded: &mut Loaded) -> Result<(), LoadError> {
    for (tracepoint, name) in TRACEPOINTS {
        let program: &mut RawTracePoint = loaded.program(name)?;
        program.load().and_then(|()| program.attach(tracepoint)).map_err(LoadError::Program)?;
    }
    Ok(())
}
