//! How weights are moved: `[optimizer]`, `[schedule]`, `[loss]` and `[ema]`.

use super::{BELOW_ONE, above_zero, closed, key};
use crate::config::schema::{Field, Kind};

pub(super) const FIELDS: &[Field] = &[
    key(
        "optimizer.kind",
        Kind::Choice(&["rmsprop", "sgd", "adamw"]),
        "",
        "rmsprop is TensorFlow's form: epsilon inside the root, lr inside the momentum.",
        "EfficientNet: rmsprop; MixProp: sgd",
    )
    .basic(),
    key(
        "optimizer.lr",
        Kind::Number(closed(0.0, 1000.0)),
        "",
        "Learning rate after the warm-up.",
        "EfficientNet: 0.016 per 256 images; MixProp 4.1: 0.1",
    )
    .basic(),
    key("optimizer.momentum", Kind::Number(BELOW_ONE), "", "Momentum; beta1 of adamw.", "AdvProp 5.1: 0.9"),
    key(
        "optimizer.decay",
        Kind::Number(BELOW_ONE),
        "",
        "Decay of rmsprop's mean square (default 0.9); beta2 of adamw (default 0.999).",
        "AdvProp 5.1: 0.9",
    ),
    key(
        "optimizer.eps",
        Kind::Number(above_zero(1.0)),
        "",
        "Added below the root for rmsprop (default 0.001), outside it for adamw (default 1e-8).",
        "EfficientNet's code: 0.001",
    ),
    key(
        "optimizer.weight_decay",
        Kind::Number(closed(0.0, 10.0)),
        "",
        "L2 term for sgd (default 5e-4) and rmsprop (default 1e-5), decoupled for adamw (default 0.05).",
        "AdvProp 5.1, MixProp 4.1",
    )
    .basic(),
    key(
        "optimizer.decay_bias",
        Kind::Flag,
        "",
        "Weight decay acts on biases too.",
        "EfficientNet's code: true",
    ),
    key(
        "optimizer.decay_bn",
        Kind::Flag,
        "",
        "Weight decay acts on BN's gamma and beta too.",
        "plain SGD recipes: true",
    ),
    key("optimizer.nesterov", Kind::Flag, "", "Nesterov's form of sgd's momentum.", "ours"),
    key(
        "optimizer.clip_norm",
        Kind::Number(closed(0.0, 1e9)),
        "",
        "Largest L2 norm of the whole gradient; 0: no clipping.",
        "ours",
    ),
    key(
        "schedule.kind",
        Kind::Choice(&["exponential", "step", "cosine", "constant"]),
        "",
        "How the learning rate falls after the warm-up.",
        "AdvProp 5.1: exponential; MixProp 4.1: step",
    )
    .basic(),
    key(
        "schedule.warmup_epochs",
        Kind::Number(closed(0.0, 1e6)),
        "epochs",
        "Linear rise of the learning rate from 0.",
        "EfficientNet's code: 5",
    )
    .basic(),
    key(
        "schedule.decay_rate",
        Kind::Number(above_zero(1.0)),
        "",
        "Factor of one decay; 0.1 by default for step.",
        "AdvProp 5.1: 0.97; MixProp 4.1: 0.1",
    ),
    key(
        "schedule.decay_epochs",
        Kind::Number(above_zero(1e6)),
        "epochs",
        "Epochs between two decays of exponential.",
        "AdvProp 5.1: 2.4",
    ),
    key(
        "schedule.milestones",
        Kind::NumberList { length: None, each: closed(0.0, 1e6) },
        "epochs",
        "Epochs at which step decays, rising.",
        "MixProp 4.1: 90, 180, 220 on ImageNet-100",
    ),
    key(
        "loss.label_smoothing",
        Kind::Number(BELOW_ONE),
        "",
        "Share of the target that all classes divide.",
        "EfficientNet: 0.1",
    )
    .basic(),
    key(
        "ema.decay",
        Kind::Number(BELOW_ONE),
        "",
        "Moving average of weights and running statistics, used for validation; 0: off.",
        "EfficientNet's code: 0.9999",
    )
    .basic(),
    key(
        "ema.warmup",
        Kind::Flag,
        "",
        "Decay at step t is min(decay, (1+t)/(10+t)).",
        "EfficientNet's code: true",
    ),
];
