//! From a configuration to a run that is ready for its next step: data, network, GPU, folder, checkpoint, loader.

use super::Run;
use crate::config::AttackConfig;
use crate::data;
use crate::evaluation::inference::Inference;
use crate::evaluation::snapshot::Gallery;
use crate::models::{ModelOptions, build};
use crate::session::input::{self, Waited};
use crate::session::setup::{check_same_data, class_names, empty_classes, first_weights, total_steps};
use crate::session::state::{self, LoopState};
use crate::session::{RunOptions, adapter};
use crate::training::engine::{Engine, RunLength};
use crate::training::events::{Command, Event, LatestSlot, RunInfo, Snapshot};
use crate::training::run_folder::RunFolder;
use crate::training::{buffers, method};
use crossbeam_channel::{Receiver, Sender};
use std::collections::VecDeque;
use std::sync::Arc;

/// Images of a validation batch; small enough for any adapter, large enough to keep one busy.
const EVAL_BATCH: usize = 64;

impl<'a> Run<'a> {
    pub(super) fn prepare(
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
        let device = adapter::open(&options.device, config.run.precision)?;

        // Read before the folder is made: a wrong file must not leave one behind.
        let fresh = if options.resume { None } else { Some(first_weights(&config, &network)?) };
        let (mut folder, checkpoint) = RunFolder::open(&options.out, &config, options.resume)?;
        let mut warnings = Vec::new();
        match &checkpoint {
            Some(checkpoint) => check_same_data(checkpoint, &classes, splits.train.len())?,
            None if options.resume => {
                warnings.push(format!(
                    "{} has no checkpoint yet: the run starts from the beginning",
                    options.out.display()
                ));
            }
            None => {}
        }
        warnings.extend(empty_classes(splits.train.as_ref()));
        let step = checkpoint.as_ref().map_or(0, |c| c.meta.step);
        let steps_per_epoch = data::steps_per_epoch(splits.train.len(), config.run.batch_size)?;
        let total_steps = total_steps(&config, steps_per_epoch);
        let length = RunLength { steps_per_epoch, total_steps };
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
        let mut state = match &checkpoint {
            Some(checkpoint) => state::restore(&mut engine, &config, checkpoint)?,
            None => {
                let arenas = match fresh {
                    Some(arenas) => arenas,
                    None => first_weights(&config, engine.network())?,
                };
                engine.load_fresh(&arenas);
                LoopState::default()
            }
        };
        (state.elapsed_s, state.train_images) = (folder.wall_s(), splits.train.len() as u64);
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
        let gallery = Gallery::choose(splits.val.as_ref(), config.data.image_size, inference.batch());
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
            waiting: VecDeque::new(),
            speed: VecDeque::new(),
            waited: Waited::default(),
            last_idle: None,
            memory: None,
        })
    }
}
