//! What other tools call the keys, and what earlier versions of this program had besides.

/// Keys of earlier versions that decide nothing any more, with the reason. A file that has one is read
/// without it.
pub(super) const RETIRED: &[(&str, &str)] = &[(
    "run.deterministic",
    "every run is deterministic: the same seed on the same device gives the same bits",
)];

/// Words that other tools use, with the key's own name here.
pub(super) const SYNONYMS: &[(&str, &str)] = &[
    ("learning_rate", "lr"),
    ("beta1", "momentum"),
    ("beta2", "decay"),
    ("rho", "decay"),
    ("wd", "weight_decay"),
    ("grad_clip", "clip_norm"),
    ("max_norm", "clip_norm"),
    ("batch", "batch_size"),
    ("bs", "batch_size"),
    ("grad_accum", "accumulate"),
    ("max_steps", "steps"),
    ("num_epochs", "epochs"),
    ("max_epochs", "epochs"),
    ("dataset", "source"),
    ("root", "path"),
    ("dir", "path"),
    ("img_size", "image_size"),
    ("size", "image_size"),
    ("resolution", "image_size"),
    ("num_classes", "classes"),
    ("model", "arch"),
    ("architecture", "arch"),
    ("drop_rate", "dropout"),
    ("drop_connect", "drop_path"),
    ("stochastic_depth", "drop_path"),
    ("eps", "epsilon"),
    ("epsilon", "eps"),
    ("iters", "iterations"),
    ("n_iter", "iterations"),
    ("alpha", "step"),
    ("step_size", "step"),
    ("autoaugment", "policy"),
    ("cutout", "cutout_size"),
    ("smoothing", "label_smoothing"),
    ("warmup", "warmup_epochs"),
    ("gamma", "decay_rate"),
    ("type", "kind"),
    ("method", "kind"),
    ("optimizer", "kind"),
    ("pretrained", "init"),
    ("weights", "init"),
];
