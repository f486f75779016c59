//! A training method as data: a list of branches. Each takes images from a source through shared weights and
//! its own BN domain, and adds a weighted loss. The trainer knows branches only, never a method's name.

use crate::config::{AttackConfig, BranchConfig, BranchSource, Domain, MethodConfig, MethodKind};
use std::ops::Range;

/// Where a branch's images come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The images as the loader hands them out.
    Clean,
    /// The same images with the augmentation policy that the clean ones go without.
    Augmented,
    /// The clean images, attacked.
    Attack {
        /// The attack.
        config: AttackConfig,
        /// Index of the BN domain of the attacked network.
        through: usize,
    },
    /// Some images mixed with their partners in the whole batch, the rest as they are.
    Mixup {
        /// How many of the branch's images are mixed, the first so many.
        mixed: usize,
    },
    /// All images with a box of their partner in them.
    Cutmix,
    /// The clean images, corrupted.
    Corrupted,
}

impl Source {
    /// What the source is called in the configuration and in reports.
    pub fn kind(&self) -> BranchSource {
        match self {
            Self::Clean => BranchSource::Clean,
            Self::Augmented => BranchSource::Augmented,
            Self::Attack { .. } => BranchSource::Attack,
            Self::Mixup { .. } => BranchSource::Mixup,
            Self::Cutmix => BranchSource::Cutmix,
            Self::Corrupted => BranchSource::Corrupted,
        }
    }
}

/// One term of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Where its images come from.
    pub source: Source,
    /// Index of the BN domain.
    pub domain: usize,
    /// Weight of the mean loss over the branch's images.
    pub weight: f32,
    /// Which images of a micro-batch.
    pub images: Range<usize>,
}

/// Branches in order of domain, those of one domain side by side: they share one batch and its statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// At least one.
    pub branches: Vec<Branch>,
    /// BN domains of the network, used by a branch or not.
    pub domains: usize,
    /// Fast AdvProp: the attack's one pass over the noisy images trains the weights too, each of the noisy
    /// and the adversarial images counting half, and every parameter's gradient is divided by the number of
    /// images it saw.
    pub recycle: bool,
}

/// A method that begins at an optimizer step.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// The optimizer step, from 0, that it begins at.
    pub first_step: u64,
    /// What is trained from there on.
    pub method: Method,
}

/// What the method of a run is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodLabel {
    /// A method of `method.kind`.
    Kind(MethodKind),
    /// The user's own list, `[[method.branch]]`, which takes the place of `method.kind`.
    OwnBranches,
}

impl MethodLabel {
    /// The label of a configured method.
    pub fn of(config: &MethodConfig) -> Self {
        if config.branch.is_empty() { Self::Kind(config.kind) } else { Self::OwnBranches }
    }
}

impl std::fmt::Display for MethodLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kind(kind) => kind.name(),
            Self::OwnBranches => "own branches",
        })
    }
}

/// BN domains of a configured method.
pub fn domains(config: &MethodConfig) -> usize {
    if !config.branch.is_empty() {
        return config.branch.iter().map(|b| b.domain.index() + 1).max().unwrap_or(1);
    }
    match as_branches(config) {
        Some(branches) => branches.iter().map(|b| b.domain.index() + 1).max().unwrap_or(1),
        None if config.kind == MethodKind::FastAdvprop => 2,
        None => 1,
    }
}

/// Whether a method attacks images.
pub fn attacks(config: &MethodConfig) -> bool {
    let of_kind = || !matches!(config.kind, MethodKind::Vanilla | MethodKind::Mixup | MethodKind::Mixprop);
    if config.branch.is_empty() {
        of_kind()
    } else {
        config.branch.iter().any(|b| b.source == BranchSource::Attack)
    }
}

