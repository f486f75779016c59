//! A run played from a script, for tests and for a look at the window without a GPU. Figures follow smooth
//! made-up laws with fixed noise: nothing here was trained.
#![allow(dead_code, reason = "the test and the example each use a part of it")]

use crossbeam_channel::{Receiver, Sender, bounded};
use dualprop::app::model::launcher::{DeviceItem, Launcher, RunLink, RunRequest, Wake};
use dualprop::config::{AttackConfig, BranchSource, MethodKind, ParameterSet};
use dualprop::data::corruptions::Corruptor;
use dualprop::evaluation::confusion::{Confusion, Example};
use dualprop::evaluation::inference::Outcome;
use dualprop::evaluation::robustness::row::{RUNNING, Row};
use dualprop::gpu::DeviceChoice;
use dualprop::session::inspect::{
    Answer, BINS, Corrupt, CorruptedImage, CorruptedVersion, Distribution, DistributionRequest,
    Distributions, EPSILONS, Examine, Examined, Gather, Gathered, Hold, ImageChoice, Inspector, Look, Looked,
    LookedItem, Measure, MeasureRobustness, Measured, MeasuredView, ModelInfo, Request, Robustness, Sweep,
    SweepFigures, SweepPoint, Swept,
};
use dualprop::session::preflight::Preflight;
use dualprop::training::events::{
    BnDomain, BnLayer, BranchReport, Command, DomainView, EvalReport, EvalRow, Event, Finish, GalleryItem,
    Guess, Idle, LatestSlot, RunInfo, Snapshot, StepReport, Work,
};
use dualprop::training::method::MethodLabel;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const TOTAL_STEPS: u64 = 400;
pub(crate) const STEPS_PER_EPOCH: u64 = 80;
const IMAGES: usize = 8;
const SIDE: usize = 32;
const ATTACK: &str = "pgd:eps=4,step=1,iters=5";
pub(crate) const CLASSES: [&str; 10] =
    ["circle", "square", "triangle", "star", "cross", "ring", "heart", "moon", "arrow", "hexagon"];

/// The trainer's ends of a link.
pub(crate) struct Ends {
    pub(crate) request: RunRequest,
    pub(crate) commands: Receiver<Command>,
    pub(crate) events: Sender<Event>,
    pub(crate) snapshot: Arc<LatestSlot<Snapshot>>,
}

/// The far ends of a study.
pub(crate) struct StudyEnds {
    pub(crate) requests: Receiver<Request>,
    pub(crate) answers: Sender<Answer>,
}

/// Hands the far ends of what the window starts to whoever plays the trainer and the study.
pub(crate) struct Scripted {
    runs: Sender<Ends>,
    studies: Sender<StudyEnds>,
    preflights: Sender<Sender<Preflight>>,
    /// What stands in for the system's trash.
    pub(crate) trash: fn(&Path) -> bool,
}

/// Where the far ends arrive.
pub(crate) struct Played {
    pub(crate) runs: Receiver<Ends>,
    pub(crate) studies: Receiver<StudyEnds>,
    pub(crate) preflights: Receiver<Sender<Preflight>>,
}

impl Scripted {
    pub(crate) fn new() -> (Self, Played) {
        let ((runs, a), (studies, b), (preflights, c)) = (bounded(4), bounded(4), bounded(4));
        (Self { runs, studies, preflights, trash: |_| false }, Played { runs: a, studies: b, preflights: c })
    }
}

impl Launcher for Scripted {
    fn start(&self, request: RunRequest, _: Wake) -> anyhow::Result<RunLink> {
        let (link, ends) = link(request);
        self.runs.try_send(ends).map_err(|_| anyhow::anyhow!("nobody plays the trainer"))?;
        Ok(link)
    }

    fn study(&self, _: Wake) -> anyhow::Result<Inspector> {
        let ((requests, asked), (answers, answered)) = (bounded(64), bounded(64));
        let ends = StudyEnds { requests: asked, answers };
        self.studies.try_send(ends).map_err(|_| anyhow::anyhow!("nobody plays the study"))?;
        Ok(Inspector { requests, answers: answered, hold: Hold::default() })
    }

    fn preflight(&self, _: RunRequest, _: Wake) -> anyhow::Result<Receiver<Preflight>> {
        let (sender, receiver) = bounded(64);
        self.preflights.try_send(sender).map_err(|_| anyhow::anyhow!("nobody plays the preflight"))?;
        Ok(receiver)
    }

