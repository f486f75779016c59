//! From a configuration to a run that is ready for its next step, stage by stage: the data, the run folder
//! with what the run starts from, the engine on the GPU, the validation beside it, the loader.

use super::changes;
use super::front_end::FrontEnd;
use super::meters::{Meters, Stopwatch};
use super::{Data, Run, Validation};
use crate::config::{AttackConfig, Config};
use crate::data::{self, Dataset, Loader};
use crate::evaluation::inference::Inference;
use crate::evaluation::snapshot::Gallery;
use crate::gpu::Device;
use crate::graph::Network;
use crate::models::init::Arenas;
use crate::models::{ModelOptions, build};
use crate::session::input;
use crate::session::setup::{check_statistics, class_names, empty_classes, follow_checkpoint};
use crate::session::starting_weights::{StartingWeights, starting_weights};
use crate::session::state::{self, LoopState};
use crate::session::{RunOptions, disk_room, open_device};
use crate::training::buffers;
use crate::training::checkpoint::Checkpoint;
use crate::training::engine::{Engine, RunLength};
use crate::training::events::{Event, RunInfo};
use crate::training::method::{self, MethodLabel};
use crate::training::run_folder::{RunFiles, RunFolder, may_begin_in};
use crate::training::schedule::{total_steps, warmup_caution};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Images of a validation batch; small enough for any adapter, large enough to keep one busy.
const EVAL_BATCH: usize = 64;

impl<'a> Run<'a> {
    /// Makes everything that the first step needs; the front end hears of each stage.
    pub(super) fn prepare(options: &RunOptions, front: FrontEnd<'a>) -> anyhow::Result<Self> {
        let config = options.config.clone();
        let mut data = Data::open(&config, &front)?;
        let network = network(&config, &data)?;
        let length = length(&config, &data)?;
        let cautions = check_statistics(&config, &network, length)?;
        front.working("Opening the GPU", "the shaders", 0, 1);
        let device = open_device::open(&options.device, config.run.precision)?;
        let mut start = Start::open(options, &mut data, &network, length)?;
        start.warnings.extend(cautions);
        let warmup = warmup_caution(&config.schedule, length.steps_per_epoch, length.total_steps);
        start.warnings.extend(warmup);
        let room = disk_room::check(&options.out, disk_room::needed(&config, &network, length));
        start.warnings.extend(room.err().map(|error| error.to_string()));
        let made = Made::new(device, &config, network, length, &data, &front, &mut start);
        let step = start.from.step();
        let mut folder = start.folder;
        let Made { engine, loader, validation, state } =
            made.inspect_err(|error| folder.end_with_failure(&format!("{error:#}"), step))?;
        let stopwatch = Stopwatch::new(folder.wall_s());
        Ok(Self {
            config,
            front,
            folder,
            data,
            loader,
            engine,
            validation,
            meters: Meters::default(),
            stopwatch,
            length,
            state,
            step,
            last_saved: step,
            paused: false,
            diverged: false,
            spared: BTreeSet::new(),
            single: false,
        })
    }

    /// Logs what the run is and what of it was decided here, and tells the front end that it starts.
    pub(super) fn announce(&mut self, options: &RunOptions) -> anyhow::Result<()> {
        let info = self.info(options);
        self.folder.log(&format!(
            "{} on {} ({}), {} parameters, {:.1} MiB of GPU memory planned, {}",
            info.arch,
            info.adapter,
            info.backend,
            info.parameters,
            info.planned_bytes as f64 / f64::from(1 << 20),
            self.engine.layout(),
        ))?;
        if self.engine.holds_images() {
            self.folder.log(&format!("{} training images stay on the GPU", info.train_images))?;
        }
        let choices = self.engine.kept_choices();
        if !choices.is_empty() {
            let all = self.engine.convolutions().len();
            let list: Vec<String> =
                choices.iter().map(|(class, variant)| format!("{class}: {variant}")).collect();
            self.folder.log(&format!(
                "{} of {all} classes of convolutions run as `bench --tune` chose: {}",
                list.len(),
                list.join("; ")
            ))?;
        }
        self.front.send(Event::Started(info));
        Ok(())
    }

