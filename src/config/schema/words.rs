//! What this version refuses, and what other tools call the keys.

/// Values of the file format that this version refuses instead of ignoring.
pub(super) const LATER: &[(&str, &[&str])] =
    &[("data.augment", &["inception", "autoaugment", "randaugment"]), ("model.checkpointing", &["on"])];

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
    ("smoothing", "label_smoothing"),
    ("warmup", "warmup_epochs"),
    ("gamma", "decay_rate"),
    ("type", "kind"),
    ("method", "kind"),
    ("optimizer", "kind"),
    ("pretrained", "init"),
    ("weights", "init"),
];
