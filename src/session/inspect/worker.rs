//! The inspector's thread: keeps the newest request of each kind, answers the quick ones at once, and gives
//! long ones the time in between, batch by batch.

use super::measure::MeasureJob;
use super::opened::Opened;
use super::seen::SeenImages;
use super::sweep::SweepJob;
use super::{
    Answer, DistributionRequest, Look, Measure, ModelInfo, Request, Subject, Sweep, distribution, look,
};
use crate::config::DataConfig;
use crate::data::{self, ClassesBy, NamedSets, match_classes};
use crate::evaluation::auto_domain::Through;
use crate::evaluation::{Model, Weights};
use crate::gpu::DeviceChoice;
use crate::training::events::{Command, RunWeights, WeightsReply};
use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use std::sync::Arc;
use std::time::Duration;

/// Images at a time: few, so that a slider's answer waits for no large batch.
const BATCH: usize = 16;
/// How often the wait for a run's weights looks for the window's end.
const PATIENCE: Duration = Duration::from_millis(200);

/// The newest request of each kind.
#[derive(Default)]
struct Pending {
    open: Option<(Subject, DeviceChoice)>,
    refresh: bool,
    look: Option<Look>,
    distributions: Option<DistributionRequest>,
    sweep: Option<Sweep>,
    measure: Option<Measure>,
    stop: bool,
}

impl Pending {
    fn put(&mut self, request: Request) {
        match request {
            Request::Open { subject, device } => {
                // What was asked of the model before means nothing for the next one.
                *self = Self { open: Some((subject, device)), ..Self::default() };
            }
            Request::Refresh => self.refresh = true,
            Request::Look(look) => self.look = Some(look),
            Request::Distributions(request) => self.distributions = Some(request),
            Request::Sweep(sweep) => self.sweep = Some(sweep),
            Request::Measure(measure) => self.measure = Some(measure),
            Request::Stop => {
                self.stop = true;
                (self.sweep, self.measure) = (None, None);
            }
        }
    }
}

struct Worker<'a> {
    requests: &'a Receiver<Request>,
    answers: &'a Sender<Answer>,
    wake: &'a dyn Fn(),
    pending: Pending,
    opened: Option<Opened>,
    /// What the opened model saw last.
    seen: SeenImages,
    sweep: Option<SweepJob>,
    measure: Option<MeasureJob>,
    /// The window is gone.
    over: bool,
}

pub(super) fn run(requests: &Receiver<Request>, answers: &Sender<Answer>, wake: &dyn Fn()) {
    let mut worker = Worker {
        requests,
        answers,
        wake,
        pending: Pending::default(),
        opened: None,
        seen: SeenImages::default(),
        sweep: None,
        measure: None,
        over: false,
    };
    while !worker.over {
        worker.listen();
        if let Err(error) = worker.work() {
            worker.answer(Answer::Failed(format!("{error:#}")));
        }
    }
}

