//! Keeps count of images that cannot be read. A few are skipped with a warning; a set with more than one in a
//! hundred damaged is not what its owner thinks it is, and the work stops.

use super::Dataset;
use anyhow::ensure;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Names shown when the work stops.
const SHOWN: usize = 20;

/// The damaged images met so far among `total`.
pub(super) struct Damage {
    total: usize,
    found: BTreeSet<u32>,
    /// The first few, and those nobody has asked for yet, as `name: reason`.
    first: Vec<String>,
    fresh: Vec<String>,
}

impl Damage {
    pub(super) fn new(total: usize) -> Self {
        Self { total, found: BTreeSet::new(), first: Vec::new(), fresh: Vec::new() }
    }

    /// Notes a damaged image once, however often it is met.
    pub(super) fn add(&mut self, index: u32, text: String) {
        if self.found.insert(index) {
            if self.first.len() < SHOWN {
                self.first.push(text.clone());
            }
            self.fresh.push(text);
        }
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fresh)
    }

    /// Fails when too many are damaged.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let count = self.found.len();
        ensure!(
            !is_too_much(count, self.total),
            "{count} of {} images are damaged, more than 1%: {}{}",
            self.total,
            self.first.join("; "),
            if count > SHOWN { "; …" } else { "" }
        );
        Ok(())
    }
}

/// Whether `damaged` is more than 1% of `total`.
pub(super) fn is_too_much(damaged: usize, total: usize) -> bool {
    damaged * 100 > total
}

/// Runs `work` on image `index`; an error is the image's name with the reason. A decoder that panics over
/// damaged data only loses that image.
pub(super) fn guarded<T>(
    set: &dyn Dataset,
    index: usize,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> Result<T, String> {
    let reason = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "its data make the decoder fail".to_owned(),
    };
    Err(format!("{}: {reason}", set.name(index)))
}

/// Loads an image and makes sure that a set gave as many bytes as it should.
pub(super) fn load_checked(set: &dyn Dataset, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
    let image = set.load(index, size)?;
    ensure!(image.len() == size * size * 3, "{} bytes instead of {}", image.len(), size * size * 3);
    Ok(image)
}
