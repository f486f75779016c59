//! Looking into a model beside a run: a checkpoint, a run at work, a preflight; and what a run takes from its
//! front end while it trains.

mod common;

use common::{TINY, alone, finish, options};
use crossbeam_channel::{Receiver, Sender};
use dualprop::config::{AttackConfig, Config, EvaluationAttack};
use dualprop::evaluation::activation_map::CamMethod;
use dualprop::evaluation::auto_domain::Through;
use dualprop::gpu::DeviceChoice;
use dualprop::session::inspect::{
    self, Answer, BINS, DistributionRequest, EPSILONS, ImageChoice, Inspector, Look, LookedItem, Measure,
    MeasureRobustness, Request, Subject, Sweep,
};
use dualprop::session::preflight::{self, Preflight};
use dualprop::session::{RunHandle, spawn};
use dualprop::training::checkpoint::Checkpoint;
use dualprop::training::events::{Command, Event, Finish, GalleryItem, StepReport, WorkLimit};
use dualprop::training::run_folder::{RunFiles, is_at_work};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longer than any answer takes on a slow machine; only a lost one runs into it.
const PATIENCE: Duration = Duration::from_secs(240);

/// What the model has learned matters less than that nothing takes long.
const OWN: [&str; 2] = ["schedule.kind=constant", "eval.every_epochs=0"];

fn config(sets: &[&str]) -> Config {
    common::config(TINY, &[&OWN[..], sets].concat())
}

fn start(config: Config, out: &Path, resume: bool) -> RunHandle {
    spawn(options(config, out, resume))
}

/// Takes events until `stop` says so; the last one is included.
fn events_until(events: &Receiver<Event>, stop: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut taken = Vec::new();
    loop {
        let event = events.recv_timeout(PATIENCE).expect("the run reports on");
        let last = stop(&event);
        taken.push(event);
        if last {
            return taken;
        }
    }
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Finished(_))
}

fn train(config: Config, out: &Path) {
    assert_eq!(finish(start(config, out, false)), Finish::Completed);
}

fn steps(events: &[Event]) -> Vec<&StepReport> {
    events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step) } else { None }).collect()
}

fn study() -> Inspector {
    inspect::spawn(Arc::new(|| {})).unwrap()
}

fn ask(study: &Inspector, request: Request) {
    study.requests.send(request).unwrap();
}

/// The next answer that `wanted` picks.
fn answer<T>(study: &Inspector, mut wanted: impl FnMut(Answer) -> Option<T>) -> T {
    loop {
        let answer = study.answers.recv_timeout(PATIENCE).expect("an answer");
        if let Answer::Failed(sentence) = &answer {
            panic!("{sentence}");
        }
        if let Some(found) = wanted(answer) {
            return found;
        }
    }
}

fn failure(study: &Inspector) -> String {
    match study.answers.recv_timeout(PATIENCE).expect("an answer") {
        Answer::Failed(sentence) => sentence,
        other => panic!("expected a failure, not {other:?}"),
    }
}

fn look_at(spec: &str, class: Option<usize>) -> Look {
    Look {
        images: ImageChoice::Data { split: "val".into(), first: 998, count: 3 },
        attack: AttackConfig::parse_spec(spec).unwrap(),
        domain: Through::Domain(1),
        seed: 0,
        map: CamMethod::Cam,
        class,
    }
}

/// A checkpoint may meet a data set whose classes have come to stand in another order, or are others.
#[test]
fn a_model_is_shown_its_data_under_its_own_labels() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(config(&["run.steps=1"]), &out);
    let file = out.join("last.safetensors");
    let mut checkpoint = Checkpoint::load(&file).unwrap();
    let study = study();
    let opened = || {
        ask(&study, Request::Open { subject: Subject::Checkpoint(file.clone()), device: DeviceChoice::Cpu });
        answer(&study, |a| if let Answer::Opened(info) = a { Some(info) } else { None })
    };
    let labels = |classes: &[String]| {
        ask(&study, Request::Look(look_at("fgsm:eps=1", None)));
        let looked = answer(&study, |a| if let Answer::Looked(looked) = a { Some(looked) } else { None });
        looked.items.iter().map(|item| classes[item.item.label].clone()).collect::<Vec<_>>()
    };
    let before = labels(&opened().classes);
    checkpoint.meta.classes.reverse();
    checkpoint.save_atomic(&file).unwrap();
    let turned = opened();
    assert_eq!((turned.data_fault.as_deref(), &turned.classes), (None, &checkpoint.meta.classes));
    assert_eq!(labels(&turned.classes), before);
    let lost = std::mem::replace(&mut checkpoint.meta.classes[0], "another".into());
    checkpoint.save_atomic(&file).unwrap();
    let other = opened();
    let fault = other.data_fault.clone().unwrap_or_default();
    assert!(fault.contains("only the checkpoint has another") && fault.contains(&lost), "{fault}");
    assert!(other.splits.is_empty());
}

