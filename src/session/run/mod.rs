//! The run itself, on its own thread: preparation, the step loop with the front end's commands, validation,
//! checkpoints.

mod changes;
mod front_end;
mod keep;
mod meters;
mod prepare;
mod report;

use super::RunOptions;
use super::state::LoopState;
use crate::config::{AttackConfig, Config};
use crate::data::{Loader, Splits};
use crate::evaluation::inference::Inference;
use crate::evaluation::snapshot::Gallery;
use crate::gpu::Pause;
use crate::training::engine::{Engine, RunLength};
use crate::training::events::{Command, Event, Finish, WorkLimit};
use crate::training::run_folder::RunFolder;
use crate::training::schedule;
use crate::words::counted;
use anyhow::Context as _;
use meters::{Meters, Stopwatch};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub(super) use front_end::FrontEnd;

/// A rest after one long dispatch ends before anyone takes the run for dead.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What the front end wants next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Go,
    Stop { save: bool },
}

/// Runs to the end. `Err` is a failure in one sentence.
pub(super) fn run(options: &RunOptions, front: FrontEnd<'_>) -> anyhow::Result<Finish> {
    options.config.validate()?;
    let mut run = Run::prepare(options, front)?;
    match run.announce(options).and_then(|()| run.steps()) {
        Ok(finish) => {
            let written = run.folder.end(&finish, run.step);
            run.spare(written);
            Ok(finish)
        }
        Err(error) => {
            let error = match run.rescue(&error) {
                Some(step) => error.context(format!("the weights after step {step} are saved")),
                None => error,
            };
            run.folder.end_with_failure(&format!("{error:#}"), run.step);
            Err(error)
        }
    }
}

/// A run between two steps.
struct Run<'a> {
    config: Config,
    front: FrontEnd<'a>,
    folder: RunFolder,
    data: Data,
    loader: Loader,
    engine: Engine,
    validation: Validation,
    meters: Meters,
    /// Runs while the run trains.
    stopwatch: Stopwatch,
    length: RunLength,
    state: LoopState,
    /// Finished updates.
    step: u64,
    /// Finished updates in the last checkpoint.
    last_saved: u64,
    paused: bool,
    /// The loss or the weights are no longer finite.
    diverged: bool,
    /// What was told of files that could not be written.
    spared: BTreeSet<String>,
    /// The next step is a single one between two pauses.
    single: bool,
}

/// The sets of a run.
struct Data {
    splits: Splits,
    /// Class names, of the model's outputs in order.
    classes: Vec<String>,
}

/// What looks at the weights between steps.
struct Validation {
    inference: Inference,
    /// The attack of `eval.attack`, if any.
    attack: Option<AttackConfig>,
    gallery: Gallery,
}