    fn list_devices(&self) -> fn() -> Vec<DeviceItem> {
        || {
            let (label, driver) = ("Scripted adapter (demo)".into(), "played 1.0".into());
            vec![DeviceItem { choice: DeviceChoice::Index(0), label, driver }]
        }
    }

    fn open_path(&self) -> fn(&Path) -> std::io::Result<()> {
        |_| Ok(())
    }

    fn trash(&self) -> fn(&Path) -> bool {
        self.trash
    }
}

fn link(request: RunRequest) -> (RunLink, Ends) {
    let (command_sender, commands) = bounded(8);
    let (event_sender, events) = bounded(1024);
    let snapshot = LatestSlot::new();
    let link = RunLink { commands: command_sender, events, snapshot: snapshot.clone() };
    (link, Ends { request, commands, events: event_sender, snapshot })
}

/// A smooth pseudo-random value in -1..1 of a position.
fn noise(n: u64) -> f32 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x >> 40) as f32 / (1u64 << 24) as f32) * 2.0 - 1.0
}

pub(crate) fn info(dir: &Path) -> RunInfo {
    RunInfo {
        run_dir: dir.to_owned(),
        adapter: "Scripted adapter (demo)".into(),
        backend: "script".into(),
        arch: "tf_efficientnet_b0".into(),
        parameters: 1_034_580,
        planned_bytes: 731 << 20,
        image_size: SIDE,
        classes: CLASSES.map(String::from).to_vec(),
        domains: vec!["main".into(), "aux".into()],
        method: MethodLabel::Kind(MethodKind::Advprop),
        steps_per_epoch: STEPS_PER_EPOCH,
        total_steps: TOTAL_STEPS,
        validation_steps: STEPS_PER_EPOCH,
        first_step: 0,
        train_images: 5120,
        val_images: 1000,
    }
}

pub(crate) fn step(step: u64) -> StepReport {
    let falling = |end: f32, seed: u64| {
        end + (2.3 - end) * (-(step as f32) / 130.0).exp() + 0.12 * noise(step * 31 + seed)
    };
    let branch = |branch: usize, domain: &str, attack: Option<&str>, loss: f32| BranchReport {
        branch,
        source: if attack.is_some() { BranchSource::Attack } else { BranchSource::Clean },
        domain: domain.into(),
        attack: attack.map(Into::into),
        loss: loss.max(0.02),
        top1: (1.0 - loss / 2.4).clamp(0.05, 0.99),
        top5: 0.95,
    };
    let branches = vec![
        branch(0, "main", None, falling(0.35, 1)),
        branch(1, "aux", Some("pgd:eps=1,step=1,iters=1"), falling(0.75, 2)),
    ];
    let epoch = step as f64 / STEPS_PER_EPOCH as f64;
    let images_per_s = 312.0 + 9.0 * f64::from(noise(step));
    StepReport {
        step,
        epoch,
        lr: 0.1,
        images_per_s,
        elapsed_s: step as f64 * 0.205,
        stages: vec![],
        idle: Some(Idle { data: 0.02, gpu: Some(0.06) }),
        memory_bytes: Some(748 << 20),
        branches,
    }
}

pub(crate) fn evaluation(step: u64) -> EvalReport {
    let rising = |end: f32, seed: u64| {
        0.1 + (end - 0.1) * (1.0 - (-(step as f32) / 140.0).exp()) + 0.015 * noise(step + 1000 * seed)
    };
    let mut rows = Vec::new();
    for (split, factor) in [("val", 1.0), ("val-stylized", 0.72)] {
        let figures = [
            ("main", None, 0.86),
            ("main", Some(ATTACK), 0.31),
            ("aux", None, 0.82),
            ("aux", Some(ATTACK), 0.52),
        ];
        for (index, (domain, attack, end)) in figures.into_iter().enumerate() {
            rows.push(EvalRow {
                split: split.into(),
                domain: domain.into(),
                attack: attack.map(Into::into),
                images: 1000,
                loss: 1.0,
                top1: rising(end * factor, index as u64),
                top5: 0.97,
            });
        }
    }
    EvalReport { step, epoch: step as f64 / STEPS_PER_EPOCH as f64, seconds: Some(6.0), rows }
}