#[test]
fn a_checkpoint_is_attacked_explained_swept_and_measured() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    train(config(&[]), &out);
    let study = study();
    ask(&study, Request::Look(look_at("fgsm:eps=2", None)));
    assert!(failure(&study).contains("no model is open"));
    let open =
        |path: &Path| Request::Open { subject: Subject::Checkpoint(path.into()), device: DeviceChoice::Cpu };
    ask(&study, open(&out.join("absent.safetensors")));
    assert!(failure(&study).contains("absent.safetensors"));
    ask(&study, open(&out.join("last.safetensors")));
    let info = answer(&study, |a| if let Answer::Opened(info) = a { Some(info) } else { None });
    assert_eq!((info.step, info.domains.len(), info.classes.len()), (6, 2, 10));
    let splits: Vec<&str> = info.splits.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(splits, ["val", "val-stylized"]);
    assert_eq!(info.data_fault, None);
    assert_eq!(info.bn_layers[0].domains.len(), 2);

    // A look: the attack stays in its ball, and the images go round the end of the set.
    let looked = |a| if let Answer::Looked(looked) = a { Some(looked) } else { None };
    ask(&study, Request::Look(look_at("pgd:eps=3,step=1,iters=4", None)));
    let first = answer(&study, looked);
    let names: Vec<&str> = first.items.iter().map(|item| item.item.name.as_str()).collect();
    assert_eq!(names, ["val/00998", "val/00999", "val/00000"]);
    for item in &first.items {
        assert!(item.label_known && item.losses.len() == 5);
        assert!(item.item.perturbation.iter().all(|change| change.abs() <= 3.0 + 1e-3));
        assert!(item.at_bound > 0.0 && item.at_bound <= 1.0);
        assert_eq!(item.item.views.len(), 3, "main, aux and the choice of one");
        let area = item.item.size.pow(2);
        assert!(item.item.views.iter().all(|view| view.cam.len() == area && view.clean.len() == 5));
    }
    // The same question has the same answer, and another class other maps.
    ask(&study, Request::Look(look_at("pgd:eps=3,step=1,iters=4", Some(7))));
    let second = answer(&study, looked);
    assert_eq!(first.items[0].item.adversarial, second.items[0].item.adversarial);
    assert_ne!(first.items[0].item.views[0].cam, second.items[0].item.views[0].cam);
    // Nothing that was kept for one question gets into the answer to another.
    let of = |look: &Look| {
        ask(&study, Request::Look(look.clone()));
        let found = answer(&study, looked);
        let of_item = |found: &LookedItem| (found.item.name.clone(), found.item.adversarial.clone());
        found.items.iter().map(of_item).collect::<Vec<_>>()
    };
    let asked = look_at("pgd:eps=3,step=1,iters=4", None);
    let images = ImageChoice::Data { split: "val-stylized".into(), first: 998, count: 3 };
    let others = [
        Look { domain: Through::Domain(0), ..asked.clone() },
        Look { seed: 1, ..asked.clone() },
        look_at("pgd:eps=2,step=1,iters=4", None),
        Look { images, ..asked.clone() },
    ];
    let at_first = of(&asked);
    for other in &others {
        assert_ne!(of(other), at_first, "{other:?}");
        assert_eq!(of(&asked), at_first, "after {other:?}");
    }

    // The choice by image shows the chosen domain's guesses and maps, and the worst attack for it counts.
    ask(&study, Request::Look(Look { domain: Through::Auto, ..asked.clone() }));
    let chosen = answer(&study, looked);
    let by_domain = [0, 1].map(|domain| {
        ask(&study, Request::Look(Look { domain: Through::Domain(domain), ..asked.clone() }));
        answer(&study, looked)
    });
    for (index, LookedItem { item, losses, chosen, .. }) in chosen.items.iter().enumerate() {
        let [main, aux, auto] = &item.views[..] else { panic!("{} views", item.views.len()) };
        assert_eq!((&auto.cam, auto.clean[0].p), {
            let view = [main, aux][chosen[0]];
            (&view.cam, view.clean[0].p)
        });
        assert_eq!(auto.cam_adversarial, [main, aux][chosen[1]].cam_adversarial);
        let tried = by_domain.each_ref().map(|found| &found.items[index]);
        let is_this = |tried: &&LookedItem| tried.item.adversarial == item.adversarial;
        let taken = tried.into_iter().find(is_this).expect("the attack through one of the domains");
        assert_eq!((&taken.losses, taken.chosen), (losses, *chosen));
        let p = |item: &GalleryItem| {
            let guesses = &item.views[2].adversarial;
            let fooled = guesses[0].class != item.label;
            let right = guesses.iter().find(|guess| guess.class == item.label).map_or(0.0, |guess| guess.p);
            if fooled { 0.0 } else { right }
        };
        assert!(tried.iter().all(|tried| p(item) <= p(&tried.item)), "image {index}");
    }

    // Image files get the class that is predicted for them.
    let file = folder.path().join("photo.png");
    image::RgbImage::from_fn(40, 50, |x, y| image::Rgb([x as u8 * 5, y as u8 * 4, 90])).save(&file).unwrap();
    let files = Look { images: ImageChoice::Files(vec![file]), ..look_at("fgsm:eps=2", None) };
    ask(&study, Request::Look(files));
    let found = answer(&study, looked);
    let (item, view) = (&found.items[0], &found.items[0].item.views[1]);
    assert!(!item.label_known && item.item.name == "photo.png");
    assert_eq!(item.item.label, view.clean[0].class);

    // A sweep starts at the clean accuracy and has all its points.
    let attack = AttackConfig::parse_spec("ifgsm:eps=1,step=1").unwrap();
    ask(&study, Request::Sweep(Sweep { split: "val".into(), images: 8, attack: attack.clone(), seed: 0 }));
    let swept = answer(&study, |a| match a {
        Answer::Swept(swept) if swept.points.len() == EPSILONS.len() => Some(swept),
        _ => None,
    });
    assert!(swept.points.iter().all(|point| point.views.len() == 3), "main, aux and the choice by image");
    assert_eq!(swept.points[0].views[0].at_bound, 0.0);

    // At one ε it agrees with the evaluation under that attack, through main, aux and the choice by image.
    let measure = MeasureRobustness {
        split: "val".into(),
        limit: 8,
        attacks: vec![EvaluationAttack::parse_spec("ifgsm:eps=4,step=1").unwrap()],
        corruptions: Vec::new(),
        severities: Vec::new(),
        parameters: None,
    };
    ask(&study, Request::MeasureRobustness(measure));
    let evaluated = answer(&study, |a| match a {
        Answer::Robustness(found) if found.finished => Some(found),
        _ => None,
    });
    let point = swept.points.iter().find(|point| point.epsilon == 4.0).expect("4/255");
    for (domain, figures) in ["main", "aux", "auto"].into_iter().zip(&point.views) {
        let row = evaluated.rows.iter().find(|row| row.domain == domain && row.attack.is_some());
        let row = row.unwrap_or_else(|| panic!("{domain} under the attack"));
        assert_eq!(row.top1, figures.accuracy, "{domain}");
    }

    // A measurement counts every image in every view, and agrees with the sweep's clean images.
    let measure = Measure { split: "val".into(), limit: 8, attack: Some(attack.clone()), seed: 0 };
    ask(&study, Request::Measure(measure));
    let measured = answer(&study, |a| match a {
        Answer::Measured(measured) if measured.finished => Some(measured),
        Answer::Measured(so_far) => {
            assert!((1..=8).contains(&so_far.views[0].confusion.images()), "what is measured so far");
            None
        }
        _ => None,
    });
    assert_eq!(measured.views.len(), 4);
    for view in &measured.views {
        assert_eq!(view.confusion.images(), 8);
        assert_eq!(view.confusion.worst.len(), 8);
        assert!(view.confusion.worst.is_sorted_by(|a, b| a.loss >= b.loss));
    }
    for domain in 0..2 {
        let view = measured.views.iter().find(|view| view.domain == domain && !view.attacked).unwrap();
        assert_eq!(view.confusion.accuracy(), swept.points[0].views[domain].accuracy);
    }

    // Inputs of a BN layer: shares sum to 1, one line a domain and kind of image.
    let images = ImageChoice::Data { split: "val".into(), first: 0, count: 2 };
    for channel in [None, Some(0)] {
        let request = DistributionRequest {
            layer: 1,
            channel,
            images: images.clone(),
            attack: attack.clone(),
            seed: 0,
        };
        ask(&study, Request::Distributions(request));
        let found = answer(&study, |a| if let Answer::Distributed(d) = a { Some(d) } else { None });
        assert_eq!(found.lines.len(), 4);
        for line in &found.lines {
            assert_eq!(line.shares.len(), BINS);
            assert!((line.shares.iter().sum::<f32>() - 1.0).abs() < 1e-4);
            assert!(line.mean.is_finite() && line.deviation > 0.0);
        }
    }

    // A measurement can be stopped.
    ask(&study, Request::Measure(Measure { split: "val".into(), limit: 0, attack: Some(attack), seed: 0 }));
    answer(&study, |a| if let Answer::Measuring(..) = a { Some(()) } else { None });
    ask(&study, Request::Stop);
    let mut so_far = None;
    answer(&study, |a| match a {
        Answer::Measured(measured) => {
            so_far = Some(measured);
            None
        }
        Answer::Stopped => Some(()),
        _ => None,
    });
    let so_far = so_far.expect("the figures so far");
    assert!(!so_far.finished && so_far.views[0].confusion.images() > 0);
}

