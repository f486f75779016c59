//! What a run tells: metrics as they arrive, validation, statistics, checkpoints, pictures.

use super::Run;
use super::keep::Kind;
use crate::config::{BestBy, Domain};
use crate::data::Dataset;
use crate::evaluation::accuracy::{Measurement, accuracy};
use crate::evaluation::snapshot::{SnapshotRequest, bn_layers, snapshot};
use crate::kernels::loss_scale::{self, LossScale};
use crate::session::{input, state};
use crate::training::checkpoint::Checkpoint;
use crate::training::engine::StepSums;
use crate::training::events::{
    BranchReport, EvalReport, EvalRow, Event, RunWeights, Snapshot, StepReport, WeightsReply,
};
use crate::training::method::Source;
use anyhow::Context as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

impl Run<'_> {
    /// Waits for enqueued steps and reports them.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        self.engine.drain()?;
        self.report()
    }

    pub(super) fn warn(&mut self, sentence: String) {
        self.log(&sentence);
        self.front.send(Event::Warning(sentence));
    }

    /// Tells what the user asked for and got.
    pub(super) fn note(&mut self, sentence: String) {
        self.log(&sentence);
        self.front.send(Event::Note(sentence));
    }

    /// Passes on the metrics that have arrived.
    pub(super) fn report(&mut self) -> anyhow::Result<()> {
        while let Some(sums) = self.engine.poll()? {
            let report = self.step_report(&sums);
            let finite = report.branches.iter().all(|b| b.loss.is_finite());
            let step = report.step;
            let overflow = sums.loss_scale.filter(|scale| scale.overflow != 0);
            if let Some(LossScale { scale, skipped, .. }) = overflow {
                self.log(&format!(
                    "step {step} overflowed in f16: its update is left out ({skipped} so far), the loss scale is {scale}"
                ));
            }
            if finite || overflow.is_none() {
                let written = self.folder.train_step(&report);
                self.spare(written);
                self.front.send(Event::Step(report));
            }
            // At the smallest scale it is no longer the scale that overflows.
            let mends = overflow.map(|scale| scale.scale > loss_scale::SMALLEST);
            self.diverged |= !mends.unwrap_or(finite);
            anyhow::ensure!(
                !self.diverged,
                "the {} at step {step}: the training diverged; start a new run with a lower optimizer.lr{}",
                if mends.is_none() {
                    "loss is no longer a finite number"
                } else {
                    "gradients no longer fit f16 at any loss scale"
                },
                if self.last_saved > 0 {
                    format!(" (run.init can take the weights of step {})", self.last_saved)
                } else {
                    String::new()
                }
            );
        }
        Ok(())
    }

    pub(super) fn step_report(&mut self, sums: &StepSums) -> StepReport {
        let step = sums.step + 1;
        let batch_size = self.config.run.batch_size;
        let elapsed_s = self.stopwatch.seconds(Instant::now());
        let images_per_s = self.meters.images_per_s(elapsed_s, step, batch_size);
        let stages = self.engine.stage_seconds();
        let idle = self.meters.idle(batch_size as f64 / images_per_s, &stages);
        let memory_bytes = self.meters.memory_bytes(self.engine.device());
        let method = self.engine.method_at(sums.step);
        let branches =
            method.branches.iter().zip(&sums.branches).enumerate().map(|(number, (branch, sums))| {
                let mean = |sum: f64| (sum / sums.images.max(1.0)) as f32;
                BranchReport {
                    branch: number,
                    source: branch.source.kind(),
                    domain: Domain::name_of(branch.domain),
                    attack: match &branch.source {
                        Source::Attack { config, .. } => Some(config.spec()),
                        _ => None,
                    },
                    loss: mean(sums.loss),
                    top1: mean(sums.top1),
                    top5: mean(sums.top5),
                }
            });
        StepReport {
            step,
            epoch: self.epoch(step),
            lr: sums.lr,
            images_per_s,
            elapsed_s,
            stages,
            idle,
            memory_bytes,
            branches: branches.collect(),
        }
    }

    /// Validates every split through every domain, and `val` under attack; keeps the best. False when a stop
    /// was asked for meanwhile: nothing is told then.
    pub(super) fn evaluate(&mut self) -> anyhow::Result<bool> {
        let trains = self.stopwatch.stop(Instant::now());
        let finished = self.validate_all();
        if trains {
            self.stopwatch.start(Instant::now());
        }
        finished
    }

    fn validate_all(&mut self) -> anyhow::Result<bool> {
        let begun = Instant::now();
        let next = if self.step < self.length.total_steps { "the next step" } else { "the end of the run" };
        if !self.estimate_statistics(next)? {
            return Ok(false);
        }
        let Some(rows) = self.measure(next)? else { return Ok(false) };
        let value = best_value(&rows, self.config.eval.best);
        let seconds = Some(begun.elapsed().as_secs_f64());
        let report = EvalReport { step: self.step, epoch: self.epoch(self.step), seconds, rows };
        let written = self.folder.evaluated(&report);
        self.spare(written);
        self.front.working("Making pictures", next, 0, 1);
        self.bn_stats()?;
        if let Some(made) = self.snapshot()? {
            let written = self.folder.save_pictures(&made);
            self.spare(written);
            self.front.show(made);
        }
        self.front.send(Event::Evaluated(report));
        self.state.validated = self.step;
        self.state.stale += 1;
        if value > self.state.best {
            (self.state.best, self.state.stale) = (value, 0);
            let checkpoint = self.checkpoint()?;
            let path = self.keep(&checkpoint, Kind::Best)?;
            self.front.send(Event::Saved { path, best: true });
        }
        Ok(true)
    }

    /// Estimates the statistics of every domain anew where `eval.precise_bn` asks for it. False when a stop
    /// was asked for. `next`: what comes after the validation.
    fn estimate_statistics(&mut self, next: &'static str) -> anyhow::Result<bool> {
        let first = self.engine.estimates_from(self.step);
        if self.config.eval.precise_bn == 0 || first == self.step {
            return Ok(true);
        }
        let total = (self.step - first) as usize;
        let name = "Estimating batch norm's statistics";
        let set = &self.data.splits.train;
        let batches = input::again(&self.engine, &self.config, set, first..self.step)?;
        let front = &mut self.front;
        front.working(name, next, 0, total);
        let mut done = 0;
        let go_on = || {
            done += 1;
            front.working(name, next, done, total);
            !front.asks_to_stop()
        };
        self.engine.estimate_statistics(batches, go_on).context("the images for batch norm's statistics")
    }

    /// The figures of all passes; `None` when a stop was asked for. `next`: what comes after the validation.
    fn measure(&mut self, next: &'static str) -> anyhow::Result<Option<Vec<EvalRow>>> {
        let domains = self.engine.domain_names();
        let limit = self.config.eval.limit;
        let val: Vec<(String, Arc<dyn Dataset>)> =
            vec![("val".to_owned(), Arc::clone(&self.data.splits.val))];
        let mut passes = Vec::new();
        for (split, set) in val.iter().chain(&self.data.splits.extra) {
            for domain in 0..domains.len() {
                passes.push((split, set, domain, None));
                let attack = self.validation.attack.as_ref().filter(|_| split == "val");
                passes.extend(attack.map(|attack| (split, set, domain, Some(attack))));
            }
        }
        let images = |set: &dyn Dataset| if limit == 0 { set.len() } else { limit.min(set.len()) };
        let total: usize = passes.iter().map(|(_, set, ..)| images(set.as_ref())).sum();
        let (mut rows, mut before) = (Vec::new(), 0);
        for (split, set, domain, attack) in passes {
            let what = Measurement { split, domain, attack, limit, seed: self.config.run.seed };
            let images_are = if attack.is_some() { "attacked" } else { "clean" };
            let name = format!("Validating {split}: {}, {images_are}", domains[domain]);
            let front = &mut self.front;
            front.working(name.as_str(), next, before, total);
            let go_on = |done, _| {
                front.working(name.as_str(), next, before + done, total);
                !front.asks_to_stop()
            };
            let inference = &mut self.validation.inference;
            let row = accuracy(self.engine.gpu(), inference, set, &what, go_on)
                .with_context(|| format!("the images of {split}"))?;
            let Some(row) = row else { return Ok(None) };
            rows.push(row);
            before += images(set.as_ref());
        }
        Ok(Some(rows))
    }

    pub(super) fn bn_stats(&mut self) -> anyhow::Result<()> {
        let arenas = state::shown_arenas(&self.engine, &self.config)?;
        let layers = bn_layers(&self.engine.network().layout, &arenas);
        let domains = self.engine.domain_names();
        let written = self.folder.bn_stats(self.step, self.epoch(self.step), &domains, &layers);
        self.spare(written);
        Ok(())
    }

    /// Hands out a copy of the weights that validation looks through.
    pub(super) fn share_weights(&mut self, reply: &WeightsReply) -> anyhow::Result<()> {
        self.settle()?;
        let arenas = state::shown_arenas(&self.engine, &self.config)?;
        let meta =
            state::meta(&self.engine, &self.config, &self.data.classes, self.step, self.epoch(self.step));
        // Whoever asked may be gone.
        let _ = reply.0.try_send(RunWeights { meta, arenas });
        Ok(())
    }

    pub(super) fn checkpoint(&self) -> anyhow::Result<Checkpoint> {
        state::checkpoint(
            &self.engine,
            &self.config,
            &self.data.classes,
            self.step,
            self.epoch(self.step),
            self.state,
        )
    }

    pub(super) fn save(&mut self) -> anyhow::Result<()> {
        let path = self.write_last()?;
        self.front.send(Event::Saved { path, best: false });
        Ok(())
    }

    pub(super) fn write_last(&mut self) -> anyhow::Result<PathBuf> {
        self.settle()?;
        let checkpoint = self.checkpoint()?;
        let path = self.keep(&checkpoint, Kind::Last)?;
        self.last_saved = self.step;
        Ok(path)
    }

    /// Makes pictures when a front end has taken the last ones and some time has passed, or at once with
    /// `now`.
    pub(super) fn picture(&mut self, now: bool) -> anyhow::Result<()> {
        if !self.front.pictures_are_due(now) {
            return Ok(());
        }
        if let Some(made) = self.snapshot()? {
            self.front.show(made);
        }
        Ok(())
    }

    /// The gallery through the weights as they are; `None` where no validation image can be read.
    fn snapshot(&mut self) -> anyhow::Result<Option<Snapshot>> {
        if self.validation.gallery.is_empty() {
            return Ok(None);
        }
        self.settle()?;
        let arenas = state::shown_arenas(&self.engine, &self.config)?;
        let attack = self.validation.attack.clone().unwrap_or_else(|| self.config.method.attack.clone());
        let request = SnapshotRequest {
            gallery: &self.validation.gallery,
            arenas: &arenas,
            attack: &attack,
            attack_domain: 0,
            step: self.step,
            classes: &self.data.classes,
        };
        snapshot(self.engine.gpu(), &mut self.validation.inference, request).map(Some)
    }
}

/// What `eval.best` looks at, larger is better; `None` before it was measured.
fn best_value(rows: &[EvalRow], by: BestBy) -> Option<f32> {
    let attacked = by == BestBy::AttackedTop1;
    let row = rows.iter().find(|row| {
        row.split == "val" && row.domain == Domain::Main.name() && row.attack.is_some() == attacked
    })?;
    Some(if by == BestBy::Loss { -row.loss } else { row.top1 })
}