pub(crate) fn snapshot(step: u64) -> Snapshot {
    Snapshot {
        step,
        gallery: (0..IMAGES).map(|index| picture(index, step)).collect(),
        bn_layers: layers(step),
        attack: ATTACK.into(),
        attack_domain: "aux".into(),
        classes: CLASSES.map(String::from).to_vec(),
    }
}

/// Distance to the edge of the shape of class `class`, negative inside, in pixels.
fn shape(class: usize, x: f32, y: f32) -> f32 {
    let (dx, dy) = (x - 16.5, y - 15.0);
    let r = dx.hypot(dy);
    match class % 5 {
        0 => r - 9.0,
        1 => dx.abs().max(dy.abs()) - 8.0,
        2 => (dy - 7.0).max(dx.abs() * 1.2 - (dy + 9.0) * 0.62),
        3 => r - 7.0 - 3.0 * (5.0 * dy.atan2(dx)).cos(),
        _ => (r - 7.5).abs() - 2.4,
    }
}

fn picture(index: usize, step: u64) -> GalleryItem {
    let hue = |phase: f32| 127.0 + 95.0 * (index as f32 * 1.9 + phase).sin();
    let seed = index as u64 * 100_003;
    let (mut clean, mut adversarial, mut perturbation) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..SIDE * SIDE {
        let (x, y) = ((n % SIDE) as f32, (n / SIDE) as f32);
        let inside = (0.5 - shape(index, x, y)).clamp(0.0, 1.0);
        let stripes = 26.0 * ((x * (0.5 + index as f32 * 0.07) + y * 0.4).sin());
        for c in 0..3 {
            let ground = 70.0 + 40.0 * (c as f32 + y * 0.09 + index as f32).cos();
            let front = hue(c as f32 * 2.1) + stripes;
            let grain = 7.0 * noise(seed + (n * 3 + c) as u64);
            let value = (ground * (1.0 - inside) + front * inside + grain).clamp(0.0, 255.0) as u8;
            let change = (noise(seed ^ ((n * 3 + c) as u64 * 7 + step / 80)) * 6.0).clamp(-4.0, 4.0).round();
            let attacked = (f32::from(value) + change).clamp(0.0, 255.0) as u8;
            clean.push(value);
            adversarial.push(attacked);
            perturbation.push(f32::from(attacked) - f32::from(value));
        }
    }
    let label = index % CLASSES.len();
    let views = (0..2).map(|domain| view(index, label, domain)).collect();
    let name = format!("val/{:05}", index * 37 + 12);
    GalleryItem { name, label, size: SIDE, clean, adversarial, perturbation, views }
}

fn view(index: usize, label: usize, domain: usize) -> DomainView {
    let guesses = |right: bool, p: f32| {
        let first = if right { label } else { (label + 3) % CLASSES.len() };
        let second = if right { (label + 3) % CLASSES.len() } else { label };
        let third = (label + 6) % CLASSES.len();
        let rest = 1.0 - p;
        [(first, p), (second, rest * 0.7), (third, rest * 0.2)].map(|(class, p)| Guess { class, p }).to_vec()
    };
    let map = |shift: f32, height: f32| {
        let blob = |n: usize| {
            let (x, y) = ((n % SIDE) as f32, (n / SIDE) as f32);
            let at = |cx: f32, cy: f32, w: f32| (-((x - cx).powi(2) + (y - cy).powi(2)) / w).exp();
            height * at(16.5 + shift, 15.0 - shift * 0.6, 70.0) + 1.5 * at(5.0, 26.0, 40.0) - 1.0
        };
        (0..SIDE * SIDE).map(blob).collect::<Vec<f32>>()
    };
    let fooled = domain == 0 && !index.is_multiple_of(3);
    DomainView {
        clean: guesses(index != 5, 0.92 - 0.04 * index as f32),
        adversarial: guesses(!fooled, 0.61 + 0.03 * index as f32),
        cam: map(0.0, 6.0 - domain as f32),
        cam_adversarial: map(if fooled { -9.0 } else { 1.5 }, if fooled { 3.0 } else { 5.0 }),
    }
}

