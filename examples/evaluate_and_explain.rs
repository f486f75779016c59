//! Measures a checkpoint through each BN domain and the choice by image, clean, attacked and in fog, and
//! draws where it looks in the first image.
//!
//! `cargo run --release --example evaluate_and_explain -- CHECKPOINT` takes 200 images of the validation set
//! that the checkpoint was trained beside, and writes `looks-through-DOMAIN.png`.

use anyhow::Context as _;
use dualprop::config::{Corruption, EvaluationAttack, ParameterSet};
use dualprop::data::corruptions::Corruptor;
use dualprop::data::{ClassesBy, EvalOptions, EvalReader, match_classes, open_validation};
use dualprop::evaluation::activation_map::CamMethod;
use dualprop::evaluation::auto_domain::Through;
use dualprop::evaluation::cam::{min_max, overlay};
use dualprop::evaluation::feature_grid::FeatureGrid;
use dualprop::evaluation::robustness::condition::Condition;
use dualprop::evaluation::robustness::measurement::{Evaluation, Heard, Part};
use dualprop::evaluation::robustness::record::Record;
use dualprop::evaluation::{Model, Weights};
use dualprop::gpu::DeviceChoice;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const IMAGES: usize = 200;
const BATCH: usize = 50;

fn main() -> anyhow::Result<()> {
    let Some(checkpoint) = std::env::args().nth(1) else {
        println!("an argument is missing: evaluate_and_explain CHECKPOINT");
        return Ok(());
    };
    let device = DeviceChoice::Auto;
    let mut model = Model::load(Path::new(&checkpoint), Weights::Auto, &device, BATCH, |_, _| {})?;
    let (config, classes) = (model.config().clone(), model.meta().classes.clone());
    let (set, _) = open_validation(&config.data)?;

    let attack = EvaluationAttack::parse_spec("pgd:eps=4,step=1,iters=5").map_err(anyhow::Error::msg)?;
    let conditions =
        vec![Condition::Clean, Condition::Attacked(attack), Condition::Corrupted(Corruption::Fog, 3)];
    let parameters = ParameterSet::of_size(model.meta().image_size);
    let evaluation = Evaluation {
        data: "validation",
        split: "val",
        domains: &Through::all(model.meta().domains.len()),
        parts: vec![Part {
            open: Box::new(|| match_classes(Arc::clone(&set), &classes, &ClassesBy::SameNames)),
            conditions,
        }],
        corruptor: Some(Arc::new(Corruptor::new(parameters, config.run.seed))),
        limit: IMAGES,
        seed: config.run.seed,
        only_its_classes: false,
        localise: None,
        keep_every: Duration::MAX,
    };
    // A record without a folder; `Record::open` keeps one, from which an evaluation goes on after an end.
    let mut record = Record::default();
    evaluation.run(&mut model, &mut record, |heard| {
        if let Heard::Note(sentence) = heard {
            println!("{sentence}");
        }
        // False would end it here.
        true
    })?;
    for row in record.rows() {
        let corruption = row.corruption.as_deref();
        let condition = row.attack.as_deref().or(corruption).unwrap_or("clean");
        println!("{:5} {condition}: {:.1}% of {} images", row.domain, 100.0 * row.top1, row.images);
    }

    let size = model.meta().image_size;
    let options = EvalOptions { batch_size: 1, image_size: size, limit: 1, workers: 1 };
    let first = EvalReader::start(Arc::clone(&set), options)?.next()?.context("an image")?;
    let pixels: Vec<f32> = first.images.iter().copied().map(f32::from).collect();
    for through in Through::all(model.meta().domains.len()) {
        let seen = model.see(&pixels, through)?;
        // The evidence for the true class, laid where the features' cells lie on the image.
        let maps = model.maps(&seen, &[first.labels[0] as usize], CamMethod::Cam);
        let map = min_max(&FeatureGrid::of(model.network()).resize(&maps[0], size));
        let picture = overlay(&first.images, &map);
        let picture = image::RgbImage::from_raw(size as u32, size as u32, picture);
        picture.context("the model's size")?.save(format!("looks-through-{}.png", through.name()))?;
    }
    Ok(())
}