fn wait_for_pause(handle: &RunHandle) -> Vec<Event> {
    events_until(&handle.events, |event| matches!(event, Event::Paused) || is_end(event))
}

fn send(commands: &Sender<Command>, command: Command) {
    commands.send(command).unwrap();
}

#[test]
fn a_run_at_work_shares_its_weights_and_takes_a_learning_rate() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let handle = start(config(&[]), &out, false);
    send(&handle.commands, Command::LimitWork(WorkLimit::Background));
    send(&handle.commands, Command::SingleStep);
    let events = wait_for_pause(&handle);
    assert_eq!(steps(&events).last().map(|step| (step.step, step.lr)), Some((1, 0.002)));

    let study = study();
    let subject = Subject::Run(handle.commands.clone());
    ask(&study, Request::Open { subject, device: DeviceChoice::Cpu });
    let info = answer(&study, |a| if let Answer::Opened(info) = a { Some(info) } else { None });
    assert_eq!(info.step, 1);
    let looked = |a| if let Answer::Looked(looked) = a { Some(looked) } else { None };
    ask(&study, Request::Look(look_at("fgsm:eps=2", None)));
    let before = answer(&study, looked);

    send(&handle.commands, Command::ScaleLearningRate(0.5));
    send(&handle.commands, Command::SingleStep);
    let events = wait_for_pause(&handle);
    assert_eq!(steps(&events).last().map(|step| (step.step, step.lr)), Some((2, 0.001)));

    ask(&study, Request::Refresh);
    let step = answer(&study, |a| if let Answer::Refreshed(step) = a { Some(step) } else { None });
    assert_eq!(step, 2);
    ask(&study, Request::Look(look_at("fgsm:eps=2", None)));
    let after = answer(&study, looked);
    assert_eq!(after.step, 2);
    assert_ne!(before.items[0].losses, after.items[0].losses, "the weights are newer");

    // The factor outlives the run.
    let ended = handle.commands.clone();
    send(&ended, Command::StopAndSave);
    events_until(&handle.events, is_end);
    handle.join();
    let handle = start(config(&[]), &out, true);
    let events = events_until(&handle.events, is_end);
    assert_eq!(steps(&events).first().map(|step| (step.step, step.lr)), Some((3, 0.001)));
    handle.join();

    // The run is over: its last copy stays in use, and it cannot be opened again.
    ask(&study, Request::Refresh);
    ask(&study, Request::Look(look_at("fgsm:eps=2", None)));
    let last = answer(&study, looked);
    assert_eq!((last.step, &last.items[0].losses), (2, &after.items[0].losses));
    let subject = Subject::Run(ended);
    ask(&study, Request::Open { subject, device: DeviceChoice::Cpu });
    assert!(failure(&study).contains("the run has ended"));
}

