//! Keeps count of images that cannot be used. A few are skipped with a warning; a set with more than one in a
//! hundred damaged is not what its owner thinks it is, and the work stops. Files that are no images at all,
//! whatever their names say, never stop it as long as there is an image.

use super::Dataset;
use super::picture::NotAnImage;
use crate::words::counted;
use anyhow::ensure;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Names shown when the work stops.
const SHOWN: usize = 20;

/// An image that cannot be used.
pub(super) struct Unusable {
    /// Its name with the reason.
    pub(super) text: String,
    /// The file is no image: a text, or a kind of image that is not decoded.
    pub(super) foreign: bool,
}

/// How many images of a set cannot be used.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) damaged: usize,
    pub(super) foreign: usize,
}

impl Tally {
    pub(super) fn add(&mut self, unusable: &Unusable) {
        *if unusable.foreign { &mut self.foreign } else { &mut self.damaged } += 1;
    }

    /// Whether that is too much of `total`: more than 1% damaged, or nothing left.
    pub(super) fn is_too_much(self, total: usize) -> bool {
        self.damaged * 100 > total || self.damaged + self.foreign >= total.max(1)
    }
}

/// The images met so far among `total` that cannot be used.
pub(super) struct Damage {
    total: usize,
    /// Whether each is foreign, by index.
    found: BTreeMap<u32, bool>,
    tally: Tally,
    /// The first few that count, and those nobody has asked for yet, as `name: reason`.
    first: Vec<String>,
    fresh: Vec<String>,
}

impl Damage {
    pub(super) fn new(total: usize) -> Self {
        let (found, tally) = (BTreeMap::new(), Tally::default());
        Self { total, found, tally, first: Vec::new(), fresh: Vec::new() }
    }

    /// Notes an image once, however often it is met.
    pub(super) fn add(&mut self, index: u32, unusable: Unusable) {
        if self.found.insert(index, unusable.foreign).is_none() {
            self.tally.add(&unusable);
            if self.first.len() < SHOWN {
                self.first.push(unusable.text.clone());
            }
            self.fresh.push(unusable.text);
        }
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fresh)
    }

    /// Fails when too many cannot be used.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Tally { damaged, foreign } = self.tally;
        let others = if foreign > 0 {
            format!(", besides {} that hold no image", counted(foreign, "file"))
        } else {
            String::new()
        };
        ensure!(
            !self.tally.is_too_much(self.total),
            "{damaged} of {} cannot be used, more than 1%{others}: {}{}",
            counted(self.total, "image"),
            self.first.join("; "),
            if damaged + foreign > SHOWN { "; …" } else { "" }
        );
        Ok(())
    }
}

/// Runs `work` on image `index`; a decoder that panics over damaged data only loses that image.
pub(super) fn guarded<T>(
    set: &dyn Dataset,
    index: usize,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> Result<T, Unusable> {
    let (reason, foreign) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => (format!("{error:#}"), error.downcast_ref::<NotAnImage>().is_some()),
        Err(_) => ("its data make the decoder fail".to_owned(), false),
    };
    Err(Unusable { text: format!("{}: {reason}", set.name(index)), foreign })
}

/// Loads an image and makes sure that a set gave as many bytes as it should.
pub(super) fn load_checked(set: &dyn Dataset, index: usize, size: usize) -> anyhow::Result<Vec<u8>> {
    let image = set.load(index, size)?;
    ensure!(image.len() == size * size * 3, "{} bytes instead of {}", image.len(), size * size * 3);
    Ok(image)
}
