//! The run itself, on its own thread: preparation, the step loop with the front end's commands, validation,
//! checkpoints.

use super::input::Waited;
use super::state::{self, LoopState};
use super::{RunOptions, input};
use crate::config::{AttackConfig, BestBy, Config};
use crate::data::{self, Dataset, Loader, Splits};
use crate::evaluation::accuracy::{Measurement, accuracy};
use crate::evaluation::inference::Inference;
use crate::evaluation::snapshot::{Gallery, snapshot};
use crate::gpu::Device;
use crate::kernels::loss_scale::{self, LossScale};
use crate::models::{ModelOptions, build, init, names};
use crate::training::buffers;
use crate::training::checkpoint::load_tensors;
use crate::training::engine::{Engine, RunLength, StepSums};
use crate::training::events::{
    BranchReport, Command, EvalReport, EvalRow, Event, Finish, Idle, LatestSlot, RunInfo, Snapshot,
    StepReport,
};
use crate::training::method::{self, Source, domain_name};
use crate::training::run_folder::RunFolder;
use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Images of a validation batch; small enough for any adapter, large enough to keep one busy.
const EVAL_BATCH: usize = 64;
/// Seconds between gallery snapshots while a front end takes them.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(4);
/// Steps over which the images per second are averaged.
const SPEED_WINDOW: usize = 16;

/// What the front end wants next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Go,
    Stop { save: bool },
}

/// Runs to the end. `Err` is a failure in one sentence.
pub(super) fn run(
    options: &RunOptions,
    commands: &Receiver<Command>,
    events: &Sender<Event>,
    pictures: &Arc<LatestSlot<Snapshot>>,
) -> anyhow::Result<Finish> {
    options.config.validate()?;
    let mut run = Run::prepare(options, commands, events, pictures)?;
    let finish = run.steps();
    if let Err(error) = &finish {
        // The log is the last place to look when the front end is gone; its own failure changes nothing.
        let _ = run.folder.log(&format!("failed: {error:#}"));
    }
    finish
}

struct Run<'a> {
    config: Config,
    commands: &'a Receiver<Command>,
    events: &'a Sender<Event>,
    pictures: &'a Arc<LatestSlot<Snapshot>>,
    wants_pictures: bool,
    folder: RunFolder,
    loader: Loader,
    splits: Splits,
    classes: Vec<String>,
    engine: Engine,
    inference: Inference,
    eval_attack: Option<AttackConfig>,
    gallery: Gallery,
    length: RunLength,
    state: LoopState,
    /// Finished updates.
    step: u64,
    last_saved: u64,
    last_picture: Option<Instant>,
    paused: bool,
    single: bool,
    /// (elapsed seconds, step) of recent reports.
    speed: std::collections::VecDeque<(f64, u64)>,
    waited: Waited,
    last_idle: Option<Idle>,
}

