//! A thread that waits for something to change on the disk and wakes the window when it has, so that what
//! does not change costs no frames.

use crate::app::model::launcher::Wake;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Waits for a change. The thread ends with it, or soon after this is dropped.
pub(super) struct Watch(Arc<AtomicBool>);

impl Watch {
    /// Asks `changed` every so often, on a thread of its own, until it says so. Without a thread to be had,
    /// the next look begins another.
    pub(super) fn begin(
        every: Duration,
        changed: impl Fn() -> bool + Send + 'static,
        wake: Wake,
    ) -> Option<Self> {
        let has_changed = Arc::new(AtomicBool::new(false));
        let wanted: Weak<AtomicBool> = Arc::downgrade(&has_changed);
        let wait = move || {
            loop {
                std::thread::sleep(every);
                let Some(has_changed) = wanted.upgrade() else { return };
                if changed() {
                    has_changed.store(true, Ordering::Release);
                    return wake();
                }
            }
        };
        std::thread::Builder::new().name("dualprop-watch".into()).spawn(wait).ok()?;
        Some(Self(has_changed))
    }

    /// Whether it has seen a change.
    pub(super) fn has_changed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