fn layers(step: u64) -> Vec<BnLayer> {
    let apart = 1.0 - (-(step as f32) / 120.0).exp();
    let mut names = vec![("bn1".to_owned(), 16)];
    for (stage, channels) in [16, 24, 24, 40, 40, 80, 112, 112, 192, 192].into_iter().enumerate() {
        for bn in 1..=3 {
            let width = if bn == 3 { channels } else { channels * 4 };
            names.push((format!("blocks.{}.{}.bn{bn}", stage / 2, stage % 2), width));
        }
    }
    names.push(("bn2".to_owned(), 320));
    let count = names.len() as f32;
    let layer = |(index, (name, channels)): (usize, (String, usize))| {
        let depth = index as f32 / count;
        let domains = (0..2u64).map(|domain| {
            let value = |channel: usize, what: u64| noise((index * 1000 + channel) as u64 * 4 + what);
            let shift = |channel: usize| {
                apart * domain as f32 * (0.9 - 0.7 * depth) * noise((index * 1000 + channel) as u64 + 99_991)
            };
            BnDomain {
                running_mean: (0..channels).map(|c| 0.6 * value(c, 0) + shift(c)).collect(),
                running_var: (0..channels)
                    .map(|c| (0.9 * value(c, 1) + 0.5 * shift(c)).exp() * (1.2 - depth))
                    .collect(),
                gamma: (0..channels).map(|c| 1.0 + 0.2 * value(c, 2)).collect(),
                beta: (0..channels).map(|c| 0.1 * value(c, 3)).collect(),
            }
        });
        BnLayer { name, domains: domains.collect() }
    };
    names.into_iter().enumerate().map(layer).collect()
}

pub(crate) fn model(step: u64) -> ModelInfo {
    ModelInfo {
        arch: "tf_efficientnet_b0".into(),
        step,
        classes: CLASSES.map(String::from).to_vec(),
        domains: vec!["main".into(), "aux".into()],
        views: vec!["main".into(), "aux".into(), "auto".into()],
        image_size: SIDE,
        attack: AttackConfig::parse_spec("pgd:eps=1,step=1").expect("a SPEC"),
        splits: vec![("val".into(), 1000), ("val-stylized".into(), 1000)],
        data_fault: None,
        taken_for: None,
        bn_layers: layers(step),
    }
}

pub(crate) fn looked(step: u64, request: &Look) -> Looked {
    let items = (0..4).map(|index| {
        let mut item = picture(index, step);
        item.views.push(view(index, item.label, 2));
        let losses = (0..=request.attack.iterations())
            .map(|n| 0.3 + 0.5 * n as f32 + 0.2 * noise(index as u64 * 9 + u64::from(n)))
            .collect();
        LookedItem {
            item,
            label_known: true,
            losses,
            at_bound: 0.62 + 0.05 * index as f32,
            chosen: [index % 2, 1],
        }
    });
    Looked { step, request: request.clone(), items: items.collect(), took: Duration::from_millis(84) }
}

/// The image of the request: one of the gallery's where it has that name.
pub(crate) fn examined(step: u64, request: &Examine) -> Examined {
    let mut item = picture(0, step);
    if let ImageChoice::Named { name, .. } = &request.image {
        item = (0..IMAGES).map(|n| picture(n, step)).find(|item| item.name == *name).unwrap_or(item);
        item.name.clone_from(name);
    }
    item.views.push(view(1, item.label, 2));
    let all = |guesses: &mut Vec<Guess>| {
        let left = (0..CLASSES.len()).filter(|class| guesses.iter().all(|guess| guess.class != *class));
        guesses.extend(left.map(|class| Guess { class, p: 0.001 }).collect::<Vec<_>>());
    };
    for view in &mut item.views {
        all(&mut view.clean);
        all(&mut view.adversarial);
    }
    let of_prediction = item.views.iter().map(|view| [view.cam_adversarial.clone(), view.cam.clone()]);
    Examined {
        step,
        request: request.clone(),
        of_prediction: of_prediction.collect(),
        item,
        label_known: true,
    }
}

pub(crate) fn gathered(step: u64, request: &Gather) -> Gathered {
    let example = |index: &usize| Example {
        name: format!("val/{index:05}"),
        index: *index,
        label: index % CLASSES.len(),
        loss: 0.5,
        guesses: view(index % IMAGES, index % CLASSES.len(), 0).clean,
        pixels: picture(index % IMAGES, step).clean,
    };
    Gathered { step, request: request.clone(), examples: request.indices.iter().map(example).collect() }
}

