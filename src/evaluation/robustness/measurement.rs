//! A whole evaluation: passes over one or several sets, whose rows are kept as passes are finished.

use super::answers::classes_with_images;
use super::condition::Condition;
use super::pass::{Moment, Pass, PassEnd, Tallies};
use super::record::Record;
use super::row::{RUNNING, Row, RowLocalisation};
use crate::data::Matched;
use crate::data::corruptions::Corruptor;
use crate::evaluation::Model;
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::auto_domain::Through;
use anyhow::ensure;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One set of images and the conditions that it is measured under.
pub struct Part<'a> {
    /// Opens the set under the checkpoint's labels, when its turn comes.
    pub open: Box<dyn Fn() -> anyhow::Result<Matched> + 'a>,
    /// The conditions, in the order of the rows.
    pub conditions: Vec<Condition>,
}

/// What an evaluation measures.
pub struct Evaluation<'a> {
    /// The data set's word, for the rows.
    pub data: &'a str,
    /// The part of the data set, for the rows.
    pub split: &'a str,
    /// The BN domains, and whether the choice among them by image is measured too, each on the same images.
    pub domains: &'a [Through],
    /// The sets, one after the other.
    pub parts: Vec<Part<'a>>,
    /// Makes the corruptions; needed for conditions that have one.
    pub corruptor: Option<Arc<Corruptor>>,
    /// How many images of a set to take, evenly spread over it; 0 takes all.
    pub limit: usize,
    /// Draws random starts and targets of attacks, by image.
    pub seed: u64,
    /// Whether classes that a set has no image of are left out of the answers.
    pub only_its_classes: bool,
    /// How the maps are made that are measured against the set's masks; `None` makes no maps.
    pub localise: Option<CamMethod>,
    /// Time between two records of an unfinished pass.
    pub keep_every: Duration,
}

