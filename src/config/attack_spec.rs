//! Attacks in one word, as on the command line: `pgd:eps=4,step=1,iters=5`, and the rules that hold for each
//! kind.

use super::evaluation_attack::MEASURING_KINDS;
use super::{AttackConfig, AttackKind, AttackLoss, AttackStatistics, AttackTarget, schema};
use std::fmt::Write as _;

const KINDS: &[(&str, AttackKind)] = &[
    ("pgd", AttackKind::Pgd),
    ("ifgsm", AttackKind::Ifgsm),
    ("gd", AttackKind::Gd),
    ("fgsm", AttackKind::Fgsm),
    ("mifgsm", AttackKind::Mifgsm),
];

const KEYS: &[&str] = &["eps", "step", "iters", "start", "target", "decay"];

/// Largest epsilon and step, in 1/255.
const MAX_PIXEL: f32 = 255.0;
const MAX_ITERATIONS: u32 = 1000;

impl AttackConfig {
    /// Reads a SPEC. Keys: `eps` (default 1) and `step` (default 1) in 1/255, `iters` (default by AdvProp's
    /// rule), `start=on|off` (random start of pgd and gd, default on), `target=none|random_wrong`, `decay`
    /// (what mifgsm keeps of its accumulated gradient, 0 to 1, default 1). The attack of a SPEC is one on a
    /// finished model: running statistics and plain cross-entropy.
    pub fn parse_spec(spec: &str) -> Result<Self, String> {
        let (kind, pairs) = key_values(spec)?;
        if MEASURING_KINDS.contains(&kind) {
            return Err(format!(
                "{kind} only measures a finished model, in `dualprop eval` and `dualprop attack`; expected one \
                 of {}",
                kind_names().join(", ")
            ));
        }
        Self::of_parts(kind, &pairs, &[])
    }

