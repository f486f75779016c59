//! Whether measured accuracies show that a model hides its gradients: that attacks which follow them end
//! early for want of a gradient and not of adversarial images. The signs are those of Athalye et al. 2018,
//! section 3.1.

use super::robustness::row::Row;
use crate::config::{Attacker, EvaluationAttack};
use std::collections::BTreeSet;

/// Points of accuracy, 0..1, by which a stronger-than-expected attack must be ahead: less is chance and
/// choice.
const MARKED: f32 = 0.05;

/// An attack and the accuracy that it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The attack.
    pub attack: &'a EvaluationAttack,
    /// Share of the images that are still right, 0..1.
    pub top1: f32,
    /// Images measured.
    pub images: usize,
}

impl Attempt<'_> {
    /// Whether this one leaves so much less right than the other that chance does not explain it: the share
    /// by which they differ is above [`MARKED`] and two standard errors of a difference of shares.
    fn is_ahead_of(&self, other: &Self) -> bool {
        let variance = |attempt: &Self| attempt.top1 * (1.0 - attempt.top1) / attempt.images.max(1) as f32;
        let noise = 2.0 * (variance(self) + variance(other)).sqrt();
        other.top1 - self.top1 > MARKED.max(noise)
    }
}

/// A sentence where one of the attempts, all of one model through one domain, shows that its gradients are
/// not to be trusted.
pub fn sign(attempts: &[Attempt<'_>]) -> Option<String> {
    let pairs = || attempts.iter().flat_map(|one| attempts.iter().map(move |other| (one, other)));
    let sight = pairs().find_map(|(blind, seeing)| {
        let comparable = !blind.attack.follows_gradients()
            && seeing.attack.follows_gradients()
            && blind.attack.epsilon() <= seeing.attack.epsilon();
        (comparable && blind.is_ahead_of(seeing)).then(|| {
            let why = "which sees no gradient, finds more than";
            said(blind, why, seeing)
        })
    });
    let size = || {
        pairs().find_map(|(smaller, larger)| {
            let same = smaller.attack.with_epsilon(0.0) == larger.attack.with_epsilon(0.0);
            let comparable = same && smaller.attack.epsilon() < larger.attack.epsilon();
            (comparable && smaller.is_ahead_of(larger))
                .then(|| said(smaller, "whose ball lies within the other's, finds more than", larger))
        })
    };
    let saturation = || {
        pairs().find_map(|(ratio, entropy)| {
            let comparable = is_free_of_scale(ratio.attack)
                && entropy.attack.follows_gradients()
                && !is_free_of_scale(entropy.attack)
                && ratio.attack.epsilon() <= entropy.attack.epsilon();
            // A targeted attack is the stronger one of most models, by a little.
            let marked = entropy.top1 - ratio.top1 > 0.5 * entropy.top1;
            (comparable && marked && ratio.is_ahead_of(entropy))
                .then(|| said(ratio, "whose loss does not saturate, finds far more than", entropy))
        })
    };
    sight.or_else(size).or_else(saturation)
}

/// A sentence for each domain whose gradients the rows of `attacks` show not to be trustworthy.
pub fn by_domain(attacks: &[EvaluationAttack], rows: &[Row]) -> Vec<String> {
    let specs: Vec<String> = attacks.iter().map(EvaluationAttack::spec).collect();
    let domains: BTreeSet<&str> = rows.iter().map(|row| row.domain.as_str()).collect();
    let of_domain = |domain: &str| {
        let rows = rows.iter().filter(|row| row.domain == domain && row.corruption.is_none());
        let attempt = |row: &Row| {
            let place = specs.iter().position(|spec| row.attack.as_ref() == Some(spec))?;
            Some(Attempt { attack: &attacks[place], top1: row.top1, images: row.images })
        };
        let sign = sign(&rows.filter_map(attempt).collect::<Vec<_>>())?;
        Some(format!("domain {domain}: {sign}"))
    };
    domains.into_iter().filter_map(of_domain).collect()
}

fn said(ahead: &Attempt<'_>, why: &str, behind: &Attempt<'_>) -> String {
    format!(
        "the gradients of this model are hidden or not to be trusted: {}, {why} {} ({:.1}% against {:.1}% right); \
         take the worst case of several attacks",
        ahead.attack.spec(),
        behind.attack.spec(),
        100.0 * ahead.top1,
        100.0 * behind.top1
    )
}

fn is_free_of_scale(attack: &EvaluationAttack) -> bool {
    use crate::config::ApgdLoss;
    matches!(&attack.attacker, Attacker::Apgd(apgd) if apgd.loss == ApgdLoss::TargetedDlr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_of(attempts: &[(&str, f32)], images: usize) -> Option<String> {
        let attacks: Vec<EvaluationAttack> =
            attempts.iter().map(|(spec, _)| EvaluationAttack::parse_spec(spec).unwrap()).collect();
        let attempts: Vec<Attempt<'_>> = attacks
            .iter()
            .zip(attempts)
            .map(|(attack, (_, top1))| Attempt { attack, top1: *top1, images })
            .collect();
        sign(&attempts)
    }

    #[test]
    fn an_attack_without_sight_that_finds_more_is_a_sign() {
        let (pgd, square) = ("pgd:eps=4,step=1,iters=10", "square:eps=4,queries=100");
        let text = sign_of(&[(pgd, 0.9), (square, 0.3)], 500).unwrap();
        assert!(text.contains("square:eps=4,queries=100, which sees no gradient"), "{text}");
        assert!(text.contains("30.0% against 90.0%"), "{text}");
        assert_eq!(sign_of(&[(pgd, 0.2), (square, 0.3)], 500), None);
        assert_eq!(sign_of(&[(pgd, 0.33), (square, 0.3)], 500), None, "a little less");
        assert_eq!(sign_of(&[(pgd, 0.6), (square, 0.3)], 10), None, "too few images");
        assert_eq!(sign_of(&[(pgd, 0.9), ("square:eps=16", 0.3)], 500), None, "a larger ball");
    }

    #[test]
    fn a_larger_ball_that_holds_less_is_a_sign() {
        let text =
            sign_of(&[("pgd:eps=8,step=1,iters=9", 0.6), ("pgd:eps=4,step=1,iters=9", 0.4)], 500).unwrap();
        assert!(text.contains("pgd:eps=4,step=1,iters=9, whose ball lies within"), "{text}");
        assert_eq!(sign_of(&[("pgd:eps=4,iters=9", 0.6), ("pgd:eps=8,iters=9", 0.4)], 500), None);
    }

    #[test]
    fn a_loss_that_does_not_saturate_and_finds_far_more_is_a_sign() {
        let (entropy, ratio) = ("apgd:eps=4,iters=20", "apgd-t:eps=4,iters=20");
        assert!(sign_of(&[(entropy, 0.8), (ratio, 0.1)], 500).unwrap().contains("does not saturate"));
        assert_eq!(sign_of(&[(entropy, 0.5), (ratio, 0.42)], 2000), None, "as much as usual");
    }
}