impl<'a> Run<'a> {
    fn prepare(
        options: &RunOptions,
        commands: &'a Receiver<Command>,
        events: &'a Sender<Event>,
        pictures: &'a Arc<LatestSlot<Snapshot>>,
    ) -> anyhow::Result<Self> {
        let config = options.config.clone();
        let preparing = |what: &str, done, total| {
            let _ = events.send(Event::Preparing { what: what.to_owned(), done, total });
        };
        preparing("Opening the data", 0, 1);
        let listing = |split: &str, done, total| preparing(&format!("Listing {split}"), done, total);
        let splits = data::open_reporting(&config.data, listing)?;
        let classes = class_names(&config, splits.train.as_ref())?;
        let options_of = ModelOptions::from_config(
            &config.model,
            config.data.image_size,
            classes.len(),
            method::domains(&config.method),
        );
        let network = build(&config.model.arch, &options_of)?;
        preparing("Opening the GPU", 0, 1);
        let device = Arc::new(Device::open(&options.device)?);

        let (mut folder, checkpoint) = RunFolder::open(&options.out, &config, options.resume)?;
        let step = checkpoint.as_ref().map_or(0, |c| c.meta.step);
        let steps_per_epoch = data::steps_per_epoch(splits.train.len(), config.run.batch_size)?;
        let total_steps =
            config.run.steps.unwrap_or_else(|| (config.run.epochs * steps_per_epoch as f64).ceil() as u64);
        let length = RunLength { steps_per_epoch, total_steps };
        let mut warnings = Vec::new();
        let mut engine = Engine::new(
            device,
            &config,
            network,
            length,
            |done, total| preparing("Compiling shaders", done, total),
            |notice| warnings.push(notice),
        )?;
        for warning in warnings {
            folder.log(&warning)?;
            let _ = events.send(Event::Warning(warning));
        }
        let state = match &checkpoint {
            Some(checkpoint) => state::restore(&mut engine, &config, checkpoint)?,
            None => {
                let mut arenas = init::initialize(&config.model.arch, engine.network(), config.run.seed);
                if !config.run.init.is_empty() {
                    load_init(&config, &engine, &mut arenas)?;
                }
                engine.load_fresh(&arenas);
                LoopState::default()
            }
        };
        let (weights, running) = if config.ema.decay > 0.0 {
            (buffers::EMA_PARAMS, buffers::EMA_RUNNING)
        } else {
            (buffers::PARAMS, buffers::RUNNING)
        };
        let inference = Inference::new(
            engine.device(),
            &config,
            engine.network(),
            EVAL_BATCH.min(splits.val.len().max(1)),
            engine.buffers().get(weights),
            engine.buffers().get(running),
            |done, total| preparing("Compiling shaders for validation", done, total),
        )?;
        let eval_attack = (!config.eval.attack.is_empty())
            .then(|| AttackConfig::parse_spec(&config.eval.attack))
            .transpose()
            .map_err(|e| anyhow::anyhow!("eval.attack: {e}"))?;
        let gallery = if options.pictures {
            Gallery::choose(splits.val.as_ref(), config.data.image_size, inference.batch())
        } else {
            Gallery::choose(splits.val.as_ref(), config.data.image_size, 0)
        };
        let reading = |done, total| preparing("Reading the images", done, total);
        let loader = input::start(&mut engine, &config, &splits.train, length, step, reading)?;
        let report = engine.device().report();
        let info = RunInfo {
            run_dir: options.out.clone(),
            adapter: report.name.clone(),
            backend: report.backend.clone(),
            arch: config.model.arch.clone(),
            parameters: engine.network().layout.trainable(),
            planned_bytes: engine.planned_bytes() + inference.bytes(),
            image_size: config.data.image_size,
            classes: classes.clone(),
            domains: engine.domain_names(),
            method: config
                .get("method.kind")
                .and_then(|kind| kind.as_str().map(str::to_owned))
                .unwrap_or_default(),
            steps_per_epoch,
            total_steps,
            first_step: step,
            train_images: splits.train.len(),
            val_images: splits.val.len(),
        };
        folder.log(&format!(
            "{} on {} ({}), {} parameters, {:.1} MB of GPU memory planned, {}",
            info.arch,
            info.adapter,
            info.backend,
            info.parameters,
            info.planned_bytes as f64 / 1e6,
            engine.layout(),
        ))?;
        if engine.holds_images() {
            folder.log(&format!("{} training images stay on the GPU", splits.train.len()))?;
        }
        let choices = engine.kept_choices();
        if !choices.is_empty() {
            let all = engine.convolutions().len();
            let list: Vec<String> =
                choices.iter().map(|(class, variant)| format!("{class}: {variant}")).collect();
            folder.log(&format!(
                "{} of {all} classes of convolutions run as `bench --tune` chose: {}",
                list.len(),
                list.join("; ")
            ))?;
        }
        let _ = events.send(Event::Started(info));
        Ok(Self {
            config,
            commands,
            events,
            pictures,
            wants_pictures: options.pictures,
            folder,
            loader,
            splits,
            classes,
            engine,
            inference,
            eval_attack,
            gallery,
            length,
            state,
            step,
            last_saved: step,
            last_picture: None,
            paused: false,
            single: false,
            speed: std::collections::VecDeque::new(),
            waited: Waited::default(),
            last_idle: None,
        })
    }

    fn send(&self, event: Event) {
        // A front end that went away is no reason to stop a run that writes its folder.
        let _ = self.events.send(event);
    }