impl Run<'_> {
    fn epoch(&self, step: u64) -> f64 {
        step as f64 / self.length.steps_per_epoch as f64
    }

    fn steps(&mut self) -> anyhow::Result<Finish> {
        let is_end = self.step >= self.length.total_steps;
        let next = if is_end { "the end of the run" } else { "the first step" };
        if self.front.pictures_are_due(true) {
            self.front.working("Making the first pictures", next, 0, 1);
        }
        self.picture(true)?;
        self.stopwatch.start(Instant::now());
        if is_end && self.state.validated >= self.step {
            self.log("was complete already");
            return Ok(Finish::Completed);
        }
        // The run was cut off between the last step before a validation and its end.
        if !is_end && self.step > 0 && self.is_validation_due() && self.state.validated < self.step {
            self.validate()?;
        }
        let first = self.step;
        while self.step < self.length.total_steps {
            if self.ran_out_of_patience() {
                let stale = counted(self.state.stale as usize, "validation");
                self.note(format!("stopped early: {stale} in a row without a better value"));
                self.save()?;
                self.picture(true)?;
                return Ok(Finish::Completed);
            }
            if let Wish::Stop { save } = self.listen()? {
                return self.stop(save);
            }
            if self.step == first {
                // Some drivers make their machine code when a shader first runs, which may take minutes.
                self.front.working("First step: the driver compiles", "the next steps", 0, 1);
            }
            let begun = Instant::now();
            let batch = self.loader.next().context("the training images")?;
            self.meters.waited.push(begun.elapsed().as_secs_f64());
            self.engine.step(self.step, &batch)?;
            self.step += 1;
            self.report()?;
            for damaged in self.loader.take_damaged() {
                self.warn(format!("skipped a damaged image: {damaged}"));
            }
            self.after_step()?;
            if self.single {
                (self.single, self.paused) = (false, true);
                self.hold()?;
            }
            self.picture(false)?;
        }
        if !self.validate()? {
            // A stop was asked for, which leaves the validation to a resumed run.
            if let Wish::Stop { save } = self.listen()? {
                return self.stop(save);
            }
        }
        let stages: Vec<String> = self
            .engine
            .stage_seconds()
            .iter()
            .map(|(stage, seconds)| format!("{stage} {:.2} ms", seconds * 1e3))
            .collect();
        if !stages.is_empty() {
            self.log(&format!("GPU time a step: {}", stages.join(", ")));
        }
        if let Some(bytes) = self.engine.device().memory_taken() {
            let mebibytes = bytes as f64 / f64::from(1 << 20);
            self.log(&format!("{mebibytes:.1} MiB of GPU memory in use at the end"));
        }
        if let Some(idle) = self.meters.last_idle {
            let total = self.meters.waited.total_s;
            self.log(&format!("{idle} at the end; the run waited {total:.1} s for images in all"));
        }
        self.log("completed");
        Ok(Finish::Completed)
    }

    /// Leaves the GPU to others between the pieces of a step. A rest counts as training time: rate and
    /// remaining time tell what the user waits for.
    fn limit_work(&mut self, limit: WorkLimit) {
        let share = limit.rest();
        let rest = move |worked: Duration| std::thread::sleep(worked.mul_f64(share).min(LONGEST_REST));
        let player = &mut self.engine.gpu().player;
        player.pause_between((limit != WorkLimit::Full).then(|| Box::new(rest) as Pause));
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
        let interval = self.config.run.checkpoint_steps;
        if self.is_validation_due() {
            self.validate()?;
        } else if self.epoch_has_ended() || (interval > 0 && self.step.is_multiple_of(interval)) {
            self.save()?;
        }
        Ok(())
    }

    /// Whether this step's validation was made; another would write its lines and points twice.
    fn is_validated(&self) -> bool {
        self.step > 0 && self.state.validated >= self.step
    }

    fn epoch_has_ended(&self) -> bool {
        self.step.is_multiple_of(self.length.steps_per_epoch)
    }

    /// Steps from one validation to the next; 0: the only one is at the end.
    fn validation_steps(&self) -> u64 {
        schedule::validation_steps(self.config.eval.every_epochs, self.length.steps_per_epoch)
    }

    fn is_validation_due(&self) -> bool {
        let every = self.validation_steps();
        every > 0 && self.step.is_multiple_of(every)
    }

    /// Saves, validates and saves what that found: whatever ends the run during a validation, no step is
    /// lost. False when a stop was asked for meanwhile; the validation is then left to a resumed run.
    fn validate(&mut self) -> anyhow::Result<bool> {
        self.write_last()?;
        let finished = self.is_validated() || self.evaluate()?;
        if finished {
            self.save()?;
        }
        Ok(finished)
    }

    /// Takes commands; waits while paused.
    fn listen(&mut self) -> anyhow::Result<Wish> {
        loop {
            let Some(command) = self.front.command(self.paused) else {
                // Where the front end is gone nobody can resume a paused run, so it keeps what there is.
                return Ok(if self.paused { Wish::Stop { save: true } } else { Wish::Go });
            };
            match command {
                Command::Pause if !self.paused => {
                    self.paused = true;
                    self.picture(true)?;
                    self.hold()?;
                }
                Command::Pause => {}
                Command::Resume => {
                    self.paused = false;
                    self.stopwatch.start(Instant::now());
                    self.meters.restart_speed();
                    self.front.send(Event::Resumed);
                }
                Command::SingleStep => {
                    (self.single, self.paused) = (true, false);
                    self.stopwatch.start(Instant::now());
                    return Ok(Wish::Go);
                }
                Command::StopAndSave => return Ok(Wish::Stop { save: true }),
                Command::StopAndDiscard => return Ok(Wish::Stop { save: false }),
                Command::SaveNow => {
                    self.settle()?;
                    self.save()?;
                }
                Command::EvaluateNow if self.is_validated() => {
                    self.warn(format!("step {} is validated already", self.step));
                }
                Command::EvaluateNow => {
                    self.settle()?;
                    self.evaluate()?;
                }
                Command::ScaleLearningRate(factor) => self.scale_learning_rate(factor),
                Command::LimitWork(limit) => self.limit_work(limit),
                // Nothing waits to be saved.
                Command::SaveElsewhere(_) => {}
                Command::ShareWeights(reply) => self.share_weights(&reply)?,
            }
        }
    }

    /// Begins a pause.
    fn hold(&mut self) -> anyhow::Result<()> {
        self.settle()?;
        self.stopwatch.stop(Instant::now());
        self.front.send(Event::Paused);
        Ok(())
    }

    fn scale_learning_rate(&mut self, factor: f64) {
        if !(factor.is_finite() && factor >= 0.0) {
            self.warn(format!("a learning rate of {factor} times the schedule's was refused"));
            return;
        }
        self.state.lr_factor = factor;
        self.engine.set_lr_factor(factor);
        self.note(format!(
            "from step {} on the learning rate is {factor} times the schedule's",
            self.step + 1
        ));
    }

    fn stop(&mut self, save: bool) -> anyhow::Result<Finish> {
        self.settle()?;
        if !save {
            self.log(&format!("stopped after step {} without saving", self.step));
            return Ok(Finish::Discarded);
        }
        self.save()?;
        self.log(&format!("stopped after step {}", self.step));
        Ok(Finish::StoppedAndSaved)
    }
}
