//! How a run goes: `[run]`.

use super::{above_zero, key, whole};
use crate::config::schema::{Field, Kind};

pub(super) const FIELDS: &[Field] = &[
    key("run.name", Kind::Text, "", "Names the run folder where --out does not.", "ours").basic(),
    key("run.seed", whole(0, i64::MAX), "", "Every random number of the run follows from it.", "ours")
        .basic(),
    key(
        "run.epochs",
        Kind::Number(above_zero(1e6)),
        "epochs",
        "Passes over the training set; fractions are allowed, and run.steps takes its place.",
        "ours",
    )
    .basic(),
    key(
        "run.steps",
        whole(1, 1_000_000_000),
        "steps",
        "Optimizer steps in all, instead of run.epochs.",
        "ours",
    )
    .optional(),
    key(
        "run.batch_size",
        whole(1, 65_536),
        "images",
        "Clean images per optimizer step, all micro-batches together.",
        "MixProp 4.1 uses 128",
    )
    .basic(),
    key(
        "run.accumulate",
        whole(1, 65_536),
        "micro-batches",
        "Micro-batches per optimizer step, each with its own BN statistics; batch_size must divide by it.",
        "for small memories",
    ),
    key(
        "run.precision",
        Kind::Choice(&["f32", "f16"]),
        "",
        "How training stores activations and their gradients; sums, weights and statistics are always f32. f16 takes half the memory and needs an adapter with shader_f16.",
        "f32 is the reference",
    ),
    key(
        "run.fusion",
        Kind::Choice(&["off", "auto", "all"]),
        "",
        "Batch norms taken into the kernels beside them, which saves memory and passes over it: auto where the estimate says it is quicker, all wherever it can be; off leaves each its own passes. The same numbers up to rounding.",
        "ours",
    ),
    key(
        "run.init",
        Kind::Path,
        "",
        "Starting weights, a safetensors file under timm's names; empty: fresh weights from the seed.",
        "ours",
    ),
    key(
        "run.checkpoint_steps",
        whole(0, 1_000_000_000),
        "steps",
        "Optimizer steps between writes of last.safetensors; 0: at each epoch's end and on a stop.",
        "ours",
    ),
    key(
        "run.mlflow",
        Kind::Path,
        "",
        "Folder of an MLflow file store, such as mlruns, that gets the run's keys and curves as it goes; open it by \
         MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri DIR (MLflow 2 needs no variable). Empty: none.",
        "MLflow's file store",
    ),
];
