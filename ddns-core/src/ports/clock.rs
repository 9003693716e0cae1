use futures_util::future::BoxFuture;

use crate::time::{Instant, Wall};

/// The clocks and the one timer.
pub trait Clock: Send + Sync {
    /// The suspend-aware monotonic time.
    fn now(&self) -> Instant;
    /// The wall time.
    fn wall(&self) -> Wall;
    /// Completes at `deadline` or soon after, also if that passed while the host slept.
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()>;
}