    /// What a front end needs to know of the run before its first step.
    fn info(&self, options: &RunOptions) -> RunInfo {
        let (config, engine) = (&self.config, &self.engine);
        let report = engine.device().report();
        RunInfo {
            run_dir: options.out.clone(),
            adapter: report.name.clone(),
            backend: report.backend.clone(),
            arch: config.model.arch.clone(),
            parameters: engine.network().layout.trainable(),
            planned_bytes: engine.planned_bytes() + self.validation.inference.bytes(),
            image_size: config.data.image_size,
            classes: self.data.classes.clone(),
            domains: engine.domain_names(),
            method: MethodLabel::of(&config.method),
            steps_per_epoch: self.length.steps_per_epoch,
            total_steps: self.length.total_steps,
            validation_steps: self.validation_steps(),
            first_step: self.step,
            train_images: self.data.splits.train.len(),
            val_images: self.data.splits.val.len(),
        }
    }
}

impl Data {
    /// Opens the sets of a configuration.
    fn open(config: &Config, front: &FrontEnd<'_>) -> anyhow::Result<Self> {
        front.working("Opening the data", "the GPU", 0, 1);
        let listing =
            |split: &str, done, total| front.working(format!("Listing {split}"), "the GPU", done, total);
        let splits = data::open_reporting(&config.data, listing)?;
        let classes = class_names(config, splits.train.as_ref())?;
        Ok(Self { splits, classes })
    }
}

/// The network of a configuration for these data.
fn network(config: &Config, data: &Data) -> anyhow::Result<Network> {
    let (size, domains) = (config.data.image_size, method::domains(&config.method));
    let options = ModelOptions::from_config(&config.model, size, data.classes.len(), domains);
    build(&config.model.arch, &options)
}

fn length(config: &Config, data: &Data) -> anyhow::Result<RunLength> {
    let steps_per_epoch = data::steps_per_epoch(data.splits.train.len(), config.run.batch_size)?;
    Ok(RunLength { steps_per_epoch, total_steps: total_steps(&config.run, steps_per_epoch) })
}

/// The run folder, and what it and the data say about the start.
struct Start {
    folder: RunFolder,
    from: StartsFrom,
    /// Sentences for the log and the front end.
    warnings: Vec<String>,
}

/// The weights and the state that a run starts from.
enum StartsFrom {
    Fresh(Arenas),
    Checkpoint(Box<Checkpoint>),
}

impl Start {
    /// Opens the folder and reads what the run starts from.
    fn open(
        options: &RunOptions,
        data: &mut Data,
        network: &Network,
        length: RunLength,
    ) -> anyhow::Result<Self> {
        let config = &options.config;
        // Read before the folder is made: a wrong file must not leave one behind.
        let fresh = |classes: &[String]| starting_weights(config, network, classes);
        let begun = if options.resume { None } else { Some(fresh(&data.classes)?) };
        let mut warnings = Vec::new();
        // Before the folder is opened, which cuts lines: a resume with other data must leave all as it is.
        // What is wrong with the file itself is said by the folder.
        let last = RunFiles::of(&options.out).last();
        if let Some(facts) = options.resume.then(|| Checkpoint::load_facts(&last).ok()).flatten() {
            warnings.extend(follow_checkpoint(&mut data.splits, &mut data.classes, &facts)?);
        }
        let is_new = may_begin_in(&options.out);
        let (folder, checkpoint) = RunFolder::open(&options.out, config, options.resume)?;
        let from = match (checkpoint, begun) {
            (Some(checkpoint), _) => {
                warnings.extend(changes::of_length(
                    &checkpoint.config()?,
                    config,
                    length,
                    checkpoint.meta.step,
                ));
                StartsFrom::Checkpoint(Box::new(checkpoint))
            }
            (None, Some(begun)) => StartsFrom::fresh(begun, &mut warnings),
            (None, None) => {
                if !is_new {
                    let out = options.out.display();
                    warnings.push(format!("{out} has no checkpoint yet: the run starts from the beginning"));
                }
                StartsFrom::fresh(fresh(&data.classes)?, &mut warnings)
            }
        };
        warnings.extend(data.splits.notes());
        warnings.extend(empty_classes(data.splits.train.as_ref(), "training"));
        warnings.extend(empty_classes(data.splits.val.as_ref(), "validation"));
        Ok(Self { folder, from, warnings })
    }
}

