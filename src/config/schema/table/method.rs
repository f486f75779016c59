//! What a step learns from: `[method]` and the tables in it.

use super::{OPEN_SHARE, above_zero, closed, key, whole};
use crate::config::schema::{Field, Kind};
use crate::config::{BranchSource, CorruptionWord, Domain, MethodKind};

pub(super) const FIELDS: &[Field] = &[
    key(
        "method.kind",
        Kind::Choice(&MethodKind::NAMES),
        "",
        "How clean, attacked and mixed images train the network.",
        "AdvProp 4, MixProp 3",
    )
    .basic(),
    key(
        "method.aux_weight",
        Kind::Number(closed(0.0, 1000.0)),
        "",
        "Weight of each auxiliary branch's loss; the main branch has weight 1.",
        "AdvProp 4: 1",
    ),
    key(
        "method.adversarial_epochs",
        Kind::Number(closed(0.0, 1e6)),
        "epochs",
        "adversarial_finetune: epochs on adversarial images alone, before clean ones alone; absent: half of the run.",
        "AdvProp 3: 175 of 350",
    )
    .optional(),
    key(
        "method.adversarial_share",
        Kind::Number(OPEN_SHARE),
        "share",
        "fast_advprop: share of a batch that is attacked; the other images train clean.",
        "Fast AdvProp: 0.2",
    ),
    key(
        "method.branch",
        Kind::Branches,
        "",
        "The user's own method, as [[method.branch]] tables of source, domain, weight and share; takes the place of \
         method.kind.",
        "ours",
    )
    .optional(),
    key(
        "method.attack.kind",
        Kind::Choice(&["pgd", "ifgsm", "gd", "fgsm", "mifgsm"]),
        "",
        "The attacker; gd has no epsilon limit, ifgsm, fgsm and mifgsm no random start; mifgsm has momentum.",
        "AdvProp 5.4; mifgsm: Dong et al. 2018",
    )
    .basic(),
    key(
        "method.attack.epsilon",
        Kind::Number(closed(0.0, 255.0)),
        "1/255",
        "Largest change of a pixel value.",
        "AdvProp 5.1: 1 to 4",
    )
    .basic(),
    key(
        "method.attack.step",
        Kind::Number(closed(0.0, 255.0)),
        "1/255",
        "Change of a pixel value in one iteration.",
        "AdvProp 5.1: 1",
    ),
    key(
        "method.attack.iterations",
        whole(1, 1000),
        "iterations",
        "Steps of the attack; absent: floor(epsilon) + 1, and 1 where epsilon is at most 1.",
        "AdvProp 5.1",
    )
    .basic()
    .optional(),
    key(
        "method.attack.random_start",
        Kind::Flag,
        "",
        "pgd and gd start at a random point of the epsilon ball, drawn per image.",
        "AdvProp 5.4",
    ),
    key(
        "method.attack.start_probability",
        Kind::Number(closed(0.0, 1.0)),
        "probability",
        "Chance of an image to start at a random point; the others start at the clean image.",
        "the authors' earlier code: 0.8",
    ),
    key(
        "method.attack.target",
        Kind::Choice(&["none", "random_wrong"]),
        "",
        "none: away from the true class; random_wrong: towards a random other class.",
        "AdvProp 3 reads as none",
    ),
    key(
        "method.attack.bn_stats",
        Kind::Choice(&["batch", "running"]),
        "",
        "Statistics that the attacked domain normalises with during the attack; never updated there.",
        "Fast AdvProp: batch",
    ),
    key(
        "method.attack.loss",
        Kind::Choice(&["training", "cross_entropy"]),
        "",
        "Loss that the attack raises; training includes label smoothing.",
        "ours",
    ),
    key(
        "method.attack.through",
        Kind::Choice(&Domain::NAMES),
        "",
        "BN domain of the attacked network; absent: the one that trains on the images.",
        "AdvProp 4, algorithm 1: the auxiliary one",
    )
    .optional(),
    key(
        "method.attack.decay",
        Kind::Number(closed(0.0, 1.0)),
        "",
        "mifgsm: share of the accumulated gradient that an iteration keeps; 0 is ifgsm.",
        "MI-FGSM (Dong et al. 2018) 4.2: 1",
    ),
    key(
        "method.mixup.alpha",
        Kind::Number(above_zero(1000.0)),
        "",
        "Both parameters of the Beta distribution of lambda.",
        "MixProp 4.1: 1",
    )
    .basic(),
    key(
        "method.mixup.lambda",
        Kind::Number(closed(0.0, 1.0)),
        "",
        "Fixes lambda; absent: drawn once per batch.",
        "for tests",
    )
    .optional(),
    key(
        "method.mixup.pairing",
        Kind::Choice(&["random", "reverse"]),
        "",
        "reverse mixes image i with image n-1-i.",
        "MixProp: random",
    ),
    key(
        "method.corrupted.corruptions",
        Kind::ChoiceList(&CorruptionWord::NAMES),
        "",
        "Corrupted branches: the corruptions of ImageNet-C that one is drawn from for every image; all: the 19.",
        "Hendrycks and Dietterich 2019",
    ),
    key(
        "method.corrupted.severity",
        Kind::IntegerList { min: 1, max: 5 },
        "",
        "Corrupted branches: the severities that one is drawn from for every image, as strong as in CIFAR-C up to \
         64 pixels a side, else as in ImageNet-C.",
        "Hendrycks and Dietterich 2019: 1 to 5",
    ),
];

/// The keys of one `[[method.branch]]` table.
pub(in crate::config::schema) const BRANCH_FIELDS: &[Field] = &[
    key(
        "method.branch.source",
        Kind::Choice(&BranchSource::NAMES),
        "",
        "Where the branch's images come from.",
        "ours",
    ),
    key("method.branch.domain", Kind::Choice(&Domain::NAMES), "", "BN domain that they go through.", "ours"),
    key(
        "method.branch.weight",
        Kind::Number(closed(0.0, 1000.0)),
        "",
        "Weight of the mean loss over the branch's images.",
        "ours",
    ),
    key(
        "method.branch.share",
        Kind::Number(above_zero(1.0)),
        "share",
        "Share of the batch; branches with less than 1 take parts of it one behind the other.",
        "ours",
    ),
];