/// A named method as a list that a user could have written; `None` for those that are more than a list.
pub fn as_branches(config: &MethodConfig) -> Option<Vec<BranchConfig>> {
    use BranchSource::{Attack, Augmented, Clean, Mixup};
    let all = |source, domain, weight| BranchConfig { source, domain, weight, share: 1.0 };
    let half = |source| BranchConfig { source, domain: Domain::Main, weight: 0.5, share: 0.5 };
    let aux = config.aux_weight;
    Some(match config.kind {
        MethodKind::Vanilla => vec![all(Clean, Domain::Main, 1.0)],
        MethodKind::Adversarial => vec![all(Attack, Domain::Main, 1.0)],
        MethodKind::AdversarialMix => vec![all(Clean, Domain::Main, 1.0), all(Attack, Domain::Main, aux)],
        MethodKind::Mixup => vec![half(Mixup), half(Clean)],
        MethodKind::Mixprop => vec![all(Clean, Domain::Main, 1.0), all(Mixup, Domain::Aux, aux)],
        MethodKind::Advprop => vec![all(Clean, Domain::Main, 1.0), all(Attack, Domain::Aux, aux)],
        MethodKind::AdvpropFineGrained => vec![
            all(Clean, Domain::Main, 1.0),
            all(Attack, Domain::Aux, aux),
            all(Augmented, Domain::Aux2, aux),
        ],
        MethodKind::AdversarialFinetune | MethodKind::FastAdvprop => return None,
    })
}

/// Whether a branch wants the images with and without the augmentation policy.
pub fn wants_two_views(config: &MethodConfig) -> bool {
    if config.branch.is_empty() {
        config.kind == MethodKind::AdvpropFineGrained
    } else {
        config.branch.iter().any(|b| b.source == BranchSource::Augmented)
    }
}

/// Whether a branch wants the images corrupted.
pub fn wants_corrupted(config: &MethodConfig) -> bool {
    config.branch.iter().any(|b| b.source == BranchSource::Corrupted)
}

/// The methods of a run of `total_steps`, in order; `images` are those of a micro-batch.
pub fn phases(config: &MethodConfig, images: usize, steps_per_epoch: u64, total_steps: u64) -> Vec<Phase> {
    if config.branch.is_empty() && config.kind == MethodKind::AdversarialFinetune {
        let turn = match config.adversarial_epochs {
            Some(epochs) => (epochs * steps_per_epoch as f64).round() as u64,
            None => total_steps / 2,
        };
        let method = |kind| Method::of_kind(&MethodConfig { kind, ..config.clone() }, images);
        return vec![
            Phase { first_step: 0, method: method(MethodKind::Adversarial) },
            Phase { first_step: turn, method: method(MethodKind::Vanilla) },
        ];
    }
    let method = if config.branch.is_empty() {
        Method::of_kind(config, images)
    } else {
        Method::of_branches(config, &config.branch, images)
    };
    vec![Phase { first_step: 0, method }]
}

/// The images of each branch of a user's method. Shares below 1 follow each other through the batch.
pub fn branch_images(branches: &[BranchConfig], images: usize) -> Vec<Range<usize>> {
    let mut next = 0;
    let ranges = branches.iter().map(|branch| {
        if branch.share >= 1.0 {
            return 0..images;
        }
        let count = ((f64::from(branch.share) * images as f64).round() as usize).clamp(1, images);
        if next + count > images {
            next = 0;
        }
        let range = next..next + count;
        next = range.end;
        range
    });
    ranges.collect()
}

/// Attacked images of a Fast AdvProp batch.
pub fn attacked_images(share: f32, images: usize) -> usize {
    ((f64::from(share) * images as f64).round() as usize).clamp(1, images.saturating_sub(1).max(1))
}

impl Method {
    fn of_kind(config: &MethodConfig, images: usize) -> Self {
        let all = 0..images;
        let branches = match (config.kind, as_branches(config)) {
            // One branch and not the listed two halves: the mixup baseline of the MixProp paper reports one
            // loss.
            (MethodKind::Mixup, _) => {
                let source = Source::Mixup { mixed: images / 2 };
                vec![Branch { source, domain: 0, weight: 1.0, images: all }]
            }
            (_, Some(listed)) => return Self::of_branches(config, &listed, images),
            (MethodKind::FastAdvprop, None) => {
                let turn = images - attacked_images(config.adversarial_share, images);
                vec![
                    Branch { source: Source::Clean, domain: 0, weight: 1.0, images: 0..turn },
                    // Half for the noisy images, half for the adversarial ones (Fast AdvProp, section 3.4).
                    Branch { source: attack_source(config, 1), domain: 1, weight: 0.5, images: turn..images },
                ]
            }
            // The first phase of fine-tuning; `phases` has the second.
            (_, None) => {
                vec![Branch { source: attack_source(config, 0), domain: 0, weight: 1.0, images: all }]
            }
        };
        Self { branches, domains: domains(config), recycle: config.kind == MethodKind::FastAdvprop }
    }

