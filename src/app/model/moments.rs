//! The pictures and BN statistics that a run has shown so far, as a slider goes over them: kept thin by a
//! budget, with the first and the newest always among them.

use crate::training::events::{GalleryItem, Snapshot};
use crate::training::run_folder::most_dispensable;
use std::sync::Arc;

/// Bytes of pictures and statistics that are kept, MiB.
pub const BUDGET_MIB: usize = 256;

/// What a run looked like at one step.
#[derive(Clone, Debug)]
pub struct Moment {
    pub snapshot: Arc<Snapshot>,
    /// Tells textures of one moment from those of another.
    pub generation: u64,
}

/// Moments by rising step.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    kept: Vec<Moment>,
}

impl Moments {
    /// Adds the newest moment. Those of the same step and of later ones go: the run was resumed before them.
    pub fn add(&mut self, moment: Moment) {
        let step = moment.snapshot.step;
        self.kept.truncate(self.kept.partition_point(|kept| kept.snapshot.step < step));
        self.kept.push(moment);
        self.thin(BUDGET_MIB << 20);
    }

    /// Lets go of moments until the rest fit `budget` bytes, each time of the one whose neighbours lie
    /// closest: what stays is spread over the run.
    fn thin(&mut self, budget: usize) {
        while self.kept.len() > 2
            && self.kept.iter().map(|kept| bytes(&kept.snapshot)).sum::<usize>() > budget
        {
            let steps: Vec<u64> = self.kept.iter().map(|kept| kept.snapshot.step).collect();
            let Some(closest) = most_dispensable(&steps) else { return };
            self.kept.remove(closest);
        }
    }

    /// The moments that are kept, by rising step.
    pub fn kept(&self) -> &[Moment] {
        &self.kept
    }

    /// The place of the last moment that is not after `step`; of the first where all are.
    pub fn place(&self, step: u64) -> usize {
        self.kept.partition_point(|kept| kept.snapshot.step <= step).saturating_sub(1)
    }
}

/// The memory of a moment.
fn bytes(snapshot: &Snapshot) -> usize {
    let maps = |item: &GalleryItem| -> usize {
        item.views.iter().map(|view| 4 * (view.cam.len() + view.cam_adversarial.len())).sum()
    };
    let pictures = snapshot
        .gallery
        .iter()
        .map(|item| item.clean.len() + item.adversarial.len() + 4 * item.perturbation.len() + maps(item));
    let domains = snapshot.bn_layers.iter().flat_map(|layer| &layer.domains);
    pictures.sum::<usize>() + domains.map(|domain| 16 * domain.gamma.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::events::{BnDomain, BnLayer};

    /// A moment of 1600 bytes.
    fn moment(step: u64) -> Moment {
        let vector = || vec![0.0; 100];
        let domain =
            BnDomain { running_mean: vector(), running_var: vector(), gamma: vector(), beta: vector() };
        let snapshot = Snapshot {
            step,
            gallery: vec![],
            bn_layers: vec![BnLayer { name: "bn".into(), domains: vec![domain] }],
            attack: String::new(),
            attack_domain: String::new(),
            classes: vec![],
        };
        Moment { snapshot: Arc::new(snapshot), generation: step }
    }

    fn steps(moments: &Moments) -> Vec<u64> {
        moments.kept.iter().map(|kept| kept.snapshot.step).collect()
    }

    #[test]
    fn a_resumed_run_takes_its_later_moments_back() {
        let mut moments = Moments::default();
        [10, 20, 30, 40].into_iter().for_each(|step| moments.add(moment(step)));
        moments.add(moment(30));
        assert_eq!(steps(&moments), [10, 20, 30]);
        assert_eq!([5, 10, 29, 30, 99].map(|step| moments.place(step)), [0, 0, 1, 2, 2]);
    }

    #[test]
    fn what_stays_in_the_budget_is_spread_over_the_run() {
        let mut moments = Moments::default();
        for step in 1..=64 {
            moments.add(moment(step));
            moments.thin(8 * 1600);
        }
        let kept = steps(&moments);
        assert_eq!((kept.len(), kept[0], kept[7]), (8, 1, 64));
        let widest = kept.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(widest <= Some(32), "{kept:?}");
        moments.thin(1);
        assert_eq!(steps(&moments), [1, 64], "the ends stay");
    }
}
