//! An evaluation that can be ended and gone on with.

use super::Eval;
use crate::cli::common::{WeightsChoice, note};
use crate::config::EvaluationAttack;
use crate::data::ClassesBy;
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::robustness::condition::Condition;
use crate::evaluation::robustness::measurement::Evaluation;
use crate::evaluation::robustness::record::{CHECKSUM, Record, checksum_of, facts_in};
use crate::training::checkpoint::Meta;
use anyhow::Context as _;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The rows so far: those of the folder of `--resume`, or none.
pub(super) fn record(
    eval: &Eval,
    evaluation: &Evaluation<'_>,
    meta: &Meta,
    by: &ClassesBy,
) -> anyhow::Result<Record> {
    match &eval.resume {
        Some(dir) => Record::open(dir, &asked(eval, evaluation, meta, by)?),
        None => Ok(Record::default()),
    }
}

/// What decides the figures of an evaluation.
fn asked(
    eval: &Eval,
    evaluation: &Evaluation<'_>,
    meta: &Meta,
    by: &ClassesBy,
) -> anyhow::Result<Map<String, Value>> {
    let conditions = evaluation.parts.iter().flat_map(|part| &part.conditions);
    let cell =
        |condition: &Condition| condition.corruption().map(|(name, severity)| format!("{name}:{severity}"));
    let generated = eval.corrupt.generates(eval.data.source);
    let set = eval.corrupt.parameters(meta.image_size).name();
    let weights = match eval.weights {
        None => "auto",
        Some(WeightsChoice::Raw) => "raw",
        Some(WeightsChoice::Ema) => "ema",
    };
    let domains: Vec<String> = evaluation.domains.iter().map(|through| through.name()).collect();
    let facts = json!({
        "checkpoint": eval.checkpoint.display().to_string(),
        "step": meta.step,
        CHECKSUM: checksum_of(&eval.checkpoint)?,
        "weights": weights,
        "data": evaluation.data,
        "split": evaluation.split,
        "path": eval.path.as_ref().map(|path| path.display().to_string()),
        "classes_by": by.word(),
        "data_classes_only": eval.data_classes_only,
        "limit": eval.limit,
        "localise": evaluation.localise.map(CamMethod::name),
        "domains": domains,
        "attacks": eval.attacks.attacks().iter().map(EvaluationAttack::spec).collect::<Vec<_>>(),
        "corruptions": conditions.filter_map(cell).collect::<Vec<_>>(),
        "corruption_set": generated.then_some(set),
        "frost": eval.corrupt.frost().map(|folder| folder.display().to_string()),
        "seed": evaluation.seed,
    });
    Ok(facts.as_object().cloned().unwrap_or_default())
}

/// Fails unless the evaluation in `dir` was of this very checkpoint, wherever that lies.
pub(super) fn check_of_checkpoint(dir: &Path, checkpoint: &Path) -> anyhow::Result<()> {
    let known = facts_in(dir)?;
    anyhow::ensure!(
        known.get(CHECKSUM) == Some(&json!(checksum_of(checkpoint)?)),
        "the evaluation in {} is of another checkpoint than {}",
        dir.display(),
        checkpoint.display()
    );
    Ok(())
}

/// Listens for Ctrl-C where there is a folder that the work can go on from; elsewhere it ends the program.
pub(super) fn listen(dir: Option<&Path>) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    if dir.is_some() {
        let stopping = Arc::clone(&stop);
        ctrlc::set_handler(move || {
            if stopping.swap(true, Ordering::SeqCst) {
                std::process::exit(1);
            }
            note("\nkeeping what is measured and stopping; press Ctrl-C again to leave at once");
        })
        .context("cannot listen for Ctrl-C")?;
    }
    Ok(stop)
}