pub(crate) fn swept(step: u64, request: &Sweep, count: usize) -> Swept {
    let point = |epsilon: f32| {
        let figures = |end: f32| SweepFigures {
            accuracy: 0.86 * (-epsilon / end).exp(),
            success: Some(1.0 - (-epsilon / end).exp()),
            at_bound: if epsilon > 0.0 { 0.7 } else { 0.0 },
        };
        SweepPoint { epsilon, views: vec![figures(3.0), figures(8.0), figures(4.5)] }
    };
    let points = EPSILONS.iter().take(count).map(|epsilon| point(*epsilon)).collect();
    Swept { step, request: request.clone(), points }
}

pub(crate) fn measured(step: u64, request: &Measure) -> Measured {
    let classes = CLASSES.len();
    let view = |domain: usize, attacked: bool| {
        let mut confusion = Confusion::new(classes);
        for index in 0..60usize {
            let label = index % classes;
            let wrong = attacked && index % (2 + domain) == 0 || index % 9 == 4;
            let predicted = if wrong { (label + 1 + index % 3) % classes } else { label };
            let mut logits = vec![0.0; classes];
            logits[predicted] = 3.0 + noise(index as u64);
            let outcome = Outcome {
                loss: vec![if wrong { 3.0 + noise(index as u64 + 7) } else { 0.2 }],
                top1: vec![!wrong],
                top5: vec![true],
                logits,
            };
            let pixels: Vec<f32> =
                picture(index % IMAGES, step).clean.iter().map(|b| f32::from(*b)).collect();
            confusion.add(&outcome, &[label as u32], &[index], &pixels, |i| format!("val/{i:05}"));
        }
        MeasuredView { domain, attacked, confusion }
    };
    let views = vec![view(0, false), view(0, true), view(1, false), view(1, true)];
    Measured { step, request: request.clone(), views, damaged: vec![], finished: true }
}

pub(crate) fn robustness(step: u64, request: &MeasureRobustness) -> Robustness {
    let row = |domain: usize, top1: f32| Row {
        data: "shapes".into(),
        split: request.split.clone(),
        domain: ["main", "aux"][domain].into(),
        statistics: RUNNING.into(),
        attack: None,
        corruption: None,
        severity: None,
        images: if request.limit == 0 { 1000 } else { request.limit },
        left_out: 0,
        loss: 2.3 * (1.0 - top1),
        top1,
        top5: 0.5 + 0.5 * top1,
        localisation: None,
    };
    let mut rows = vec![row(0, 0.86), row(1, 0.82)];
    for attack in &request.attacks {
        let attacked = |domain, top1| Row { attack: Some(attack.spec()), ..row(domain, top1) };
        rows.extend([attacked(0, 0.31), attacked(1, 0.52)]);
    }
    for (place, corruption) in request.corruptions.iter().enumerate() {
        for severity in &request.severities {
            for domain in 0..2 {
                let fall = 0.05 + 0.04 * (place % 5) as f32 - 0.02 * domain as f32;
                let top1 = (0.86 - fall * f32::from(*severity)).max(0.08);
                let name = Some(corruption.name().to_owned());
                rows.push(Row { corruption: name, severity: Some(*severity), ..row(domain, top1) });
            }
        }
    }
    Robustness {
        step,
        request: request.clone(),
        parameters: request.parameters.unwrap_or(ParameterSet::of_size(SIDE)),
        seed: 0,
        rows,
        notes: Vec::new(),
        finished: true,
    }
}

pub(crate) fn corrupted(step: u64, request: &Corrupt) -> CorruptedImage {
    let parameters = request.parameters.unwrap_or(ParameterSet::of_size(SIDE));
    let corruptor = Corruptor::new(parameters, 0);
    let clean = picture(request.index % IMAGES, step).clean;
    let label = request.index % CLASSES.len();
    let version = |severity: u8| {
        let id = request.index as u64;
        let corrupt = || corruptor.apply(request.corruption, severity, &clean, SIDE, SIDE, id);
        let guess = |domain: u8| {
            let wrong = severity + 1 > 4 + domain;
            let class = if wrong { (label + 3) % CLASSES.len() } else { label };
            Guess { class, p: 0.95 - 0.08 * f32::from(severity) }
        };
        CorruptedVersion {
            pixels: if severity == 0 { clean.clone() } else { corrupt() },
            guesses: vec![guess(0), guess(1)],
        }
    };
    CorruptedImage {
        step,
        request: request.clone(),
        parameters,
        name: format!("val/{:05}", request.index),
        label,
        size: SIDE,
        versions: (0..=5).map(version).collect(),
    }
}

