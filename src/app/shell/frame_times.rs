//! A hidden measurement for developers: with `DUALPROP_FRAME_TIMES` set, the window prints to stderr every
//! few seconds how many frames it drew and how long its own thread worked on them.

use std::time::{Duration, Instant};

const VARIABLE: &str = "DUALPROP_FRAME_TIMES";
const EVERY: Duration = Duration::from_secs(5);

/// Times of the frames since the last report. Does nothing without the variable.
#[derive(Debug)]
pub struct FrameTimes {
    since: Option<Instant>,
    worked: Vec<Duration>,
}

impl FrameTimes {
    /// Measures where the environment variable is set.
    pub fn from_environment() -> Self {
        let wanted = std::env::var_os(VARIABLE).is_some();
        Self { since: wanted.then(Instant::now), worked: Vec::new() }
    }

    /// Adds a frame whose work took `worked`, without the drawing of its triangles.
    pub fn add(&mut self, worked: Duration) {
        let Some(since) = self.since else { return };
        self.worked.push(worked);
        let elapsed = since.elapsed();
        if elapsed < EVERY {
            return;
        }
        self.worked.sort_unstable();
        let count = self.worked.len();
        let at = |share: f64| self.worked[((count - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        eprintln!(
            "frames: {:.1}/s, work median {:.2} ms, 99% {:.2} ms, longest {:.2} ms",
            count as f64 / elapsed.as_secs_f64(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
        self.worked.clear();
        self.since = Some(Instant::now());
    }
}