    /// The attack of a SPEC's parts; `beside` are the kinds that a fault names besides its own.
    pub(super) fn of_parts(
        kind: &str,
        pairs: &[(&str, &str)],
        beside: &[&'static str],
    ) -> Result<Self, String> {
        let kind = KINDS.iter().find(|(name, _)| *name == kind).map(|(_, k)| *k).ok_or_else(|| {
            let names = [&kind_names(), beside].concat();
            let nearest = schema::nearest_choice(kind, &names);
            format!(
                "unknown attack \"{kind}\"; expected one of {}; the nearest is {nearest}",
                names.join(", ")
            )
        })?;
        let mut attack = Self {
            kind,
            bn_stats: AttackStatistics::Running,
            loss: AttackLoss::CrossEntropy,
            ..Self::default()
        };
        for (key, value) in pairs {
            attack.set_from_spec(key, value)?;
        }
        Ok(attack)
    }

    fn set_from_spec(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "eps" => self.epsilon = pixel_units(key, value)?,
            "step" => self.step = pixel_units(key, value)?,
            "iters" => {
                let iterations =
                    value.parse().ok().filter(|n| (1..=MAX_ITERATIONS).contains(n)).ok_or_else(|| {
                        format!("iters is \"{value}\"; expected a whole number from 1 to {MAX_ITERATIONS}")
                    })?;
                self.iterations = Some(iterations);
            }
            "start" => {
                self.random_start = match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(format!("start is \"{value}\"; expected on or off")),
                }
            }
            "target" => {
                self.target = match value {
                    "none" => AttackTarget::None,
                    "random_wrong" => AttackTarget::RandomWrong,
                    _ => return Err(format!("target is \"{value}\"; expected none or random_wrong")),
                }
            }
            "decay" => {
                self.decay = value
                    .parse()
                    .ok()
                    .filter(|v| (0.0..=1.0).contains(v))
                    .ok_or_else(|| format!("decay is \"{value}\"; expected a number from 0 to 1"))?;
            }
            _ => {
                let nearest = schema::nearest_choice(key, KEYS);
                let keys = KEYS.join(", ");
                return Err(format!(
                    "unknown key \"{key}\"; expected one of {keys}; the nearest is {nearest}"
                ));
            }
        }
        Ok(())
    }

    /// The SPEC of this attack; [`AttackConfig::parse_spec`] reads it back. `bn_stats` and `loss` are not
    /// part of it: they follow from where the attack is used.
    pub fn spec(&self) -> String {
        let name = KINDS.iter().find(|(_, k)| *k == self.kind).map_or("pgd", |(name, _)| *name);
        let mut spec = format!("{name}:eps={}", self.epsilon);
        if self.kind != AttackKind::Fgsm {
            let _ = write!(spec, ",step={},iters={}", self.step, self.iterations());
        }
        if matches!(self.kind, AttackKind::Pgd | AttackKind::Gd) && !self.random_start {
            spec.push_str(",start=off");
        }
        if self.has_momentum() {
            let _ = write!(spec, ",decay={}", self.decay);
        }
        if self.target == AttackTarget::RandomWrong {
            spec.push_str(",target=random_wrong");
        }
        spec
    }

    /// Gradient steps: as given, else AdvProp's rule (section 5.1), floor(ε)+1 and 1 where ε is at most 1.
    /// `fgsm` takes one.
    pub fn iterations(&self) -> u32 {
        match self.kind {
            AttackKind::Fgsm => 1,
            AttackKind::Pgd | AttackKind::Ifgsm | AttackKind::Gd | AttackKind::Mifgsm => {
                let by_rule = if self.epsilon <= 1.0 { 1 } else { self.epsilon.floor() as u32 + 1 };
                self.iterations.unwrap_or(by_rule)
            }
        }
    }

    /// Change of a pixel value in one iteration, 1/255; `fgsm` goes the whole ε at once.
    pub fn step_size(&self) -> f32 {
        match self.kind {
            AttackKind::Fgsm => self.epsilon,
            AttackKind::Pgd | AttackKind::Ifgsm | AttackKind::Gd | AttackKind::Mifgsm => self.step,
        }
    }

    /// A sentence where ε is so small that a share of the pixel range was probably meant.
    pub fn unit_caution(&self) -> Option<String> {
        let epsilon = self.epsilon;
        (epsilon > 0.0 && epsilon < 0.5).then(|| {
            let grey_levels = (epsilon * 255.0).round().max(1.0);
            format!(
                "eps = {epsilon} counts in 1/255 of the pixel range and is less than half a grey level; the share {epsilon} of the range is eps = {grey_levels}"
            )
        })
    }

    /// Whether the attack starts from a random point of the ε-ball.
    pub fn starts_from_noise(&self) -> bool {
        match self.kind {
            AttackKind::Pgd | AttackKind::Gd => self.random_start,
            AttackKind::Ifgsm | AttackKind::Fgsm | AttackKind::Mifgsm => false,
        }
    }

    /// Whether the steps follow the accumulated gradient of all iterations, not that of the last one alone.
    pub fn has_momentum(&self) -> bool {
        match self.kind {
            AttackKind::Mifgsm => true,
            AttackKind::Pgd | AttackKind::Ifgsm | AttackKind::Gd | AttackKind::Fgsm => false,
        }
    }

    /// Whether every iteration is clipped to the ε-ball around the clean image; `gd` is not (AdvProp, section
    /// 5.4).
    pub fn projects(&self) -> bool {
        match self.kind {
            AttackKind::Gd => false,
            AttackKind::Pgd | AttackKind::Ifgsm | AttackKind::Fgsm | AttackKind::Mifgsm => true,
        }
    }
}

fn kind_names() -> Vec<&'static str> {
    KINDS.iter().map(|(name, _)| *name).collect()
}

/// A SPEC's kind, and its keys with their values.
type KindAndKeys<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// A SPEC's kind and its keys with their values, each key once.
pub(super) fn key_values(spec: &str) -> Result<KindAndKeys<'_>, String> {
    let (kind, rest) = spec.split_once(':').unwrap_or((spec, ""));
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for part in rest.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (key, value) = part
            .split_once('=')
            .map(|(k, v)| (k.trim(), v.trim()))
            .ok_or_else(|| format!("\"{part}\" has no value; expected key=value, such as eps=4"))?;
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(format!("\"{key}\" is given twice"));
        }
        pairs.push((key, value));
    }
    Ok((kind.trim(), pairs))
}

/// A number of 1/255 of the pixel range.
pub(super) fn pixel_units(key: &str, value: &str) -> Result<f32, String> {
    value.parse::<f32>().ok().filter(|v| (0.0..=MAX_PIXEL).contains(v)).ok_or_else(|| {
        format!("{key} is \"{value}\"; expected a number from 0 to {MAX_PIXEL}, in 1/255 pixel units")
    })
}
