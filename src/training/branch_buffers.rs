//! Which buffers a training branch uses, answered in one place for the plans, the uploads, the allocation and
//! those who look at a step: where its images come from, whether they are copied or mixed first and by which
//! table, and where the pixels lie that the branch trains on.

use super::buffers::{self, AttackPlace};
use super::method::{Branch, Method, Source};
use crate::config::BranchSource;
use crate::gpu::BufferId;

/// The buffers of one branch in a micro-batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BranchBuffers<'a> {
    index: usize,
    branch: &'a Branch,
    /// Images of the micro-batch.
    micro_images: usize,
}

/// How a branch's own pixels are made before anything is trained or attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnPixels {
    /// Pixels of the whole micro-batch, `[B, S, S, 4]`.
    pub(super) from: BufferId,
    /// Which of them, and how they are mixed: [`Self::table_rows`] rows of 16 bytes an image.
    pub(super) table: BufferId,
    /// Pixels of the branch, `[images, S, S, 4]`.
    pub(super) to: BufferId,
    /// Whether the table is CutMix's, with a box for each image, or mixup's.
    pub(super) cutmix: bool,
}

impl OwnPixels {
    /// Rows of the table for each image.
    pub(super) fn table_rows(self) -> usize {
        if self.cutmix { 2 } else { 1 }
    }
}

/// A view of the loader's images beside the clean one, `[B, S, S, …]`, and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExtraView {
    pub(super) source: BranchSource,
    /// RGB bytes as uploaded.
    pub(super) bytes: BufferId,
    /// Crop and flip of each image.
    pub(super) placements: BufferId,
    /// Pixels 0..255.
    pub(super) pixels: BufferId,
}

impl ExtraView {
    /// All that a loader can make.
    const ALL: [Self; 2] = [
        Self {
            source: BranchSource::Augmented,
            bytes: buffers::AUGMENTED_BYTES,
            placements: buffers::AUGMENTED_PLACEMENTS,
            pixels: buffers::AUGMENTED,
        },
        Self {
            source: BranchSource::Corrupted,
            bytes: buffers::CORRUPTED_BYTES,
            placements: buffers::CORRUPTED_PLACEMENTS,
            pixels: buffers::CORRUPTED,
        },
    ];

    /// The view that a source takes; `None` for the clean one.
    fn of(source: &Source) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.source == source.kind())
    }

    /// The views that some branch takes.
    pub(super) fn wanted<'a>(branches: impl IntoIterator<Item = &'a Branch>) -> Vec<Self> {
        let sources: Vec<BranchSource> = branches.into_iter().map(|branch| branch.source.kind()).collect();
        Self::ALL.into_iter().filter(|view| sources.contains(&view.source)).collect()
    }
}

impl<'a> BranchBuffers<'a> {
    /// The buffers of branch number `index` of a method in micro-batches of `micro_images`.
    pub(super) fn new(index: usize, branch: &'a Branch, micro_images: usize) -> Self {
        Self { index, branch, micro_images }
    }

    /// The buffers of all branches of a method, in order.
    pub(super) fn of(method: &'a Method, micro_images: usize) -> impl Iterator<Item = Self> + 'a {
        let branches = method.branches.iter().enumerate();
        branches.map(move |(index, branch)| Self::new(index, branch, micro_images))
    }

    /// Images of the branch.
    pub(super) fn images(self) -> usize {
        self.branch.images.len()
    }

    fn is_attacked(self) -> bool {
        matches!(self.branch.source, Source::Attack { .. })
    }

    /// The loader's pixels that the branch begins with, of the whole micro-batch.
    fn loaded(self) -> BufferId {
        ExtraView::of(&self.branch.source).map_or(buffers::CLEAN, |view| view.pixels)
    }

    /// How the branch's own pixels are made of the loader's; `None` where it uses the loader's as they are.
    pub(super) fn own_pixels(self) -> Option<OwnPixels> {
        let cutmix = self.branch.source == Source::Cutmix;
        let mixes = cutmix || matches!(self.branch.source, Source::Mixup { .. });
        let takes_all = self.branch.images == (0..self.micro_images);
        (mixes || !takes_all).then(|| OwnPixels {
            from: self.loaded(),
            table: buffers::branch_table(self.index),
            // What is attacked stays beside what the attack makes of it: the ball lies around it.
            to: if self.is_attacked() {
                buffers::branch_clean(self.index)
            } else {
                buffers::branch_pixels(self.index)
            },
            cutmix,
        })
    }

    /// The pixels that the branch trains on, `[images, S, S, 4]`.
    pub(super) fn trained(self) -> BufferId {
        match self.own_pixels() {
            _ if self.is_attacked() => buffers::branch_pixels(self.index),
            Some(own) => own.to,
            None => self.loaded(),
        }
    }

    /// The buffers of the attack that makes the branch's images; `None` where none does.
    pub(super) fn attack(self) -> Option<AttackPlace> {
        self.is_attacked().then(|| AttackPlace {
            images: self.images(),
            clean: self.own_pixels().map_or(self.loaded(), |own| own.to),
            adversarial: self.trained(),
            rows: buffers::branch_attack_rows(self.index),
            ids: buffers::branch_image_ids(self.index),
            logits: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AttackConfig;

    fn branch(source: Source, images: std::ops::Range<usize>) -> Branch {
        Branch { source, domain: 0, weight: 1.0, images }
    }

    /// As branch number 1 of a micro-batch of 8 images.
    fn of(branch: &Branch) -> BranchBuffers<'_> {
        BranchBuffers::new(1, branch, 8)
    }

    #[test]
    fn a_branch_that_takes_all_images_as_they_are_needs_no_pixels_of_its_own() {
        let sources = [
            (Source::Clean, buffers::CLEAN),
            (Source::Augmented, buffers::AUGMENTED),
            (Source::Corrupted, buffers::CORRUPTED),
        ];
        for (source, loaded) in sources {
            let whole = branch(source.clone(), 0..8);
            assert_eq!((of(&whole).own_pixels(), of(&whole).trained()), (None, loaded));
            let part = branch(source, 4..8);
            let own = of(&part).own_pixels().unwrap();
            assert_eq!((own.from, own.table_rows()), (loaded, 1));
            assert_eq!((own.to, of(&part).trained()), (buffers::branch_pixels(1), buffers::branch_pixels(1)));
        }
    }

    #[test]
    fn mixed_images_belong_to_the_branch_even_where_it_takes_all() {
        for (source, rows) in [(Source::Mixup { mixed: 8 }, 1), (Source::Cutmix, 2)] {
            let mixed = branch(source, 0..8);
            let own = of(&mixed).own_pixels().unwrap();
            assert_eq!((own.from, own.to), (buffers::CLEAN, buffers::branch_pixels(1)));
            assert_eq!((own.table, own.table_rows()), (buffers::branch_table(1), rows));
        }
    }

    #[test]
    fn an_attack_keeps_what_it_starts_from() {
        for (images, clean) in [(0..8, buffers::CLEAN), (0..4, buffers::branch_clean(1))] {
            let source = Source::Attack { config: AttackConfig::default(), through: 0 };
            let attacked = branch(source, images);
            let place = of(&attacked).attack().unwrap();
            assert_eq!((place.clean, place.adversarial), (clean, buffers::branch_pixels(1)));
            assert_eq!(of(&attacked).trained(), place.adversarial);
        }
        assert!(of(&branch(Source::Clean, 0..8)).attack().is_none());
    }
}
