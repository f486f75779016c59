//! Attacks on a finished model: those that train too, and the stronger ones that only measure.

use super::attack_spec::{key_values, pixel_units};
use super::{AttackConfig, schema};
use std::fmt::Write as _;

/// Random starts of one attack at most.
const MAX_RESTARTS: u32 = 1000;
const MAX_ITERATIONS: u32 = 10_000;
const MAX_QUERIES: u32 = 100_000;

/// The kinds that only evaluation has, in the words of a SPEC.
pub(super) const MEASURING_KINDS: [&str; 3] = ["apgd", "apgd-t", "square"];

/// An attack that measures a model: an attacker, and how often it begins anew.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationAttack {
    /// The attacker.
    pub attacker: Attacker,
    /// Random starts, 1 or more. An image counts as right where it is right after each of them.
    pub restarts: u32,
}

/// What attacks.
#[derive(Clone, Debug, PartialEq)]
pub enum Attacker {
    /// Steps of one size along the gradient's sign, as in training.
    Signs(AttackConfig),
    /// Auto-PGD (Croce & Hein 2020).
    Apgd(Apgd),
    /// The Square attack (Andriushchenko et al. 2020).
    Square(Square),
}

/// Auto-PGD: steps that halve where the loss stops rising. It needs no step size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apgd {
    /// Radius of the L∞ ball, 1/255.
    pub epsilon: f32,
    /// Steps of one start, 1 or more.
    pub iterations: u32,
    /// The loss that it raises.
    pub loss: ApgdLoss,
    /// Whether it starts from noise, or else from the clean image.
    pub random_start: bool,
}

/// The losses of Auto-PGD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApgdLoss {
    /// Cross-entropy of the true class (`apgd`).
    CrossEntropy,
    /// The difference of logits ratio towards one other class after another, the most probable first
    /// (`apgd-t`).
    TargetedDlr,
}

/// The Square attack, which sees logits and no gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Square {
    /// Radius of the L∞ ball, 1/255.
    pub epsilon: f32,
    /// Forward passes of one start, 1 or more.
    pub queries: u32,
}

impl From<AttackConfig> for EvaluationAttack {
    fn from(attack: AttackConfig) -> Self {
        Self { attacker: Attacker::Signs(attack), restarts: 1 }
    }
}

impl EvaluationAttack {
    /// Reads a SPEC: one of [`AttackConfig::parse_spec`], or `apgd`, `apgd-t` (`eps` in 1/255, default 1;
    /// `iters`, default 100; `start=on|off`) or `square` (`eps`; `queries`, default 1000), and with any of
    /// them `restarts` (default 1).
    pub fn parse_spec(spec: &str) -> Result<Self, String> {
        let (kind, pairs) = key_values(spec)?;
        let mut restarts = 1;
        let mut others = Vec::new();
        for (key, value) in pairs {
            match key {
                "restarts" => restarts = whole(key, value, MAX_RESTARTS)?,
                _ => others.push((key, value)),
            }
        }
        let attacker = match kind {
            "apgd" => Attacker::Apgd(Apgd::parse(ApgdLoss::CrossEntropy, &others)?),
            "apgd-t" => Attacker::Apgd(Apgd::parse(ApgdLoss::TargetedDlr, &others)?),
            "square" => Attacker::Square(Square::parse(&others)?),
            _ => Attacker::Signs(AttackConfig::of_parts(kind, &others, &MEASURING_KINDS)?),
        };
        let draws = match &attacker {
            Attacker::Signs(attack) => {
                attack.starts_from_noise() || attack.target == super::AttackTarget::RandomWrong
            }
            Attacker::Apgd(apgd) => apgd.random_start,
            Attacker::Square(_) => true,
        };
        if restarts > 1 && !draws {
            return Err(format!(
                "restarts is {restarts}, but this attack draws nothing and would end at the same image each \
                 time; expected an attack with a random start, such as pgd"
            ));
        }
        Ok(Self { attacker, restarts })
    }

    /// The SPEC of this attack; [`Self::parse_spec`] reads it back.
    pub fn spec(&self) -> String {
        let mut spec = match &self.attacker {
            Attacker::Signs(attack) => attack.spec(),
            Attacker::Apgd(Apgd { epsilon, iterations, loss, random_start }) => {
                let name = match loss {
                    ApgdLoss::CrossEntropy => "apgd",
                    ApgdLoss::TargetedDlr => "apgd-t",
                };
                let start = if *random_start { "" } else { ",start=off" };
                format!("{name}:eps={epsilon},iters={iterations}{start}")
            }
            Attacker::Square(Square { epsilon, queries }) => {
                format!("square:eps={epsilon},queries={queries}")
            }
        };
        if self.restarts > 1 {
            let _ = write!(spec, ",restarts={}", self.restarts);
        }
        spec
    }

    /// Radius of the ball, 1/255.
    pub fn epsilon(&self) -> f32 {
        match &self.attacker {
            Attacker::Signs(attack) => attack.epsilon,
            Attacker::Apgd(apgd) => apgd.epsilon,
            Attacker::Square(square) => square.epsilon,
        }
    }