impl StartsFrom {
    /// Starts from these weights, and puts what is to be said of them with the warnings.
    fn fresh(begun: StartingWeights, warnings: &mut Vec<String>) -> Self {
        warnings.extend(begun.notes);
        Self::Fresh(begun.arenas)
    }

    /// Finished updates.
    fn step(&self) -> u64 {
        match self {
            Self::Fresh(_) => 0,
            Self::Checkpoint(checkpoint) => checkpoint.meta.step,
        }
    }

    /// Puts weights and optimizer state on the GPU; returns the loop's state.
    fn load_into(&self, engine: &mut Engine, config: &Config) -> anyhow::Result<LoopState> {
        match self {
            Self::Fresh(arenas) => {
                engine.load_fresh(arenas);
                Ok(LoopState::default())
            }
            Self::Checkpoint(checkpoint) => state::restore(engine, config, checkpoint),
        }
    }
}

/// What a run works with once its data and its folder are open.
struct Made {
    engine: Engine,
    loader: Loader,
    validation: Validation,
    state: LoopState,
}

impl Made {
    /// Plans, allocates and compiles the step and the validation. What start and engine have to say goes to
    /// the log and the front end.
    fn new(
        device: Arc<Device>,
        config: &Config,
        network: Network,
        length: RunLength,
        data: &Data,
        front: &FrontEnd<'_>,
        start: &mut Start,
    ) -> anyhow::Result<Self> {
        let mut warnings = std::mem::take(&mut start.warnings);
        let compiling =
            |done, total| front.working("Compiling shaders", "the shaders of validation", done, total);
        let mut engine =
            Engine::new(device, config, network, length, compiling, |notice| warnings.push(notice))?;
        for warning in warnings {
            start.folder.log(&warning)?;
            front.send(Event::Warning(warning));
        }
        let mut state = start.from.load_into(&mut engine, config)?;
        state.train_images = data.splits.train.len() as u64;
        let validation = Validation::new(config, &engine, data.splits.val.as_ref(), front)?;
        let reading = |done, total| front.working("Reading the images", "the first step", done, total);
        let step = start.from.step();
        let loader = input::start(&mut engine, config, &data.splits.train, length, step, reading)?;
        Ok(Self { engine, loader, validation, state })
    }
}

impl Validation {
    /// Compiles inference over the weights that validation looks through, the EMA where there is one.
    fn new(
        config: &Config,
        engine: &Engine,
        val: &dyn Dataset,
        front: &FrontEnd<'_>,
    ) -> anyhow::Result<Self> {
        let (weights, running) = if config.ema.decay > 0.0 {
            (buffers::EMA_PARAMS, buffers::EMA_RUNNING)
        } else {
            (buffers::PARAMS, buffers::RUNNING)
        };
        let inference = Inference::new(
            engine.device(),
            config,
            engine.network(),
            EVAL_BATCH.min(val.len().max(1)),
            engine.buffers().get(weights),
            engine.buffers().get(running),
            |done, total| {
                front.working("Compiling shaders for validation", "the first step", done, total);
            },
        )?;
        let attack = (!config.eval.attack.is_empty())
            .then(|| AttackConfig::parse_spec(&config.eval.attack))
            .transpose()
            .map_err(|e| anyhow::anyhow!("eval.attack: {e}"))?;
        let gallery = Gallery::choose(val, config.data.image_size, inference.batch());
        Ok(Self { inference, attack, gallery })
    }
}