impl Worker<'_> {
    fn answer(&mut self, answer: Answer) {
        self.over |= self.answers.send(answer).is_err();
        (self.wake)();
    }

    /// Takes all requests; waits for one when nothing is to be done.
    fn listen(&mut self) {
        let pending = &self.pending;
        let idle = pending.open.is_none()
            && !pending.refresh
            && !pending.stop
            && pending.look.is_none()
            && pending.distributions.is_none()
            && pending.sweep.is_none()
            && pending.measure.is_none()
            && self.sweep.is_none()
            && self.measure.is_none();
        if idle {
            match self.requests.recv() {
                Ok(request) => self.pending.put(request),
                Err(_) => self.over = true,
            }
        }
        self.take_requests();
    }

    fn take_requests(&mut self) {
        loop {
            match self.requests.try_recv() {
                Ok(request) => self.pending.put(request),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.over = true;
                    return;
                }
            }
        }
    }

    /// Does the most urgent thing.
    fn work(&mut self) -> anyhow::Result<()> {
        if let Some((subject, device)) = self.pending.open.take() {
            (self.opened, self.sweep, self.measure) = (None, None, None);
            self.seen = SeenImages::default();
            return self.open(subject, &device);
        }
        if std::mem::take(&mut self.pending.stop) && (self.sweep.is_some() || self.measure.is_some()) {
            (self.sweep, self.measure) = (None, None);
            self.answer(Answer::Stopped);
        }
        if std::mem::take(&mut self.pending.refresh) {
            return self.refresh();
        }
        let Some(opened) = &mut self.opened else {
            let nothing = Pending::default();
            let asked = std::mem::replace(&mut self.pending, nothing);
            anyhow::ensure!(
                asked.look.is_none() && asked.sweep.is_none() && asked.measure.is_none(),
                "no model is open; open a checkpoint, or start a run"
            );
            return Ok(());
        };
        if let Some(request) = self.pending.look.take() {
            let looked = look::look(opened, &mut self.seen, &request)?;
            self.answer(Answer::Looked(Arc::new(looked)));
        } else if let Some(request) = self.pending.distributions.take() {
            let found = distribution::distributions(opened, &request)?;
            self.answer(Answer::Distributed(Arc::new(found)));
        } else if let Some(request) = self.pending.measure.take() {
            self.measure = Some(MeasureJob::start(opened, request)?);
        } else if let Some(request) = self.pending.sweep.take() {
            self.sweep = Some(SweepJob::start(opened, request)?);
        } else if let Some(mut job) = self.measure.take() {
            let (answer, more) = job.advance(opened)?;
            self.measure = more.then_some(job);
            self.answer(answer);
        } else if let Some(mut job) = self.sweep.take() {
            let (answer, more) = job.advance(opened)?;
            self.sweep = more.then_some(job);
            self.answer(answer);
        }
        Ok(())
    }

    fn open(&mut self, subject: Subject, device: &DeviceChoice) -> anyhow::Result<()> {
        let model = match &subject {
            Subject::Checkpoint(path) => Model::load(path, Weights::Auto, device, BATCH, |_, _| {})?,
            Subject::Run(commands) => match self.weights(commands)? {
                Some(weights) => Model::of_run(weights, device, BATCH)?,
                None => return Ok(()),
            },
        };
        let config = model.config();
        let meta = model.meta();
        let (sets, data_fault) = match sets_of(&config.data, &meta.classes) {
            Ok(sets) => (sets, None),
            Err(error) => (NamedSets::new(), Some(format!("{error:#}"))),
        };
        let info = ModelInfo {
            arch: meta.arch.clone(),
            step: meta.step,
            classes: meta.classes.clone(),
            domains: meta.domains.clone(),
            views: Through::all_names(meta.domains.len()),
            image_size: meta.image_size,
            attack: config.method.attack.clone(),
            splits: sets.iter().map(|(name, set)| (name.clone(), set.len())).collect(),
            data_fault,
            bn_layers: model.bn_layers(),
        };
        self.opened = Some(Opened { model, sets, subject });
        self.answer(Answer::Opened(Arc::new(info)));
        Ok(())
    }

    fn refresh(&mut self) -> anyhow::Result<()> {
        // A sweep or measurement is of one model.
        if self.sweep.is_some() || self.measure.is_some() {
            return Ok(());
        }
        let Some(Opened { subject: Subject::Run(commands), .. }) = &self.opened else { return Ok(()) };
        let commands = commands.clone();
        // A run that has ended leaves its last copy in use; its checkpoints have the rest.
        let Ok(Some(weights)) = self.weights(&commands) else { return Ok(()) };
        let step = weights.meta.step;
        if let Some(opened) = &mut self.opened {
            opened.model.refresh(weights)?;
            self.seen = SeenImages::default();
        }
        self.answer(Answer::Refreshed(step));
        Ok(())
    }

    /// A copy of a run's weights; `None` when another model is asked for before the run has answered.
    fn weights(&mut self, commands: &Sender<Command>) -> anyhow::Result<Option<RunWeights>> {
        const GONE: &str = "the run has ended; open one of its checkpoints";
        let (reply, weights) = bounded(1);
        // The command may wait behind others while a step is long.
        commands.try_send(Command::ShareWeights(WeightsReply(reply))).ok().context(GONE)?;
        loop {
            match weights.recv_timeout(PATIENCE) {
                Ok(weights) => return Ok(Some(weights)),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!(GONE),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.take_requests();
            if self.over || self.pending.open.is_some() {
                return Ok(None);
            }
        }
    }
}

/// The evaluation sets of a model's configuration, with the model's labels: the files may have changed since
/// it was trained.
fn sets_of(config: &DataConfig, classes: &[String]) -> anyhow::Result<NamedSets> {
    let (val, extra) = data::open_validation(config)?;
    let all = std::iter::once(("val".to_owned(), val)).chain(extra);
    all.map(|(name, set)| {
        let matched = match_classes(set, classes, &ClassesBy::SameNames)
            .with_context(|| format!("the images of {name} cannot be shown to this model"))?;
        Ok((name, matched.set))
    })
    .collect()
}
