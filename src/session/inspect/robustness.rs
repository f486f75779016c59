//! A set measured clean, attacked and corrupted through every domain, as `dualprop eval` measures it: the
//! same evaluation at work, which rests where something shorter is asked.

use super::Answer;
use super::opened::Opened;
use crate::config::{Corruption, EvaluationAttack, ParameterSet};
use crate::data::corruptions::Corruptor;
use crate::data::{ClassesBy, Matched};
use crate::evaluation::auto_domain::Through;
use crate::evaluation::hidden_gradients;
use crate::evaluation::robustness::condition::Condition;
use crate::evaluation::robustness::figures::Figures;
use crate::evaluation::robustness::mce::{Errors, Mce};
use crate::evaluation::robustness::measurement::{Evaluation, Heard, Part};
use crate::evaluation::robustness::record::Record;
use crate::evaluation::robustness::row::Row;
use crate::evaluation::robustness::worst_case::worst_cases;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between two words on how far a measurement is: each wakes the window.
const SAID_EVERY: Duration = Duration::from_millis(100);

/// Which set to measure, and under what. Images as they are, are always measured.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureRobustness {
    /// Name of the set.
    pub split: String,
    /// How many images to take, evenly spread over the set; 0 takes all.
    pub limit: usize,
    /// The attacks, each through the domain that is measured; of several the worst case is measured too.
    pub attacks: Vec<EvaluationAttack>,
    /// The corruptions, each at every one of the severities.
    pub corruptions: Vec<Corruption>,
    /// Severities of the corruptions, 1 to 5, ascending.
    pub severities: Vec<u8>,
    /// Strengths of the severities; `None`: those for the size of the model's images.
    pub parameters: Option<ParameterSet>,
}

/// The answer to a [`MeasureRobustness`], so far or whole.
#[derive(Clone, Debug)]
pub struct Robustness {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: MeasureRobustness,
    /// Strengths of the severities.
    pub parameters: ParameterSet,
    /// Seed of corruptions, random starts and targets: that of the model's run, as in `eval`.
    pub seed: u64,
    /// A row for each condition and domain, of the images that were measured so far.
    pub rows: Vec<Row>,
    /// Sentences on the images, the classes and the attacks.
    pub notes: Vec<String>,
    /// Whether all images were measured.
    pub finished: bool,
}

impl Robustness {
    /// The mean corruption errors by domain over the errors of `baseline`, which has a name; none where
    /// nothing was corrupted.
    pub fn mce(&self, baseline: Option<(&str, &Errors)>) -> Vec<Mce> {
        if self.request.corruptions.is_empty() {
            return Vec::new();
        }
        let of = |domain: &str| Mce::new(domain, &Errors::of_rows(&self.rows, domain), baseline);
        self.domains().into_iter().map(of).collect()
    }

    /// The domains that were measured, in the order of the rows.
    pub fn domains(&self) -> Vec<&str> {
        let mut domains: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !domains.contains(&row.domain.as_str()) {
                domains.push(&row.domain);
            }
        }
        domains
    }

    /// What `eval --json` prints of it.
    pub fn json(&self, baseline: Option<(&str, &Errors)>) -> serde_json::Result<String> {
        let generator = (!self.request.corruptions.is_empty()).then_some((self.parameters.name(), self.seed));
        let classes_by = ClassesBy::SameNames.word();
        let mce = self.mce(baseline);
        let figures = Figures { rows: &self.rows, classes_by: &classes_by, generator, mce };
        serde_json::to_string_pretty(&figures)
    }
}

/// How a job goes on after it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    /// Something shorter waits: the block is finished first.
    Rest,
    /// It is not wanted any more.
    End,
}

/// A measurement at work.
pub(super) struct RobustnessJob {
    set: Matched,
    data: String,
    corruptor: Arc<Corruptor>,
    conditions: Vec<Condition>,
    domains: Vec<Through>,
    record: Record,
    answer: Robustness,
}

impl RobustnessJob {
    /// Begins a measurement; fails where an attack cannot be made on the model.
    pub(super) fn start(opened: &mut Opened, request: MeasureRobustness) -> anyhow::Result<Self> {
        let set = opened.matched(&request.split)?.clone();
        let corruptor = opened.corruptor(request.parameters);
        let (meta, config) = (opened.model.meta(), opened.model.config());
        if let Some(fault) = request.attacks.iter().find_map(|attack| attack.fault(meta.classes.len())) {
            anyhow::bail!(fault);
        }
        let cells = request.corruptions.iter().flat_map(|corruption| {
            request.severities.iter().map(|severity| Condition::Corrupted(*corruption, *severity))
        });
        let attacked = request.attacks.iter().cloned().map(Condition::Attacked);
        let worst = worst_cases(&request.attacks, &[]).into_iter().map(Condition::WorstCase);
        let clean = std::iter::once(Condition::Clean);
        let conditions = clean.chain(attacked).chain(worst).chain(cells).collect();
        let mut notes = Vec::new();
        request
            .attacks
            .iter()
            .filter_map(EvaluationAttack::unit_caution)
            .for_each(|text| put(&mut notes, &text));
        let answer = Robustness {
            step: meta.step,
            parameters: corruptor.set(),
            seed: config.run.seed,
            rows: Vec::new(),
            notes,
            finished: false,
            request,
        };
        Ok(Self {
            set,
            data: config.data.source.name(),
            corruptor,
            conditions,
            domains: Through::all(meta.domains.len()),
            record: Record::default(),
            answer,
        })
    }

    /// Measures on until `hear` has something else to do, or to the end; true while others remain. `hear` is
    /// given answers, and asked between batches what comes next.
    pub(super) fn advance(
        &mut self,
        opened: &mut Opened,
        mut hear: impl FnMut(Option<Answer>) -> Next,
    ) -> anyhow::Result<bool> {
        let Self { set, data, corruptor, conditions, domains, record, answer } = self;
        let part = Part { open: Box::new(|| Ok(set.clone())), conditions: conditions.clone() };
        let evaluation = Evaluation {
            data,
            split: &answer.request.split.clone(),
            domains,
            parts: vec![part],
            corruptor: Some(Arc::clone(corruptor)),
            limit: answer.request.limit,
            seed: answer.seed,
            only_its_classes: false,
            localise: None,
            keep_every: Duration::ZERO,
        };
        let mut said: Option<Instant> = None;
        let end = evaluation.run(&mut opened.model, record, |heard| match heard {
            Heard::Measured(done, total) => {
                let now = said.is_none_or(|said| said.elapsed() >= SAID_EVERY);
                if now {
                    said = Some(Instant::now());
                }
                hear(now.then_some(Answer::MeasuringRobustness(done, total))) != Next::End
            }
            Heard::Note(sentence) => {
                put(&mut answer.notes, sentence);
                true
            }
            Heard::SoFar(rows) => {
                answer.rows = rows.to_vec();
                hear(Some(Answer::Robustness(Arc::new(answer.clone())))) != Next::End
            }
            Heard::Block => hear(None) == Next::GoOn,
        })?;
        if end.finished {
            answer.rows = record.rows().to_vec();
            for sentence in hidden_gradients::by_domain(&answer.request.attacks, &answer.rows) {
                put(&mut answer.notes, &sentence);
            }
            answer.finished = true;
            hear(Some(Answer::Robustness(Arc::new(answer.clone()))));
        }
        Ok(!end.finished)
    }
}

/// Adds a sentence that is not there yet: after a rest some are said again.
fn put(notes: &mut Vec<String>, sentence: &str) {
    if !notes.iter().any(|known| known == sentence) {
        notes.push(sentence.to_owned());
    }
}
