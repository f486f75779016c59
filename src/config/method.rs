//! The `[method]` part of the configuration: branches, attack, mixing.

use super::{Corruption, Domain};
use serde::{Deserialize, Serialize};

/// The table `[method]`: how clean, attacked and mixed images train the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MethodConfig {
    /// The method, unless `branch` lists the user's own.
    pub kind: MethodKind,
    /// Weight of each auxiliary branch's loss; the main branch has weight 1.
    pub aux_weight: f32,
    /// `adversarial_finetune`: epochs on adversarial images before the clean ones; absent: half of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adversarial_epochs: Option<f64>,
    /// `fast_advprop`: share of a batch that is attacked; the other images train clean.
    pub adversarial_share: f32,
    /// The attack that makes the adversarial images.
    pub attack: AttackConfig,
    /// How mixup and CutMix mix images.
    pub mixup: MixupConfig,
    /// How the images of a `corrupted` branch are corrupted.
    pub corrupted: CorruptedConfig,
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
            corrupted: CorruptedConfig::default(),
            branch: Vec::new(),
        }
    }
}

/// The methods of the papers and their baselines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodKind {
    /// Clean images alone.
    Vanilla,
    /// Attacked images alone, through the main domain (Madry et al. 2018).
    Adversarial,
    /// Clean and attacked images in one batch through the main domain (AdvProp, section 3).
    AdversarialMix,
    /// Attacked images alone, then clean ones alone (AdvProp, section 3).
    AdversarialFinetune,
    /// Half of each batch mixed, through the main domain (mixup; MixProp's baseline).
    Mixup,
    /// Clean images through main, the same images mixed through aux (MixProp, section 3).
    Mixprop,
    /// Clean images through main, attacked ones through aux (AdvProp, algorithm 1).
    Advprop,
    /// AdvProp with a third domain for images with the augmentation policy (AdvProp, section 4.3).
    AdvpropFineGrained,
    /// A share of each batch attacked in the pass that also trains (Fast AdvProp, section 3).
    FastAdvprop,
}

impl MethodKind {
    /// All methods, in the order of [`Self::NAMES`].
    pub const ALL: [Self; 9] = [
        Self::Vanilla,
        Self::Adversarial,
        Self::AdversarialMix,
        Self::AdversarialFinetune,
        Self::Mixup,
        Self::Mixprop,
        Self::Advprop,
        Self::AdvpropFineGrained,
        Self::FastAdvprop,
    ];
    /// The names in files, in the order of the papers' baselines before their methods.
    pub const NAMES: [&str; 9] = {
        let mut names = [""; 9];
        let mut index = 0;
        while index < names.len() {
            names[index] = Self::ALL[index].name();
            index += 1;
        }
        names
    };

    /// The name in files, on the command line and in the window.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vanilla => "vanilla",
            Self::Adversarial => "adversarial",
            Self::AdversarialMix => "adversarial_mix",
            Self::AdversarialFinetune => "adversarial_finetune",
            Self::Mixup => "mixup",
            Self::Mixprop => "mixprop",
            Self::Advprop => "advprop",
            Self::AdvpropFineGrained => "advprop_fine_grained",
            Self::FastAdvprop => "fast_advprop",
        }
    }
}

/// Branches that a method may have.
pub const MAX_BRANCHES: usize = 8;

/// One branch of a user's method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BranchConfig {
    /// Where the branch's images come from.
    pub source: BranchSource,
    /// BN domain that the images go through.
    pub domain: Domain,
    /// Weight of the mean loss over the branch's images.
    pub weight: f32,
    /// Share of the batch, above 0. Branches with a share below 1 take parts of the batch one behind the
    /// other, in the order of the list, and begin again at its end.
    pub share: f32,
}

impl Default for BranchConfig {
    fn default() -> Self {
        Self { source: BranchSource::Clean, domain: Domain::Main, weight: 1.0, share: 1.0 }
    }
}

/// Where a branch's images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BranchSource {
    /// The images without the policy of `data.augment` where another branch is `augmented`, else with it.
    Clean,
    /// The same images with the policy (autoaugment, randaugment, cutout).
    Augmented,
    /// The clean images, attacked.
    Attack,
    /// Clean images, each mixed with a partner: λ of the one and 1 − λ of the other (mixup, section 2).
    Mixup,
    /// Clean images with a box of their partner in them (CutMix, section 3).
    Cutmix,
    /// The clean images, each corrupted as in ImageNet-C by one of the corruptions of `[method.corrupted]`.
    Corrupted,
}

impl BranchSource {
    /// The names in files, in the order of the variants.
    pub const NAMES: [&str; 6] = [
        Self::Clean.name(),
        Self::Augmented.name(),
        Self::Attack.name(),
        Self::Mixup.name(),
        Self::Cutmix.name(),
        Self::Corrupted.name(),
    ];