    fn epoch(&self, step: u64) -> f64 {
        step as f64 / self.length.steps_per_epoch as f64
    }

    fn steps(&mut self) -> anyhow::Result<Finish> {
        self.picture(true)?;
        if self.step >= self.length.total_steps {
            // The checkpoint of the last step is written after its validation, so nothing is left to do.
            self.folder.log("was complete already")?;
            return Ok(Finish::Completed);
        }
        while self.step < self.length.total_steps {
            if self.ran_out_of_patience() {
                let stale = self.state.stale;
                self.warn(format!(
                    "stopped early: {stale} validations in a row were no better than the best"
                ))?;
                self.save()?;
                self.picture(true)?;
                return Ok(Finish::Completed);
            }
            if let Wish::Stop { save } = self.listen()? {
                return self.stop(save);
            }
            let begun = Instant::now();
            let batch = self.loader.next()?;
            self.waited.push(begun.elapsed().as_secs_f64());
            self.engine.step(self.step, &batch)?;
            self.step += 1;
            self.state.elapsed_s += begun.elapsed().as_secs_f64();
            self.report()?;
            for damaged in self.loader.take_damaged() {
                self.warn(format!("skipped a damaged image: {damaged}"))?;
            }
            self.after_step()?;
            if self.single {
                (self.single, self.paused) = (false, true);
                self.settle()?;
                self.send(Event::Paused);
            }
            self.picture(false)?;
        }
        self.settle()?;
        self.evaluate()?;
        self.save()?;
        self.picture(true)?;
        let stages: Vec<String> = self
            .engine
            .stage_seconds()
            .iter()
            .map(|(stage, seconds)| format!("{stage} {:.2} ms", seconds * 1e3))
            .collect();
        if !stages.is_empty() {
            self.folder.log(&format!("GPU time a step: {}", stages.join(", ")))?;
        }
        if let Some(idle) = self.last_idle {
            self.folder.log(&format!("at the end {idle}; {:.1} s of the run in all", self.waited.total_s))?;
        }
        self.folder.log("completed")?;
        Ok(Finish::Completed)
    }

    fn ran_out_of_patience(&self) -> bool {
        let patience = self.config.eval.patience;
        patience > 0 && self.state.stale >= patience
    }

    /// Epoch ends and periodic checkpoints; the end of the run has its own.
    fn after_step(&mut self) -> anyhow::Result<()> {
        if self.step == self.length.total_steps {
            return Ok(());
        }
        let epoch_ended = self.step.is_multiple_of(self.length.steps_per_epoch);
        let epochs = self.step / self.length.steps_per_epoch;
        let every = self.config.eval.every_epochs;
        if epoch_ended && every > 0 && epochs.is_multiple_of(every) {
            self.settle()?;
            self.evaluate()?;
        }
        let interval = self.config.run.checkpoint_steps;
        if epoch_ended || (interval > 0 && self.step.is_multiple_of(interval)) {
            self.save()?;
        }
        Ok(())
    }

    /// Takes commands; waits while paused.
    fn listen(&mut self) -> anyhow::Result<Wish> {
        loop {
            let command = if self.paused {
                match self.commands.recv() {
                    Ok(command) => command,
                    // The front end is gone: nobody can resume, so keep what there is.
                    Err(_) => return Ok(Wish::Stop { save: true }),
                }
            } else {
                match self.commands.try_recv() {
                    Ok(command) => command,
                    Err(_) => return Ok(Wish::Go),
                }
            };
            match command {
                Command::Pause if !self.paused => {
                    self.settle()?;
                    self.paused = true;
                    self.picture(true)?;
                    self.send(Event::Paused);
                }
                Command::Pause => {}
                Command::Resume => {
                    self.paused = false;
                    self.speed.clear();
                    self.send(Event::Resumed);
                }
                Command::SingleStep => {
                    (self.single, self.paused) = (true, false);
                    return Ok(Wish::Go);
                }
                Command::StopAndSave => return Ok(Wish::Stop { save: true }),
                Command::StopAndDiscard => return Ok(Wish::Stop { save: false }),
                Command::SaveNow => {
                    self.settle()?;
                    self.save()?;
                }
                Command::EvaluateNow => {
                    self.settle()?;
                    self.evaluate()?;
                    self.picture(true)?;
                }
            }
        }
    }

