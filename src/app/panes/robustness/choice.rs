//! What is to be measured, from what the user chose to a request or the sentence that says what is wrong.

use super::RobustnessView;
use crate::config::EvaluationAttack;
use crate::evaluation::robustness::mce::SEVERITIES;
use crate::session::inspect::{MeasureRobustness, ModelInfo};

/// An attack that may be measured.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct AttackLine {
    pub on: bool,
    /// As typed.
    pub spec: String,
}

impl AttackLine {
    /// PGD as the command line's help has it, and a stronger attack that is off.
    pub fn proposed() -> Vec<Self> {
        let line = |on, spec: &str| Self { on, spec: spec.to_owned() };
        vec![line(true, "pgd:eps=4,step=1,iters=5"), line(false, "apgd:eps=4,iters=20")]
    }

    fn attack(&self, classes: usize) -> Result<EvaluationAttack, String> {
        let attack = EvaluationAttack::parse_spec(self.spec.trim());
        let attack = attack.map_err(|fault| format!("The attack “{}”: {fault}", self.spec.trim()))?;
        match attack.fault(classes) {
            Some(fault) => Err(format!("The attack “{}”: {fault}", self.spec.trim())),
            None => Ok(attack),
        }
    }
}

impl RobustnessView {
    /// The request for what is chosen, or what is wrong with it.
    pub(super) fn request(&self, info: &ModelInfo) -> Result<MeasureRobustness, String> {
        let mut attacks = Vec::new();
        for line in self.attacks.iter().filter(|line| line.on) {
            let attack = line.attack(info.classes.len())?;
            // What is said in other words would have rows of one name.
            if attacks.iter().any(|other: &EvaluationAttack| other.spec() == attack.spec()) {
                return Err(format!("{} is chosen twice; expected it once", attack.spec()));
            }
            attacks.push(attack);
        }
        let chosen = SEVERITIES.into_iter().zip(self.severities).filter(|(_, on)| *on);
        let severities: Vec<u8> = chosen.map(|(severity, _)| severity).collect();
        if severities.is_empty() && !self.corruptions.is_empty() {
            return Err("No severity is chosen; expected one of 1 to 5, or no corruption".to_owned());
        }
        Ok(MeasureRobustness {
            split: self.split.clone(),
            limit: self.limit,
            attacks,
            corruptions: self.corruptions.clone(),
            severities,
            parameters: self.parameters,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AttackConfig;

    fn info() -> ModelInfo {
        ModelInfo {
            arch: "resnet18".into(),
            step: 0,
            classes: ["a", "b", "c"].map(String::from).to_vec(),
            domains: vec!["main".into()],
            views: vec!["main".into()],
            image_size: 32,
            attack: AttackConfig::default(),
            splits: vec![("val".into(), 10)],
            data_fault: None,
            taken_for: None,
            bn_layers: Vec::new(),
        }
    }

    #[test]
    fn what_is_wrong_is_one_sentence_that_names_it() {
        let of = |change: fn(&mut RobustnessView)| {
            let mut view = RobustnessView::default();
            change(&mut view);
            view.request(&info())
        };
        let asked = of(|_| {}).expect("the default can be measured");
        let specs: Vec<String> = asked.attacks.iter().map(EvaluationAttack::spec).collect();
        assert_eq!(specs, ["pgd:eps=4,step=1,iters=5"]);
        assert_eq!((asked.corruptions.len(), asked.severities, asked.limit), (15, vec![1, 2, 3, 4, 5], 200));
        let fault = of(|view| view.attacks[0].spec = "pgd:epz=4".into()).unwrap_err();
        assert!(fault.starts_with("The attack “pgd:epz=4”: ") && fault.contains("eps"), "{fault}");
        let fault = of(|view| view.attacks[0].spec = "apgd-t:eps=4".into()).unwrap_err();
        assert!(fault.contains("classes"), "{fault}");
        let twice = |view: &mut RobustnessView| {
            view.attacks[1] = AttackLine { on: true, spec: " pgd:eps=4".into() };
        };
        assert!(of(twice).unwrap_err().contains("twice"));
        assert!(of(|view| view.severities = [false; 5]).unwrap_err().contains("No severity"));
        let clean = of(|view| {
            (view.severities, view.corruptions) = ([false; 5], Vec::new());
            view.attacks.iter_mut().for_each(|line| (line.on, line.spec) = (false, "?".into()));
        });
        assert!(clean.is_ok_and(|asked| asked.attacks.is_empty()), "what is off is not read");
    }
}
