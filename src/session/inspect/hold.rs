//! How long work of the inspector gives way to the window: on a software adapter the cores that compute also
//! draw the frames, and one that answers the pointer or a key would take twice as long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The longest wait of one piece of work: a pointer that never rests slows the work and does not stop it.
const LONGEST: Duration = Duration::from_millis(200);
/// How often a wait looks whether it is over.
const LOOK: Duration = Duration::from_millis(2);

/// Until when the window has something to draw. Clones share it.
#[derive(Clone, Debug)]
pub struct Hold {
    begun: Instant,
    /// Milliseconds after `begun`.
    until: Arc<AtomicU64>,
}

impl Default for Hold {
    fn default() -> Self {
        Self { begun: Instant::now(), until: Arc::default() }
    }
}

impl Hold {
    /// Asks long work to begin no piece for `time` from now on.
    pub fn ask(&self, time: Duration) {
        let until = (self.begun.elapsed() + time).as_millis() as u64;
        self.until.fetch_max(until, Ordering::Relaxed);
    }

    /// Waits as long as was asked for, at most [`LONGEST`].
    pub(super) fn wait(&self) {
        let since = Instant::now();
        while self.begun.elapsed().as_millis() < u128::from(self.until.load(Ordering::Relaxed))
            && since.elapsed() < LONGEST
        {
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_waits_as_long_as_was_asked_and_not_for_ever() {
        let hold = Hold::default();
        let waited = || {
            let since = Instant::now();
            hold.wait();
            since.elapsed()
        };
        hold.clone().ask(Duration::from_millis(40));
        assert!(waited() >= Duration::from_millis(35), "a clone's wish counts");
        hold.ask(Duration::from_secs(3600));
        hold.ask(Duration::ZERO);
        assert!(waited() >= LONGEST, "an earlier end does not shorten a later one");
        // Over at all, which an hour is not.
    }
}