    fn stop(&mut self, save: bool) -> anyhow::Result<Finish> {
        self.settle()?;
        if !save {
            self.folder.log(&format!("stopped after step {} without saving", self.step))?;
            return Ok(Finish::Discarded);
        }
        self.save()?;
        self.folder.log(&format!("stopped after step {}", self.step))?;
        Ok(Finish::StoppedAndSaved)
    }

    /// Waits for enqueued steps and reports them.
    fn settle(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.engine.drain()?;
        self.state.elapsed_s += begun.elapsed().as_secs_f64();
        self.report()
    }

    fn warn(&mut self, sentence: String) -> anyhow::Result<()> {
        self.folder.log(&sentence)?;
        self.send(Event::Warning(sentence));
        Ok(())
    }

    /// Passes on the metrics that have arrived.
    fn report(&mut self) -> anyhow::Result<()> {
        while let Some(sums) = self.engine.poll()? {
            let report = self.step_report(&sums);
            let finite = report.branches.iter().all(|b| b.loss.is_finite());
            let step = report.step;
            let overflow = sums.loss_scale.filter(|scale| scale.overflow != 0);
            if let Some(LossScale { scale, skipped, .. }) = overflow {
                self.folder.log(&format!(
                    "step {step} overflowed in f16: its update is left out ({skipped} so far), the loss scale is {scale}"
                ))?;
            }
            if finite || overflow.is_none() {
                self.folder.train_step(&report)?;
                self.send(Event::Step(report));
            }
            // At the smallest scale it is no longer the scale that overflows.
            let mends = overflow.map(|scale| scale.scale > loss_scale::SMALLEST);
            anyhow::ensure!(
                mends.unwrap_or(finite),
                "the {} at step {step}: the training diverged; lower optimizer.lr{}",
                if mends.is_none() {
                    "loss is no longer a finite number"
                } else {
                    "gradients no longer fit f16 at any loss scale"
                },
                if self.last_saved > 0 {
                    format!(" and continue from the checkpoint of step {}", self.last_saved)
                } else {
                    " and start again".to_owned()
                }
            );
        }
        Ok(())
    }

