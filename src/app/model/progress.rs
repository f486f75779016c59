//! How far work is that counts its parts, and how long it will take.

use std::time::Instant;

/// How far a long measurement is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Parts done, and all; 0 of 0 before they are counted.
    pub done: usize,
    pub total: usize,
    /// When the first were done, and how many: what comes before has no pace.
    first: Option<(Instant, usize)>,
}

impl Progress {
    /// Work of which nothing is known yet.
    pub const BEGUN: Self = Self { done: 0, total: 0, first: None };

    /// As it is after `done` of `total`.
    pub fn heard(self, done: usize, total: usize) -> Self {
        Self { done, total, first: self.first.or_else(|| Some((Instant::now(), done))) }
    }

    /// Seconds that are left at the pace so far; `None` before there is one.
    pub fn seconds_left(&self) -> Option<f64> {
        let (at, first) = self.first?;
        let done = self.done.checked_sub(first).filter(|done| *done > 0)?;
        Some(at.elapsed().as_secs_f64() / done as f64 * self.total.saturating_sub(self.done) as f64)
    }
}
