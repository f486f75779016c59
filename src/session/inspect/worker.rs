//! The inspector's thread: keeps the newest request of each kind, answers the quick ones at once, and gives
//! long ones the time in between, batch by batch.

use super::hold::Hold;
use super::measure::MeasureJob;
use super::opened::{MatchedSets, Opened};
use super::robustness::{Next, RobustnessJob};
use super::seen::SeenImages;
use super::sweep::SweepJob;
use super::{
    Answer, Corrupt, DistributionRequest, Examine, Gather, Look, Measure, MeasureRobustness, ModelInfo,
    Request, Subject, Sweep, corrupted, distribution, examine, gather, look,
};
use crate::config::DataConfig;
use crate::data::{self, ClassesBy, match_classes};
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
    examine: Option<Examine>,
    gather: Option<Gather>,
    distributions: Option<DistributionRequest>,
    sweep: Option<Sweep>,
    measure: Option<Measure>,
    robustness: Option<MeasureRobustness>,
    corrupt: Option<Corrupt>,
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
            Request::Examine(examine) => self.examine = Some(examine),
            Request::Gather(gather) => self.gather = Some(gather),
            Request::Distributions(request) => self.distributions = Some(request),
            Request::Sweep(sweep) => self.sweep = Some(sweep),
            Request::Measure(measure) => self.measure = Some(measure),
            Request::MeasureRobustness(measure) => self.robustness = Some(measure),
            Request::Corrupt(corrupt) => self.corrupt = Some(corrupt),
            Request::Stop => {
                self.stop = true;
                (self.sweep, self.measure, self.robustness) = (None, None, None);
            }
        }
    }

    /// Takes all that came; true when nobody can ask any more.
    fn take(&mut self, requests: &Receiver<Request>) -> bool {
        loop {
            match requests.try_recv() {
                Ok(request) => self.put(request),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Whether a question waits that needs a model.
    fn asks(&self) -> bool {
        self.look.is_some()
            || self.examine.is_some()
            || self.gather.is_some()
            || self.distributions.is_some()
            || self.corrupt.is_some()
            || self.sweep.is_some()
            || self.measure.is_some()
            || self.robustness.is_some()
    }

    /// Whether what is at work is to end.
    fn ends_work(&self) -> bool {
        self.stop || self.open.is_some()
    }
}

struct Worker<'a> {
    requests: &'a Receiver<Request>,
    answers: &'a Sender<Answer>,
    wake: &'a dyn Fn(),
    hold: Hold,
    pending: Pending,
    opened: Option<Opened>,
    /// What the opened model saw last, of a look and of an image seen closely: neither takes the other's
    /// place.
    seen: SeenImages,
    seen_closely: SeenImages,
    sweep: Option<SweepJob>,
    measure: Option<MeasureJob>,
    robustness: Option<RobustnessJob>,
    /// The window is gone.
    over: bool,
}

pub(super) fn run(requests: &Receiver<Request>, answers: &Sender<Answer>, wake: &dyn Fn(), hold: Hold) {
    let mut worker = Worker {
        requests,
        answers,
        wake,
        hold,
        pending: Pending::default(),
        opened: None,
        seen: SeenImages::default(),
        seen_closely: SeenImages::default(),
        sweep: None,
        measure: None,
        robustness: None,
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
        if !pending.ends_work() && !pending.refresh && !pending.asks() && !self.is_at_work() {
            match self.requests.recv() {
                Ok(request) => self.pending.put(request),
                Err(_) => self.over = true,
            }
        }
        self.take_requests();
    }

    fn take_requests(&mut self) {
        self.over |= self.pending.take(self.requests);
    }

    /// Whether something long is at work.
    fn is_at_work(&self) -> bool {
        self.sweep.is_some() || self.measure.is_some() || self.robustness.is_some()
    }

    /// Forgets what the model saw: it is another, or has other weights.
    fn forget_seen(&mut self) {
        (self.seen, self.seen_closely) = (SeenImages::default(), SeenImages::default());
    }

    fn end_work(&mut self) {
        (self.sweep, self.measure, self.robustness) = (None, None, None);
    }

    /// Does the most urgent thing.
    fn work(&mut self) -> anyhow::Result<()> {
        if let Some((subject, device)) = self.pending.open.take() {
            self.end_work();
            self.opened = None;
            self.forget_seen();
            return self.open(subject, &device);
        }
        if std::mem::take(&mut self.pending.stop) && self.is_at_work() {
            let so_far = self.measure.as_ref().map(MeasureJob::so_far);
            so_far.into_iter().for_each(|answer| self.answer(answer));
            self.end_work();
            self.answer(Answer::Stopped);
        }
        if std::mem::take(&mut self.pending.refresh) {
            return self.refresh();
        }
        let Some(opened) = &mut self.opened else {
            let nothing = Pending::default();
            let asked = std::mem::replace(&mut self.pending, nothing);
            anyhow::ensure!(!asked.asks(), "no model is open; open a checkpoint, or start a run");
            return Ok(());
        };
        if let Some(request) = self.pending.look.take() {
            let looked = look::look(opened, &mut self.seen, &request)?;
            self.answer(Answer::Looked(Arc::new(looked)));
        } else if let Some(request) = self.pending.examine.take() {
            let examined = examine::examine(opened, &mut self.seen_closely, &request)?;
            self.answer(Answer::Examined(Arc::new(examined)));
        } else if let Some(request) = self.pending.gather.take() {
            let gathered = gather::gather(opened, &request)?;
            self.answer(Answer::Gathered(Arc::new(gathered)));
        } else if let Some(request) = self.pending.distributions.take() {
            let found = distribution::distributions(opened, &request)?;
            self.answer(Answer::Distributed(Arc::new(found)));
        } else if let Some(request) = self.pending.corrupt.take() {
            let made = corrupted::corrupt(opened, &request)?;
            self.answer(Answer::Corrupted(Arc::new(made)));
        } else if let Some(request) = self.pending.measure.take() {
            self.measure = Some(MeasureJob::start(opened, request)?);
        } else if let Some(request) = self.pending.sweep.take() {
            self.sweep = Some(SweepJob::start(opened, request)?);
        } else if let Some(request) = self.pending.robustness.take() {
            self.robustness = Some(RobustnessJob::start(opened, request)?);
        } else {
            self.go_on()?;
        }
        Ok(())
    }

    /// Does a part of the long work; the window's frames go before it.
    fn go_on(&mut self) -> anyhow::Result<()> {
        if !self.is_at_work() {
            return Ok(());
        }
        let hold = self.hold.clone();
        if let Some(opened) = &mut self.opened {
            opened.model.give_way(Some(Box::new(move |_| hold.wait())));
        }
        let advanced = self.advance();
        if let Some(opened) = &mut self.opened {
            opened.model.give_way(None);
        }
        advanced
    }

    /// Does a part of the long work.
    fn advance(&mut self) -> anyhow::Result<()> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        if let Some(mut job) = self.measure.take() {
            let (answers, more) = job.advance(opened)?;
            self.measure = more.then_some(job);
            answers.into_iter().for_each(|answer| self.answer(answer));
        } else if let Some(mut job) = self.sweep.take() {
            let (answer, more) = job.advance(opened)?;
            self.sweep = more.then_some(job);
            self.answer(answer);
        } else if let Some(mut job) = self.robustness.take() {
            let (requests, answers, wake) = (self.requests, self.answers, self.wake);
            let (pending, over) = (&mut self.pending, &mut self.over);
            let more = job.advance(opened, |answer| {
                if let Some(answer) = answer {
                    *over |= answers.send(answer).is_err();
                    wake();
                }
                *over |= pending.take(requests);
                match () {
                    () if *over || pending.ends_work() => Next::End,
                    () if pending.asks() => Next::Rest,
                    () => Next::GoOn,
                }
            })?;
            self.robustness = more.then_some(job);
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
        let taken_for = model.taken_for().map(str::to_owned);
        let sets = match taken_for {
            // Nothing says what a bare file was trained on.
            Some(_) => Ok(MatchedSets::new()),
            None => sets_of(&config.data, &meta.classes),
        };
        let (sets, data_fault) = match sets {
            Ok(sets) => (sets, None),
            Err(error) => (MatchedSets::new(), Some(format!("{error:#}"))),
        };
        let info = ModelInfo {
            arch: meta.arch.clone(),
            step: meta.step,
            classes: meta.classes.clone(),
            domains: meta.domains.clone(),
            views: Through::all_names(meta.domains.len()),
            image_size: meta.image_size,
            attack: config.method.attack.clone(),
            splits: sets.iter().map(|(name, matched)| (name.clone(), matched.set.len())).collect(),
            data_fault,
            taken_for,
            bn_layers: model.bn_layers(),
        };
        self.opened = Some(Opened { model, sets, subject, corruptor: None });
        self.answer(Answer::Opened(Arc::new(info)));
        Ok(())
    }

    fn refresh(&mut self) -> anyhow::Result<()> {
        // A sweep or measurement is of one model.
        if self.is_at_work() {
            return Ok(());
        }
        let Some(Opened { subject: Subject::Run(commands), .. }) = &self.opened else { return Ok(()) };
        let commands = commands.clone();
        // A run that has ended leaves its last copy in use; its checkpoints have the rest.
        let Ok(Some(weights)) = self.weights(&commands) else { return Ok(()) };
        let step = weights.meta.step;
        if let Some(opened) = &mut self.opened {
            opened.model.refresh(weights)?;
            self.forget_seen();
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
fn sets_of(config: &DataConfig, classes: &[String]) -> anyhow::Result<MatchedSets> {
    let (val, extra) = data::open_validation(config)?;
    let all = std::iter::once(("val".to_owned(), val)).chain(extra);
    all.map(|(name, set)| {
        let matched = match_classes(set, classes, &ClassesBy::SameNames)
            .with_context(|| format!("the images of {name} cannot be shown to this model"))?;
        Ok((name, matched))
    })
    .collect()
}
