//! Sources make events, and plug-ins make errors.

use std::time::Duration;

use ddns_core::address::{Hint, IpChangeEvent, Snapshot};
use ddns_core::ports::{Cause, HttpError, LoadError, LookupError, Phase, ProviderError, SaveError, SourceError};
use ddns_core::time::Instant;

fn main() {
    let received_at = Instant::from_nanos(7);
    let hint = Hint::new("mine", received_at, 1);
    let _ = IpChangeEvent::new(Snapshot::new(Vec::new()), hint);

    let what = || "so it is".to_owned();
    let cause = || Cause::from("beneath");
    let _ = [
        ProviderError::Unreachable { what: what(), cause: Some(cause()) },
        ProviderError::Unavailable { what: what(), retry_after: Some(Duration::from_secs(1)), cause: None },
        ProviderError::Unauthorized { what: what() },
        ProviderError::Refused { what: what() },
        ProviderError::Unknown { what: what(), cause: None },
        ProviderError::Stale { what: what() },
    ];
    let _ = [
        SourceError::Unavailable { what: what(), cause: None },
        SourceError::Interrupted { what: "reading", cause: cause() },
    ];
    let _ = [
        LoadError::Inaccessible { what: what(), cause: cause() },
        LoadError::Corrupt { what: what() },
        LoadError::Newer { what: what(), found: 2, known: 1 },
    ];
    let _ = SaveError { what: what(), cause: cause() };
    let _ = [LookupError::NoAnswer { cause: cause() }, LookupError::Status(500), LookupError::Garbage("short")];
    let _ = HttpError::Timeout { origin: what(), phase: Phase::Answer };
}