    /// The name in files, on the command line and in the window.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Augmented => "augmented",
            Self::Attack => "attack",
            Self::Mixup => "mixup",
            Self::Cutmix => "cutmix",
            Self::Corrupted => "corrupted",
        }
    }
}

/// The table `[method.attack]`, and what an attack SPEC of the command line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttackConfig {
    /// The attacker.
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
    /// Whether the attack leads away from the true class or towards another.
    pub target: AttackTarget,
    /// Which statistics the attacked domain normalises with; an attack never updates them.
    pub bn_stats: AttackStatistics,
    /// The loss that the attack raises.
    pub loss: AttackLoss,
    /// BN domain that the attacked network uses; absent: the one that trains on the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Domain>,
    /// Share of its accumulated gradient that mifgsm keeps from one iteration to the next, 0..=1.
    pub decay: f32,
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
            decay: 1.0,
        }
    }
}

/// The attackers; all take steps along the sign of the loss's gradient, `Mifgsm` of what gradients add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttackKind {
    /// Steps from a random point of the ε-ball, kept within the ball (Madry et al. 2018).
    Pgd,
    /// As `Pgd`, from the clean image (Kurakin et al. 2017).
    Ifgsm,
    /// As `Pgd`, without keeping to the ball after the start (AdvProp, section 5.4).
    Gd,
    /// One step of size ε from the clean image (Goodfellow et al. 2015).
    Fgsm,
    /// As `Ifgsm`, along the sign of the accumulated gradients of all iterations so far (MI-FGSM, Dong et al.
    /// 2018).
    Mifgsm,
}

/// Where an attack leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackTarget {
    /// Untargeted: raise the loss of the true label.
    None,
    /// Lower the loss of a class drawn among the wrong ones.
    RandomWrong,
}

/// Which BN statistics the attacked domain uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttackStatistics {
    /// Those of the attacked batch.
    Batch,
    /// The running ones.
    Running,
}

/// Which loss an attack raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttackLoss {
    /// The training loss, label smoothing included.
    Training,
    /// Cross-entropy without label smoothing.
    CrossEntropy,
}

/// The table `[method.mixup]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixupConfig {
    /// Both parameters of the Beta distribution that lambda is drawn from, for mixup and cutmix.
    pub alpha: f64,
    /// Fixes lambda instead of drawing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f32>,
    /// Which images are mixed with each other.
    pub pairing: Pairing,
}

impl Default for MixupConfig {
    fn default() -> Self {
        Self { alpha: 1.0, lambda: None, pairing: Pairing::Random }
    }
}

/// How the images of a batch find their partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairing {
    /// By a permutation, drawn anew for each batch.
    Random,
    /// Image i with image n-1-i.
    Reverse,
}

/// The table `[method.corrupted]`: what the images of a `corrupted` branch go through. A corruption and a
/// severity are drawn for every image from these lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorruptedConfig {
    /// The corruptions to draw from, at least one.
    pub corruptions: Vec<CorruptionWord>,
    /// The severities to draw from, at least one, each 1..=5.
    pub severity: Vec<u8>,
}

impl Default for CorruptedConfig {
    fn default() -> Self {
        Self { corruptions: vec![CorruptionWord::All], severity: vec![1, 2, 3, 4, 5] }
    }
}

impl CorruptedConfig {
    /// The corruptions that the words name, each once, in the benchmark's order.
    pub fn corruptions(&self) -> Vec<Corruption> {
        let named = |corruption: &Corruption| {
            self.corruptions.iter().any(|word| match word {
                CorruptionWord::All => true,
                CorruptionWord::One(one) => one == corruption,
            })
        };
        Corruption::ALL.into_iter().filter(named).collect()
    }
}

/// A word of `method.corrupted.corruptions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CorruptionWord {
    /// `all`: the 19 of them.
    All,
    /// One by its name.
    One(Corruption),
}

impl CorruptionWord {
    /// The words in files: `all`, then the names of the corruptions.
    pub const NAMES: [&str; 20] = {
        let mut names = ["all"; 20];
        let mut index = 0;
        while index < Corruption::ALL.len() {
            names[index + 1] = Corruption::ALL[index].name();
            index += 1;
        }
        names
    };
}

impl From<CorruptionWord> for String {
    fn from(word: CorruptionWord) -> Self {
        match word {
            CorruptionWord::All => CorruptionWord::NAMES[0].to_owned(),
            CorruptionWord::One(corruption) => corruption.name().to_owned(),
        }
    }
}

impl TryFrom<String> for CorruptionWord {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        if word == Self::NAMES[0] { Ok(Self::All) } else { word.parse().map(Self::One) }
    }
}
