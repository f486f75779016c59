//! What is measured on the way: `[eval]`.

use super::{closed, key, whole};
use crate::config::schema::{Field, Kind};

pub(super) const FIELDS: &[Field] = &[
    key(
        "eval.every_epochs",
        Kind::Number(closed(0.0, 1e6)),
        "epochs",
        "Epochs between two validations, rounded to whole steps; fractions are allowed, and 0 is only at the end.",
        "ours",
    )
    .basic(),
    key(
        "eval.attack",
        Kind::AttackSpec,
        "",
        "Attack of the validation's attacked accuracies; empty: none.",
        "AdvProp 5.4: PGD5, epsilon 4",
    )
    .basic(),
    key(
        "eval.limit",
        whole(0, 1_000_000_000),
        "images",
        "Validation images used, evenly spread over the set; 0: all.",
        "ours",
    ),
    key(
        "eval.best",
        Kind::Choice(&["top1", "attacked_top1", "loss"]),
        "",
        "What best.safetensors is best at, on val through the main domain.",
        "ours",
    ),
    key(
        "eval.patience",
        whole(0, 1_000_000),
        "validations",
        "Validations in a row without a better value that end the run; 0: none do.",
        "ours",
    ),
    key(
        "eval.moments_mb",
        whole(0, 1_000_000),
        "MiB",
        "Room for the pictures of earlier validations in the run folder, thinned evenly over the run; 0: only the \
         last ones are kept.",
        "ours",
    ),
    key(
        "eval.precise_bn",
        whole(0, 100_000),
        "batches",
        "Last training batches over which every domain's statistics are estimated anew, through the weights that \
         are validated and saved as best; 0: the running averages stay.",
        "precise BN, Wu and Johnson 2021, section 3",
    ),
];