    fn of_branches(config: &MethodConfig, listed: &[BranchConfig], images: usize) -> Self {
        let ranges = branch_images(listed, images);
        let made = listed.iter().zip(ranges).map(|(branch, range)| {
            let domain = branch.domain.index();
            let source = match branch.source {
                BranchSource::Clean => Source::Clean,
                BranchSource::Augmented => Source::Augmented,
                BranchSource::Attack => attack_source(config, domain),
                BranchSource::Mixup => Source::Mixup { mixed: range.len() },
                BranchSource::Cutmix => Source::Cutmix,
                BranchSource::Corrupted => Source::Corrupted,
            };
            Branch { source, domain, weight: branch.weight, images: range }
        });
        let mut branches: Vec<Branch> = made.collect();
        branches.sort_by_key(|b| b.domain);
        Self { branches, domains: domains(config), recycle: false }
    }

    /// The names of the method's BN domains, by index.
    pub fn domain_names(&self) -> Vec<String> {
        Domain::names_of(self.domains)
    }

    /// Branch indices of each pass when every domain goes alone.
    pub fn by_domain(&self) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (index, branch) in self.branches.iter().enumerate() {
            match ranges.last_mut() {
                Some(last) if self.branches[last.start].domain == branch.domain => last.end = index + 1,
                _ => ranges.push(index..index + 1),
            }
        }
        ranges
    }
}

fn attack_source(config: &MethodConfig, domain: usize) -> Source {
    let through = config.attack.through.map_or(domain, Domain::index);
    Source::Attack { config: config.attack.clone(), through }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: MethodKind) -> Method {
        phases(&MethodConfig { kind, ..MethodConfig::default() }, 10, 5, 100).remove(0).method
    }

    #[test]
    fn branches_of_one_domain_share_a_pass() {
        assert_eq!(of(MethodKind::AdversarialMix).by_domain(), vec![0..2]);
        assert_eq!(of(MethodKind::Advprop).by_domain(), vec![0..1, 1..2]);
        assert_eq!(of(MethodKind::Mixprop).domain_names(), ["main", "aux"]);
        assert_eq!(of(MethodKind::AdvpropFineGrained).by_domain().len(), 3);
        assert_eq!(of(MethodKind::Mixup).domains, 1);
    }

    #[test]
    fn fast_advprop_attacks_other_images_than_it_trains_clean() {
        let method = of(MethodKind::FastAdvprop);
        assert_eq!((&method.branches[0].images, &method.branches[1].images), (&(0..8), &(8..10)));
        assert!(method.recycle);
    }

    #[test]
    fn finetuning_turns_from_adversarial_to_clean_images() {
        let mut config = MethodConfig { kind: MethodKind::AdversarialFinetune, ..MethodConfig::default() };
        let turn = |config: &MethodConfig| phases(config, 4, 5, 100)[1].first_step;
        assert_eq!(turn(&config), 50);
        config.adversarial_epochs = Some(3.0);
        assert_eq!(turn(&config), 15);
        let phases = phases(&config, 4, 5, 100);
        assert!(matches!(phases[0].method.branches[0].source, Source::Attack { through: 0, .. }));
        assert_eq!(phases[1].method.branches[0].source, Source::Clean);
    }

    #[test]
    fn a_users_branches_take_their_shares_one_behind_the_other() {
        let branch = |source, domain, share| BranchConfig { source, domain, weight: 1.0, share };
        let config = MethodConfig {
            branch: vec![
                branch(BranchSource::Attack, Domain::Aux, 0.25),
                branch(BranchSource::Clean, Domain::Main, 1.0),
                branch(BranchSource::Mixup, Domain::Aux, 0.75),
                branch(BranchSource::Cutmix, Domain::Main, 0.5),
            ],
            ..MethodConfig::default()
        };
        let method = phases(&config, 8, 1, 1).remove(0).method;
        let found: Vec<_> = method.branches.iter().map(|b| (b.domain, b.images.clone())).collect();
        assert_eq!(found, [(0, 0..8), (0, 0..4), (1, 0..2), (1, 2..8)]);
        assert_eq!(method.domains, 2);
        assert_eq!(method.branches[3].source, Source::Mixup { mixed: 6 });
    }
}