#[test]
fn a_preflight_finds_what_a_run_will_be_and_writes_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("runs/new");
    let run = |config: Config, out: &Path| {
        let events = preflight::spawn(config, out.into(), DeviceChoice::Cpu, Arc::new(|| {})).unwrap();
        events.iter().collect::<Vec<Preflight>>()
    };
    let events = run(config(&["method.kind=mixprop"]), &out);
    let passed: Vec<&str> = events
        .iter()
        .filter_map(|e| if let Preflight::Passed { what, .. } = e { Some(*what) } else { None })
        .collect();
    assert_eq!(passed, ["Configuration", "Run folder", "Data", "Adapter", "Memory", "Disk", "One batch"]);
    let Some(Preflight::Ready(forecast)) = events.last() else { panic!("{:?}", events.last()) };
    assert_eq!((forecast.steps_per_epoch, forecast.total_steps), (5, 6));
    assert!(forecast.seconds_per_step > 0.0 && forecast.planned_bytes > 0);
    let previews =
        events.iter().find_map(|e| if let Preflight::Previews(p) = e { Some(p) } else { None }).unwrap();
    let shown: Vec<(&str, &str)> = previews.iter().map(|p| (p.source, p.domain.as_str())).collect();
    assert_eq!(shown, [("clean", "main"), ("mixup", "aux")]);
    assert!(previews.iter().all(|p| p.images.len() == 8 && p.images[0].len() == p.size.pow(2) * 3));
    assert_ne!(previews[0].images, previews[1].images, "mixed images are others");
    assert!(previews[0].mixed.is_none());
    let mixed = previews[1].mixed.as_ref().expect("pairs");
    assert!(mixed.lambda > 0.0 && mixed.lambda < 1.0 && mixed.pairs.len() == 8, "{}", mixed.lambda);
    let again = mixed.at(mixed.lambda);
    let near = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1);
    assert!(
        again.iter().zip(&previews[1].images).all(|(a, b)| near(a, b)),
        "the drawn λ gives what was trained on"
    );
    assert_eq!(mixed.at(1.0), previews[0].images, "the first of each pair is the image itself");
    assert!(!out.exists() && std::fs::read_dir(folder.path()).unwrap().next().is_none());

    let refused = |events: &[Preflight]| match events.last() {
        Some(Preflight::Refused { what, reason }) => (*what, reason.clone()),
        other => panic!("{other:?}"),
    };
    let (what, reason) = refused(&run(config(&["data.source=folder", "data.path=/no/such/place"]), &out));
    assert_eq!(what, "Data");
    assert!(reason.contains("/no/such/place"), "{reason}");
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join("metrics.jsonl"), "").unwrap();
    let (what, reason) = refused(&run(config(&[]), &out));
    assert_eq!(what, "Run folder");
    assert!(reason.contains("not empty"), "{reason}");
}

#[test]
fn a_run_folder_takes_one_writer_at_a_time() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let handle = start(config(&[]), &out, false);
    send(&handle.commands, Command::SingleStep);
    wait_for_pause(&handle);
    assert!(is_at_work(&RunFiles::of(&out)));
    let second = start(config(&[]), &out, true);
    let events = events_until(&second.events, is_end);
    let Some(Event::Finished(Finish::Failed(sentence))) = events.last() else {
        panic!("{:?}", events.last())
    };
    assert!(sentence.contains("another program"), "{sentence}");
    second.join();
    send(&handle.commands, Command::StopAndSave);
    events_until(&handle.events, is_end);
    handle.join();
    assert!(!is_at_work(&RunFiles::of(&out)));
    assert_eq!(Checkpoint::load(&out.join("last.safetensors")).unwrap().meta.step, 1);
}