/// What an evaluation says while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// So many images were measured, counted anew under each condition and domain, of so many. Sets that were
    /// not opened yet count as large as the one that is measured.
    Measured(usize, usize),
    /// A sentence: an image that cannot be used, or how classes were matched.
    Note(&'a str),
    /// The rows of the set at work, of the images that were measured so far: in the beginning those of the
    /// conditions that were measured already.
    SoFar(&'a [Row]),
    /// A block is finished: where the work is ended now, a record goes on from here and nothing is lost.
    Block,
}

impl Evaluation<'_> {
    /// Measures what `record` does not have yet. `go_on` ends the work with false; then the record holds what
    /// is finished, and in its folder how far the pass had come.
    pub fn run(
        &self,
        model: &mut Model,
        record: &mut Record,
        mut go_on: impl FnMut(Heard<'_>) -> bool,
    ) -> anyhow::Result<PassEnd> {
        let mut all = PassEnd { finished: true, waited: Duration::ZERO, took: Duration::ZERO };
        let mut said = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            let wanted = || part.conditions.iter().flat_map(|c| self.domains.iter().map(move |d| (c, *d)));
            let has = |record: &Record, (condition, through)| {
                let row = self.row(condition, through);
                record.rows().iter().any(|known| known.is_of_same_cell(&row))
            };
            if wanted().all(|cell| has(record, cell)) {
                continue;
            }
            let Matched { set, note, left_out } = (part.open)()?;
            // The parts of a set are alike, and so are the notes on them.
            for sentence in
                set.notes().into_iter().chain(note).filter(|text| !said.contains(text)).collect::<Vec<_>>()
            {
                go_on(Heard::Note(&sentence));
                said.push(sentence);
            }
            ensure!(
                self.localise.is_none() || set.mask(0, model.network().image_size).is_some(),
                "--localise: the data set {} does not say which pixels show the object; expected one that does, such \
                 as shapes",
                self.data
            );
            let answers = self.only_its_classes.then(|| classes_with_images(set.as_ref()));
            let pass = Pass {
                set: &set,
                conditions: &part.conditions,
                corruptor: self.corruptor.as_ref(),
                domains: self.domains,
                limit: self.limit,
                seed: self.seed,
                answers: answers.as_deref(),
                localise: self.localise,
            };
            let mut tallies = record.tallies(number);
            let end = self.pass(model, &pass, (number, left_out), &mut tallies, record, &mut go_on)?;
            all.waited += end.waited;
            all.took += end.took;
            if !end.finished {
                all.finished = false;
                return Ok(all);
            }
            let rows = self.rows(&pass, &tallies, left_out);
            ensure!(!rows.is_empty(), "{}: no readable image to measure on", self.split);
            record.finish(rows)?;
        }
        Ok(all)
    }

    fn pass(
        &self,
        model: &mut Model,
        pass: &Pass<'_>,
        (number, left_out): (usize, usize),
        tallies: &mut Tallies,
        record: &mut Record,
        go_on: &mut impl FnMut(Heard<'_>) -> bool,
    ) -> anyhow::Result<PassEnd> {
        let (mut kept, mut fault) = (Instant::now(), None);
        let end = model.measure(pass, tallies, |moment| match moment {
            Moment::Measured(done, of, tallies) => {
                let goes_on = go_on(Heard::Measured(number * of + done, self.parts.len() * of));
                // Later on, rows of a block's middle would be of different numbers of images.
                let is_first_block = tallies.next == 0;
                goes_on && (!is_first_block || go_on(Heard::SoFar(&self.rows(pass, tallies, left_out))))
            }
            Moment::Damaged(text) => go_on(Heard::Note(text)),
            Moment::Block(tallies) => {
                if kept.elapsed() >= self.keep_every {
                    kept = Instant::now();
                    fault = record.keep(number, tallies).err();
                }
                go_on(Heard::SoFar(&self.rows(pass, tallies, left_out)))
                    && go_on(Heard::Block)
                    && fault.is_none()
            }
        })?;
        match fault {
            Some(fault) => Err(fault),
            None if !end.finished => record.keep(number, tallies).map(|()| end),
            None => Ok(end),
        }
    }

    /// The row of a condition and what it is measured through, without figures.
    fn row(&self, condition: &Condition, through: Through) -> Row {
        let corruption = condition.corruption();
        Row {
            data: self.data.to_owned(),
            split: self.split.to_owned(),
            domain: through.name(),
            statistics: RUNNING.to_owned(),
            attack: condition.attack(),
            corruption: corruption.map(|(name, _)| name.to_owned()),
            severity: corruption.map(|(_, severity)| severity),
            images: 0,
            left_out: 0,
            loss: f32::NAN,
            top1: f32::NAN,
            top5: f32::NAN,
            localisation: None,
        }
    }

    /// The rows of the conditions and domains that images were measured under.
    fn rows(&self, pass: &Pass<'_>, tallies: &Tallies, left_out: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        for (condition, cells) in pass.conditions.iter().zip(&tallies.cells) {
            let measured = self.domains.iter().zip(cells).filter(|(_, tally)| tally.images > 0);
            for (&through, tally) in measured {
                let [loss, top1, top5] = tally.means();
                let left_out = left_out + tallies.next.saturating_sub(tally.images);
                rows.push(Row {
                    images: tally.images,
                    left_out,
                    loss,
                    top1,
                    top5,
                    localisation: self
                        .localise
                        .zip(tally.localisation)
                        .map(|(method, sums)| RowLocalisation::new(method, sums.mean(tally.images))),
                    ..self.row(condition, through)
                });
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AUTO, Domain, EvaluationAttack};
    use crate::data::corruptions::{Corruption, ParameterSet};
    use crate::data::shapes::{Shapes, ShapesSplit};
    use crate::data::{Dataset, EvalOptions, EvalReader};
    use crate::evaluation::feature_grid::FeatureGrid;
    use crate::evaluation::localisation::Localisation;
    use crate::evaluation::network_of;
    use crate::gpu::DeviceChoice;
    use crate::graph::pad4;
    use crate::graph::params::ParamLayout;
    use crate::models::init::{Arenas, initialize};
    use crate::training::checkpoint::{FORMAT_VERSION, Meta};
    use crate::training::events::RunWeights;
    use serde_json::Map;
    use std::path::Path;

    const BATCH: usize = 8;
    /// Images, of which the last batch is not full.
    const LIMIT: usize = 21;

    /// A narrow network of two domains for the classes of `shapes`, with statistics that differ.
    fn model() -> Model {
        model_with(|_, _| {})
    }

    /// The same after a change of its arenas.
    fn model_with(change: impl FnOnce(&ParamLayout, &mut Arenas)) -> Model {
        let meta = Meta {
            format_version: FORMAT_VERSION,
            arch: "resnet18".into(),
            classes: Shapes::new(ShapesSplit::Val).class_names().to_vec(),
            domains: Domain::names_of(2),
            image_size: 32,
            mean: [0.5; 3],
            std: [0.5; 3],
            config: "[model]\narch = \"resnet18\"\nwidth = 0.125\n".into(),
            step: 0,
            epoch: 0.0,
        };
        let (network, _) = network_of(&meta).unwrap();
        let mut arenas = initialize("resnet18", &network, 1);
        // Networks start with a classifier of zeros, for which all images are alike.
        for (place, value) in arenas.params.iter_mut().enumerate() {
            *value += ((place * 37 % 101) as f32 - 50.0) / 500.0;
        }
        for (place, value) in arenas.running.iter_mut().enumerate() {
            *value *= 1.0 + (place % 7) as f32 / 10.0;
        }
        change(&network.layout, &mut arenas);
        Model::of_run(RunWeights { meta, arenas }, &DeviceChoice::Cpu, BATCH).unwrap()
    }

    fn evaluation<'a>(conditions: Vec<Condition>, domains: &'a [Through]) -> Evaluation<'a> {
        let set: Arc<dyn Dataset> = Arc::new(Shapes::new(ShapesSplit::Val));
        let set = Matched { set, note: None, left_out: 0 };
        Evaluation {
            data: "shapes",
            split: "val",
            domains,
            parts: vec![Part { open: Box::new(move || Ok(set.clone())), conditions }],
            corruptor: Some(Arc::new(Corruptor::new(ParameterSet::CifarC, 3))),
            limit: LIMIT,
            seed: 3,
            only_its_classes: false,
            localise: Some(CamMethod::Cam),
            keep_every: Duration::ZERO,
        }
    }

    fn conditions() -> Vec<Condition> {
        let attack = EvaluationAttack::parse_spec("fgsm:eps=4").unwrap();
        vec![
            Condition::Clean,
            Condition::Attacked(attack),
            Condition::Corrupted(Corruption::GaussianNoise, 1),
            Condition::Corrupted(Corruption::ShotNoise, 5),
        ]
    }

    /// The images of an evaluation: numbers, pixels `[n, 32, 32, 3]`, labels.
    fn images() -> (Vec<usize>, Vec<f32>, Vec<usize>) {
        let set = Shapes::new(ShapesSplit::Val);
        let options = EvalOptions { batch_size: BATCH, image_size: 32, limit: LIMIT, workers: 0 };
        let mut reader = EvalReader::start(Arc::new(Shapes::new(ShapesSplit::Val)), options).unwrap();
        let mut indices = Vec::new();
        while let Some(batch) = reader.next().unwrap() {
            indices.extend(batch.indices);
        }
        let pixels = indices.iter().flat_map(|index| set.load(*index, 32).unwrap()).map(f32::from);
        let (pixels, labels) = (pixels.collect(), indices.iter().map(|index| set.label(*index)).collect());
        (indices, pixels, labels)
    }

    /// The first layer's statistics are those of the first image in main and of the last in aux.
    #[test]
    fn under_auto_an_image_has_the_domain_that_fits_it_and_the_worst_attack() {
        let (indices, pixels, labels) = images();
        let rows = model().bn_input(&pixels, 0, 0).unwrap();
        let of_image: Vec<&[f32]> = rows.chunks_exact(rows.len() / LIMIT).collect();
        let mut model = model_with(|layout, arenas| {
            let bn = &layout.bn[0];
            for (domain, image) in [(0, 0), (1, LIMIT - 1)] {
                let at = bn.running_offset + domain * bn.domain_stride;
                for channel in 0..bn.channels {
                    let values = || of_image[image].iter().skip(channel).step_by(bn.channels);
                    let count = values().count() as f32;
                    let mean = values().sum::<f32>() / count;
                    let variance = values().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
                    arenas.running[at + channel] = mean;
                    arenas.running[at + pad4(bn.channels) + channel] = variance;
                }
            }
        });
        let choices = model.choose_domains(&pixels).unwrap();
        assert_eq!((choices[0], choices[LIMIT - 1]), (0, 1));

        let attack = EvaluationAttack::parse_spec("fgsm:eps=4").unwrap();
        let conditions = vec![Condition::Clean, Condition::Attacked(attack.clone())];
        let mut record = Record::default();
        evaluation(conditions, &[Through::Auto]).run(&mut model, &mut record, |_| true).unwrap();
        let [clean, attacked] = record.rows() else { panic!("{} rows", record.rows().len()) };
        let seen = |model: &mut Model, pixels: &[f32]| -> Vec<(bool, f32)> {
            let choices = model.choose_domains(pixels).unwrap();
            let outcomes = [0, 1].map(|domain| model.outcome(pixels, Some(&labels), domain).unwrap());
            let of_image = choices.iter().enumerate();
            of_image.map(|(i, domain)| (outcomes[*domain].top1[i], outcomes[*domain].loss[i])).collect()
        };
        let ids: Vec<u32> = indices.iter().map(|index| *index as u32).collect();
        let [through_main, through_aux] = [0, 1].map(|domain| {
            let found = model.strongest(&pixels, &labels, &attack, domain, 3, &ids).unwrap();
            seen(&mut model, &found.pixels)
        });
        let worst = through_main.iter().zip(&through_aux).map(|(main, aux)| match (main.0, aux.0) {
            (false, _) => *main,
            (true, false) => *aux,
            (true, true) => (true, main.1.max(aux.1)),
        });
        for (row, expected) in [(clean, seen(&mut model, &pixels)), (attacked, worst.collect())] {
            let right = expected.iter().filter(|(right, _)| *right).count();
            let loss = expected.iter().map(|(_, loss)| loss).sum::<f32>() / LIMIT as f32;
            assert_eq!((row.domain.as_str(), row.top1), (AUTO, right as f32 / LIMIT as f32));
            assert!((row.loss - loss).abs() < 1e-4 * loss, "{row:?}: {loss}");
        }
    }

    fn record(dir: &Path) -> Record {
        Record::open(dir, &Map::new()).unwrap()
    }

    /// A copy of a folder as a program leaves it that is killed at this moment.
    fn copy(from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }

    #[test]
    fn an_evaluation_goes_on_where_it_was_stopped_or_killed_with_the_same_figures() {
        let mut model = model();
        let through = Through::all(2);
        let evaluation = evaluation(conditions(), &through);
        let mut whole = Record::default();
        let mut so_far: Vec<Vec<Row>> = Vec::new();
        let end = evaluation.run(&mut model, &mut whole, |heard| {
            if let Heard::SoFar(rows) = heard {
                so_far.push(rows.to_vec());
            }
            true
        });
        assert!(end.unwrap().finished);
        // Condition by condition in the first block, then block by block.
        let sizes: Vec<_> = so_far.iter().map(|rows| (rows.len(), rows[0].images)).collect();
        assert_eq!(sizes, [(3, 8), (6, 8), (9, 8), (12, 8), (12, 8), (12, 16), (12, LIMIT)]);
        assert_eq!(so_far.last().map(Vec::as_slice), Some(whole.rows()));
        let cells: Vec<_> = whole
            .rows()
            .iter()
            .map(|r| (r.corruption.as_deref(), r.attack.is_some(), r.domain.as_str()))
            .collect();
        let (noise, shot) = (Some("gaussian_noise"), Some("shot_noise"));
        let wanted = [(None, false), (None, true), (noise, false), (shot, false)];
        let wanted =
            wanted.into_iter().flat_map(|(name, attack)| ["main", "aux", AUTO].map(|d| (name, attack, d)));
        assert_eq!(cells, wanted.collect::<Vec<_>>());
        assert!(whole.rows().iter().all(|row| row.images == LIMIT && row.left_out == 0));
        // The choice by image may fall on one domain alone.
        let of_domains = || whole.rows().iter().filter(|row| row.domain != AUTO);
        let losses: std::collections::BTreeSet<u32> = of_domains().map(|row| row.loss.to_bits()).collect();
        assert_eq!(losses.len(), of_domains().count(), "each condition and domain is another measurement");

        // In the second block: stopped, and killed.
        let (stopped, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut begun = record(stopped.path());
        let mut calls = 0;
        let end = evaluation.run(&mut model, &mut begun, |heard| {
            calls += usize::from(matches!(heard, Heard::Measured(..)));
            if calls == 6 {
                copy(stopped.path(), killed.path());
            }
            calls < 6
        });
        assert!(!end.unwrap().finished && begun.rows().is_empty());
        drop(begun);
        for dir in [stopped.path(), killed.path()] {
            let mut resumed = record(dir);
            let mut first = None;
            let end = evaluation.run(&mut model, &mut resumed, |heard| {
                if let Heard::Measured(done, total) = heard {
                    first.get_or_insert((done, total));
                }
                true
            });
            assert!(end.unwrap().finished);
            let each = through.len() * conditions().len();
            assert_eq!(
                first,
                Some((BATCH * each + BATCH * through.len(), LIMIT * each)),
                "the first block is not measured again"
            );
            assert_eq!(resumed.rows(), whole.rows());
            drop(resumed);
            assert_eq!(record(dir).rows(), whole.rows());
            // What is finished is not measured again.
            let mut again = 0;
            evaluation
                .run(&mut model, &mut record(dir), |_| {
                    again += 1;
                    true
                })
                .unwrap();
            assert_eq!(again, 0);
        }
    }

    #[test]
    fn figures_of_maps_are_means_over_the_images_that_count() {
        let mut model = model();
        // Images that the first start fools are not attacked again: the last start sees fewer of them.
        let attack = EvaluationAttack::parse_spec("pgd:eps=0.5,step=0.5,iters=1,restarts=2").unwrap();
        let conditions = vec![
            Condition::Clean,
            Condition::Attacked(attack.clone()),
            Condition::WorstCase(vec![attack.clone()]),
        ];
        let mut record = Record::default();
        evaluation(conditions, &[Through::Domain(1)]).run(&mut model, &mut record, |_| true).unwrap();
        let [clean, attacked, worst] = record.rows() else { panic!("{} rows", record.rows().len()) };
        assert!(worst.localisation.is_none() && worst.top1.to_bits() == attacked.top1.to_bits());

        let set = Shapes::new(ShapesSplit::Val);
        let (indices, pixels, labels) = images();
        let ids: Vec<u32> = indices.iter().map(|index| *index as u32).collect();
        let strongest = model.strongest(&pixels, &labels, &attack, 1, 3, &ids).unwrap();
        let grid = FeatureGrid::of(model.network());
        for (row, pixels) in [(clean, pixels), (attacked, strongest.pixels)] {
            let seen = model.see(&pixels, 1).unwrap();
            let maps = model.maps(&seen, &labels, CamMethod::Cam);
            let mut expected = [0.0; 3];
            for (index, map) in indices.iter().zip(maps) {
                let one = Localisation::of(&grid.resize(&map, 32), &set.mask(*index, 32).unwrap());
                let figures = [one.energy, one.box_iou, one.pointing];
                expected.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure / LIMIT as f64);
            }
            let found = row.localisation.clone().unwrap();
            assert_eq!((found.method.as_str(), found.class.as_str()), ("cam", "label"));
            let figures = [found.energy, found.box_iou, found.pointing].map(f64::from);
            let near = figures.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(near && expected.iter().any(|figure| *figure > 0.0), "{found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn conditions_do_not_depend_on_those_beside_them() {
        let mut model = model();
        let mut all = Record::default();
        let through_all = Through::all(2);
        evaluation(conditions(), &through_all).run(&mut model, &mut all, |_| true).unwrap();
        for condition in conditions() {
            for domain in &through_all {
                let mut alone = Record::default();
                let domains = [*domain];
                evaluation(vec![condition.clone()], &domains).run(&mut model, &mut alone, |_| true).unwrap();
                assert!(
                    all.rows().contains(&alone.rows()[0]),
                    "{condition:?}, {domain:?}: {:?}",
                    alone.rows()
                );
            }
        }
    }
}