    fn step_report(&mut self, sums: &StepSums) -> StepReport {
        let step = sums.step + 1;
        self.speed.push_back((self.state.elapsed_s, step));
        if self.speed.len() > SPEED_WINDOW {
            self.speed.pop_front();
        }
        let images_per_s = match (self.speed.front(), self.speed.back()) {
            (Some((t0, s0)), Some((t1, s1))) if t1 > t0 => {
                (s1 - s0) as f64 * self.config.run.batch_size as f64 / (t1 - t0)
            }
            _ => 0.0,
        };
        let stages = self.engine.stage_seconds();
        let step_s = self.config.run.batch_size as f64 / images_per_s;
        let idle = self.waited.idle(step_s, &stages);
        self.last_idle = idle.or(self.last_idle);
        let branches =
            self.engine.method_at(sums.step).branches.iter().zip(&sums.branches).map(|(branch, sums)| {
                let mean = |sum: f64| (sum / sums.images.max(1.0)) as f32;
                BranchReport {
                    domain: domain_name(branch.domain),
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
            elapsed_s: self.state.elapsed_s,
            stages,
            idle,
            branches: branches.collect(),
        }
    }

    /// Validates every split through every domain, and `val` under attack; keeps the best.
    fn evaluate(&mut self) -> anyhow::Result<()> {
        let domains = self.engine.domain_names().len();
        let mut rows = Vec::new();
        let val: Vec<(String, Arc<dyn Dataset>)> = vec![("val".to_owned(), Arc::clone(&self.splits.val))];
        for (split, set) in val.iter().chain(&self.splits.extra) {
            for domain in 0..domains {
                let attacks = [None, self.eval_attack.as_ref().filter(|_| split == "val")];
                let measured = if attacks[1].is_some() { 2 } else { 1 };
                for attack in attacks.into_iter().take(measured) {
                    let what = Measurement {
                        split,
                        domain,
                        attack,
                        limit: self.config.eval.limit,
                        seed: self.config.run.seed,
                    };
                    let (device, player) = self.engine.device_and_player();
                    rows.push(accuracy(device, player, &mut self.inference, set, &what, |_, _| {})?);
                }
            }
        }
        let value = best_value(&rows, self.config.eval.best);
        let report = EvalReport { step: self.step, epoch: self.epoch(self.step), rows };
        self.folder.evaluated(&report)?;
        self.send(Event::Evaluated(report));
        self.bn_stats()?;
        self.state.stale += 1;
        if value > self.state.best {
            (self.state.best, self.state.stale) = (value, 0);
            let path = self.folder.save_best(&self.checkpoint()?)?;
            self.send(Event::Saved { path, best: true });
        }
        Ok(())
    }

    fn bn_stats(&mut self) -> anyhow::Result<()> {
        let arenas = state::shown_arenas(&self.engine, &self.config)?;
        let layers = crate::evaluation::snapshot::bn_layers(&self.engine.network().layout, &arenas);
        let domains = self.engine.domain_names();
        self.folder.bn_stats(self.step, self.epoch(self.step), &domains, &layers)
    }

    fn checkpoint(&self) -> anyhow::Result<crate::training::checkpoint::Checkpoint> {
        state::checkpoint(
            &self.engine,
            &self.config,
            &self.classes,
            self.step,
            self.epoch(self.step),
            self.state,
        )
    }

    fn save(&mut self) -> anyhow::Result<()> {
        self.settle()?;
        let path = self.folder.save_last(&self.checkpoint()?)?;
        self.last_saved = self.step;
        self.send(Event::Saved { path, best: false });
        Ok(())
    }

    /// Makes pictures when a front end has taken the last ones and some time has passed, or at once with `now`.
    fn picture(&mut self, now: bool) -> anyhow::Result<()> {
        let due = self.last_picture.is_none_or(|t| t.elapsed() >= SNAPSHOT_EVERY);
        if !self.wants_pictures || self.gallery.is_empty() || !(now || (due && self.pictures.is_empty())) {
            return Ok(());
        }
        self.settle()?;
        let arenas = state::shown_arenas(&self.engine, &self.config)?;
        let attack = self.eval_attack.clone().unwrap_or_else(|| self.config.method.attack.clone());
        let (device, player) = self.engine.device_and_player();
        let made =
            snapshot(device, player, &mut self.inference, &arenas, &self.gallery, &attack, 0, self.step)?;
        self.pictures.put(made);
        self.last_picture = Some(Instant::now());
        Ok(())
    }
}

/// What `eval.best` looks at, larger is better; `None` before it was measured.
fn best_value(rows: &[EvalRow], by: BestBy) -> Option<f32> {
    let attacked = by == BestBy::AttackedTop1;
    let row = rows
        .iter()
        .find(|row| row.split == "val" && row.domain == domain_name(0) && row.attack.is_some() == attacked)?;
    Some(if by == BestBy::Loss { -row.loss } else { row.top1 })
}

/// The data's class names, checked against `model.classes`.
fn class_names(config: &Config, set: &dyn Dataset) -> anyhow::Result<Vec<String>> {
    let mut names = set.class_names().to_vec();
    let wanted = config.model.classes;
    if wanted == 0 || wanted == names.len() {
        return Ok(names);
    }
    anyhow::ensure!(
        wanted > names.len(),
        "model.classes = {wanted}, but the data has {} classes; use 0 to take the data's number",
        names.len()
    );
    names.extend((names.len()..wanted).map(|class| format!("unused {class}")));
    Ok(names)
}

fn load_init(config: &Config, engine: &Engine, arenas: &mut init::Arenas) -> anyhow::Result<()> {
    let path = Path::new(&config.run.init);
    let tensors = load_tensors(path)?;
    names::import(&engine.network().layout, arenas, |name| {
        tensors.get(name).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .with_context(|| format!("run.init = \"{}\" does not fit {}", path.display(), config.model.arch))
}