pub(crate) fn distributed(step: u64, request: &DistributionRequest) -> Distributions {
    let line = |domain: usize, attacked: bool| {
        let shift = if (domain == 1) == attacked { 0.0 } else { 0.8 };
        let raw: Vec<f32> = (0..BINS)
            .map(|bin| (-(12.0 * (bin as f32 + 0.5) / BINS as f32 - 6.0 - shift).powi(2) / 2.0).exp())
            .collect();
        let sum: f32 = raw.iter().sum();
        let shares = raw.iter().map(|share| share / sum).collect();
        Distribution { domain, attacked, shares, mean: shift, deviation: 1.0 }
    };
    let lines = vec![line(0, false), line(0, true), line(1, false), line(1, true)];
    Distributions { step, request: request.clone(), lines }
}

/// Plays a whole run in real time on a thread of its own.
#[allow(dead_code, reason = "the tests play their runs by hand, the demo window uses this")]
pub(crate) struct RealTime;

impl Launcher for RealTime {
    fn start(&self, request: RunRequest, wake: Wake) -> anyhow::Result<RunLink> {
        let (link, ends) = link(request);
        let thread = std::thread::Builder::new().name("demo-run".into()).spawn(move || play(&ends))?;
        link.waking(wake, move || drop(thread.join()))
    }

    fn study(&self, wake: Wake) -> anyhow::Result<Inspector> {
        dualprop::session::inspect::spawn(wake)
    }

    fn preflight(&self, request: RunRequest, wake: Wake) -> anyhow::Result<Receiver<Preflight>> {
        dualprop::session::preflight::spawn(request.config, request.out, request.device, wake)
    }

    fn list_devices(&self) -> fn() -> Vec<DeviceItem> {
        || {
            let (label, driver) = ("Scripted adapter (demo)".into(), "played 1.0".into());
            vec![DeviceItem { choice: DeviceChoice::Index(0), label, driver }]
        }
    }

    fn open_path(&self) -> fn(&Path) -> std::io::Result<()> {
        |_| Ok(())
    }

    fn trash(&self) -> fn(&Path) -> bool {
        |_| false
    }
}

#[allow(dead_code, reason = "see RealTime")]
fn play(ends: &Ends) {
    // A window that is gone hears nothing more, which is the end of the run.
    let send = |event: Event| ends.events.send(event).is_ok();
    let out: PathBuf = ends.request.out.clone();
    for done in 0..=24 {
        let what = "Compiling shaders".into();
        send(Event::Working(Work { what, done, total: 24, next: "the first step" }));
        std::thread::sleep(Duration::from_millis(40));
    }
    send(Event::Started(info(&out)));
    let mut paused = false;
    let mut at = 0;
    while at < TOTAL_STEPS {
        let mut single = false;
        let command = if paused {
            ends.commands.recv().ok()
        } else {
            ends.commands.recv_timeout(Duration::from_millis(60)).ok()
        };
        match command {
            Some(Command::Pause) => paused = send(Event::Paused),
            Some(Command::Resume) => paused = !send(Event::Resumed),
            Some(Command::SingleStep) => single = true,
            Some(Command::StopAndSave) => {
                send(Event::Saved { path: out.join("last.safetensors"), best: false });
                send(Event::Finished(Finish::StoppedAndSaved));
                return;
            }
            Some(Command::StopAndDiscard) => {
                send(Event::Finished(Finish::Discarded));
                return;
            }
            Some(Command::SaveNow) => {
                send(Event::Saved { path: out.join("last.safetensors"), best: false });
            }
            Some(Command::EvaluateNow) => {
                send(Event::Evaluated(evaluation(at)));
            }
            Some(_) | None => {}
        }
        if paused && !single {
            continue;
        }
        at += 1;
        if !send(Event::Step(step(at))) {
            return;
        }
        if single {
            paused = send(Event::Paused);
        }
        if at % (STEPS_PER_EPOCH / 4) == 0 {
            send(Event::Evaluated(evaluation(at)));
            ends.snapshot.put(snapshot(at));
        }
    }
    send(Event::Saved { path: out.join("best.safetensors"), best: true });
    send(Event::Finished(Finish::Completed));
}
