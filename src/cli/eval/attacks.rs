//! The attacks of an evaluation: from the options to conditions, and what their accuracies say of each other.

use crate::cli::common::{UsageError, evaluation_attack, note};
use crate::config::EvaluationAttack;
use crate::evaluation::hidden_gradients;
use crate::evaluation::robustness::condition::Condition;
use crate::evaluation::robustness::row::Row;
use crate::evaluation::robustness::worst_case::{swept, worst_cases};
use std::collections::BTreeSet;

/// Options that have to do with attacks.
#[derive(Debug, clap::Args)]
pub(super) struct AttackArgs {
    /// Attack, several times for several: pgd, ifgsm, mifgsm, gd, fgsm (pgd:eps=4,step=1,iters=5), apgd
    /// (apgd:eps=4,iters=100), apgd-t (targeted, at least 4 classes) or square (square:eps=4,queries=1000,
    /// without gradients), with restarts=R the worst of R random starts; eps and step in 1/255, by running
    /// statistics. Of several attacks the pointwise worst case is measured too
    #[arg(long, value_name = "SPEC", value_parser = evaluation_attack)]
    attack: Vec<EvaluationAttack>,
    /// Radii in 1/255 with commas between that each attack gets in turn in place of its own; 0: clean images
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "attack", value_parser = epsilon)]
    epsilons: Vec<f32>,
    /// Whether clean images are measured beside attacked ones.
    #[arg(skip)]
    pub(super) with_clean: bool,
}

fn epsilon(text: &str) -> Result<f32, String> {
    let within = |number: &f32| (0.0..=255.0).contains(number);
    let number = text.trim().parse().ok().filter(within);
    number.ok_or_else(|| {
        "expected numbers from 0 to 255, in 1/255 of the pixel range, such as 0,1,2,4,8".into()
    })
}

impl AttackArgs {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.attack.is_empty()
    }

    /// Whether the images are measured as they are: where nothing attacks, at radius 0, and in a sweep.
    pub(super) fn wants_clean(&self) -> bool {
        self.with_clean || self.attack.is_empty() || self.epsilons.contains(&0.0)
    }

    /// Says what looks like a slip, and fails where the same is asked for twice.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let attacks = self.attacks();
        for caution in attacks.iter().filter_map(EvaluationAttack::unit_caution).collect::<BTreeSet<_>>() {
            note(&format!("note: {caution}"));
        }
        // What is said in other words would have rows of one name.
        let is_before = |place: usize, attack: &EvaluationAttack| {
            attacks[..place].iter().any(|other| other.spec() == attack.spec())
        };
        let twice = attacks.iter().enumerate().find(|(place, attack)| is_before(*place, attack));
        match twice {
            Some((_, attack)) => {
                Err(UsageError(format!("{} is asked for twice; expected it once", attack.spec())).into())
            }
            None => Ok(()),
        }
    }

    /// Fails where an attack cannot be made on a model of so many classes.
    pub(super) fn check_classes(&self, classes: usize) -> anyhow::Result<()> {
        match self.attack.iter().find_map(|attack| attack.fault(classes)) {
            Some(fault) => Err(UsageError(format!("--attack: {fault}")).into()),
            None => Ok(()),
        }
    }

    fn radii(&self) -> Vec<f32> {
        let mut radii = self.epsilons.clone();
        radii.sort_by(f32::total_cmp);
        radii.dedup();
        radii
    }

    /// The attacks at every radius.
    pub(super) fn attacks(&self) -> Vec<EvaluationAttack> {
        swept(&self.attack, &self.radii())
    }

    /// The attacks and their worst cases.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let attacks = self.attacks();
        let worst = worst_cases(&attacks, &self.radii()).into_iter().map(Condition::WorstCase);
        attacks.iter().cloned().map(Condition::Attacked).chain(worst).collect()
    }

    /// Sentences on domains whose gradients are not to be trusted, by what the rows show.
    pub(super) fn hidden_gradients(&self, rows: &[Row]) -> Vec<String> {
        hidden_gradients::by_domain(&self.attacks(), rows)
    }
}
