//! Progress of long work: a bar with rate and ETA on a terminal, now and then a plain line elsewhere.

use super::common::note;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Progress on stderr, so that stdout keeps the result alone.
pub(super) struct Progress {
    what: &'static str,
    unit: &'static str,
    /// `None` where stderr is no terminal.
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    /// How much was done at the first word: work that is gone on with does not count for the rate.
    first: Option<usize>,
}

impl Progress {
    /// `what` is done, counted in `unit`: "evaluating", "images".
    pub(super) fn new(what: &'static str, unit: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{msg} {wide_bar} {pos}/{len}  {per_sec}  ETA {eta}"));
            bar.set_message(what);
            bar
        });
        Self { what, unit, bar, started: Instant::now(), last_line: Instant::now(), first: None }
    }

    /// Prints without a bar in the way.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// `done` of `total` are finished.
    pub(super) fn update(&mut self, done: usize, total: usize) {
        let begins = self.first.is_none();
        let first = *self.first.get_or_insert(done);
        if let Some(bar) = &self.bar {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            if begins {
                bar.reset_eta();
            }
        } else if self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let rate = (done - first.min(done)) as f64 / self.started.elapsed().as_secs_f64();
            let eta = duration((total.saturating_sub(done)) as f64 / rate);
            note(&format!("{}: {done} of {total} {}, {rate:.1} a second, ETA {eta}", self.what, self.unit));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A bar's layout. Templates are constants of this program; a wrong one shows indicatif's default bar.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `1:02:03`, `2:03` or `–` where it is not known.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds > 1e9 {
        return "–".into();
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(duration(0.4), "0:00");
        assert_eq!(duration(123.0), "2:03");
        assert_eq!(duration(3723.0), "1:02:03");
        assert_eq!(duration(f64::INFINITY), "–");
        assert_eq!(duration(f64::NAN), "–");
    }
}
