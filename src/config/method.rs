//! The `[method]` part of the configuration: branches, attack, mixing.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MethodConfig {
    pub kind: MethodKind,
    /// Weight of each auxiliary branch's loss; the main branch has weight 1.
    pub aux_weight: f32,
    /// `adversarial_finetune`: epochs on adversarial images before the clean ones; absent: half of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adversarial_epochs: Option<f64>,
    /// `fast_advprop`: share of a batch that is attacked; the other images train clean.
    pub adversarial_share: f32,
    pub attack: AttackConfig,
    pub mixup: MixupConfig,
    /// The user's own method; when there are any, they take the place of `kind` and `aux_weight`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub branch: Vec<BranchConfig>,
}

impl Default for MethodConfig {
    fn default() -> Self {
        Self {
            kind: MethodKind::Advprop,
            aux_weight: 1.0,
            adversarial_epochs: None,
            adversarial_share: 0.2,
            attack: AttackConfig::default(),
            mixup: MixupConfig::default(),
            branch: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    Vanilla,
    Adversarial,
    AdversarialMix,
    AdversarialFinetune,
    Mixup,
    Mixprop,
    Advprop,
    AdvpropFineGrained,
    FastAdvprop,
}

/// Branches that a method may have.
pub const MAX_BRANCHES: usize = 8;

/// One branch of a user's method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BranchConfig {
    pub source: BranchSource,
    /// BN domain that the images go through.
    pub domain: Domain,
    /// Weight of the mean loss over the branch's images.
    pub weight: f32,
    /// Share of the batch, above 0. Branches with a share below 1 take parts of the batch one behind the other, in
    /// the order of the list, and begin again at its end.
    pub share: f32,
}

impl Default for BranchConfig {
    fn default() -> Self {
        Self { source: BranchSource::Clean, domain: Domain::Main, weight: 1.0, share: 1.0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BranchSource {
    /// The images without the policy of `data.augment` where another branch is `augmented`, else with it.
    Clean,
    /// The same images with the policy (autoaugment, randaugment, cutout).
    Augmented,
    /// The clean images, attacked.
    Attack,
    Mixup,
    Cutmix,
}

/// A BN domain by its name in files and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    Main,
    Aux,
    Aux2,
    Aux3,
}

impl Domain {
    pub fn index(self) -> usize {
        self as usize
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttackConfig {
    pub kind: AttackKind,
    /// Radius of the L∞ ball in 1/255 pixel units.
    pub epsilon: f32,
    /// Step size in 1/255 pixel units.
    pub step: f32,
    /// Absent: floor(epsilon)+1, and 1 when epsilon is at most 1 (AdvProp, section 5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
    /// Only pgd and gd start from noise.
    pub random_start: bool,
    /// Share of the images that start from noise, the others from the clean image; drawn per image.
    pub start_probability: f32,
    pub target: AttackTarget,
    pub bn_stats: AttackStatistics,
    pub loss: AttackLoss,
    /// BN domain that the attacked network uses; absent: the one that trains on the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Domain>,
}

impl Default for AttackConfig {
    fn default() -> Self {
        Self {
            kind: AttackKind::Pgd,
            epsilon: 1.0,
            step: 1.0,
            iterations: None,
            random_start: true,
            start_probability: 1.0,
            target: AttackTarget::None,
            bn_stats: AttackStatistics::Batch,
            loss: AttackLoss::Training,
            through: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttackKind {
    Pgd,
    Ifgsm,
    Gd,
    Fgsm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackTarget {
    /// Untargeted: raise the loss of the true label.
    None,
    /// Lower the loss of a class drawn among the wrong ones.
    RandomWrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttackStatistics {
    Batch,
    Running,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackLoss {
    /// The training loss, label smoothing included.
    Training,
    CrossEntropy,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixupConfig {
    /// Both parameters of the Beta distribution that lambda is drawn from, for mixup and cutmix.
    pub alpha: f64,
    /// Fixes lambda instead of drawing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f32>,
    pub pairing: Pairing,
}

impl Default for MixupConfig {
    fn default() -> Self {
        Self { alpha: 1.0, lambda: None, pairing: Pairing::Random }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairing {
    Random,
    /// Image i with image n-1-i.
    Reverse,
}
