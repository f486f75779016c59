//! The memory that reading one input takes.

use super::allocations::{LIVE_BYTES, MOST_BYTES};
use std::sync::atomic::Ordering;

/// The most bytes that were taken at a time while `work` ran, beyond those that were taken before, on all
/// threads together.
pub(crate) fn most_during(work: impl FnOnce()) -> usize {
    let before = LIVE_BYTES.load(Ordering::Relaxed);
    MOST_BYTES.store(before, Ordering::Relaxed);
    work();
    MOST_BYTES.load(Ordering::Relaxed).saturating_sub(before)
}