    /// The same attack with another radius in 1/255; iterations that follow AdvProp's rule follow it.
    pub fn with_epsilon(&self, epsilon: f32) -> Self {
        let mut changed = self.clone();
        match &mut changed.attacker {
            Attacker::Signs(attack) => attack.epsilon = epsilon,
            Attacker::Apgd(apgd) => apgd.epsilon = epsilon,
            Attacker::Square(square) => square.epsilon = epsilon,
        }
        changed
    }

    /// Whether the result lies within the ball; only gd leaves it.
    pub fn projects(&self) -> bool {
        match &self.attacker {
            Attacker::Signs(attack) => attack.projects(),
            Attacker::Apgd(_) | Attacker::Square(_) => true,
        }
    }

    /// Whether the attack follows gradients.
    pub fn follows_gradients(&self) -> bool {
        !matches!(self.attacker, Attacker::Square(_))
    }

    /// A sentence where ε is so small that a share of the pixel range was probably meant.
    pub fn unit_caution(&self) -> Option<String> {
        AttackConfig { epsilon: self.epsilon(), ..AttackConfig::default() }.unit_caution()
    }
}

impl Apgd {
    fn parse(loss: ApgdLoss, pairs: &[(&str, &str)]) -> Result<Self, String> {
        let mut attack = Self { epsilon: 1.0, iterations: 100, loss, random_start: true };
        for (key, value) in pairs {
            match *key {
                "eps" => attack.epsilon = pixel_units(key, value)?,
                "iters" => attack.iterations = whole(key, value, MAX_ITERATIONS)?,
                "start" => {
                    attack.random_start = match *value {
                        "on" => true,
                        "off" => false,
                        _ => return Err(format!("start is \"{value}\"; expected on or off")),
                    }
                }
                _ => return Err(unknown_key(key, &["eps", "iters", "start", "restarts"])),
            }
        }
        Ok(attack)
    }
}

impl Square {
    fn parse(pairs: &[(&str, &str)]) -> Result<Self, String> {
        let mut attack = Self { epsilon: 1.0, queries: 1000 };
        for (key, value) in pairs {
            match *key {
                "eps" => attack.epsilon = pixel_units(key, value)?,
                "queries" => attack.queries = whole(key, value, MAX_QUERIES)?,
                _ => return Err(unknown_key(key, &["eps", "queries", "restarts"])),
            }
        }
        Ok(attack)
    }
}

fn unknown_key(key: &str, keys: &[&'static str]) -> String {
    let nearest = schema::nearest_choice(key, keys);
    format!("unknown key \"{key}\"; expected one of {}; the nearest is {nearest}", keys.join(", "))
}

fn whole(key: &str, value: &str, most: u32) -> Result<u32, String> {
    value
        .parse()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| format!("{key} is \"{value}\"; expected a whole number from 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_printed_as_they_are_read() {
        for spec in [
            "pgd:eps=4,step=1,iters=5",
            "pgd:eps=8,step=2,iters=20,restarts=5",
            "apgd:eps=4,iters=100",
            "apgd:eps=0.5,iters=20,start=off",
            "apgd-t:eps=8,iters=50,restarts=2",
            "square:eps=4,queries=1000",
            "square:eps=4,queries=100,restarts=3",
        ] {
            let attack = EvaluationAttack::parse_spec(spec).unwrap();
            assert_eq!(attack.spec(), spec);
            assert_eq!(attack.with_epsilon(2.0).epsilon(), 2.0, "{spec}");
        }
        let by_rule = EvaluationAttack::parse_spec("pgd:eps=4").unwrap().with_epsilon(8.0);
        assert_eq!(by_rule.spec(), "pgd:eps=8,step=1,iters=9");
    }

    #[test]
    fn faults_name_the_key_and_what_was_expected() {
        for (spec, words) in [
            ("apgd:step=1", "unknown key \"step\"; expected one of eps, iters, start, restarts"),
            ("square:query=5", "the nearest is queries"),
            ("square:queries=0", "expected a whole number from 1 to 100000"),
            ("pgd:restarts=0", "restarts is \"0\""),
            ("ifgsm:eps=4,restarts=3", "draws nothing"),
            ("apgd:start=off,restarts=2", "draws nothing"),
            ("apgd:eps=4,eps=8", "\"eps\" is given twice"),
            ("agpd:eps=4", "expected one of pgd, ifgsm, gd, fgsm, mifgsm, apgd, apgd-t, square"),
        ] {
            let fault = EvaluationAttack::parse_spec(spec).unwrap_err();
            assert!(fault.contains(words), "{spec}: {fault}");
        }
    }

    #[test]
    fn training_says_that_these_attacks_only_measure() {
        for spec in ["apgd:eps=4", "apgd-t", "square:eps=4,queries=10"] {
            let fault = AttackConfig::parse_spec(spec).unwrap_err();
            assert!(fault.contains("only measures a finished model"), "{fault}");
        }
        let fault = AttackConfig::parse_spec("pgd:restarts=2").unwrap_err();
        assert!(fault.contains("restarts"), "{fault}");
    }
}
