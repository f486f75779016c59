//! What the method's keys must fulfil together with the batch, the data and each other.

use super::validate::fault;
use super::{
    AttackLoss, AttackStatistics, AttackTarget, Augmentation, BranchSource, Config, ConfigError, Domain,
    MAX_BRANCHES, MethodKind,
};

impl Config {
    pub(super) fn validate_method(&self) -> Result<(), ConfigError> {
        let method = &self.method;
        let micro_batch = self.run.batch_size / self.run.accumulate;
        let own = !method.branch.is_empty();
        if own {
            self.validate_branches(micro_batch)?;
        }
        let has = |source| method.branch.iter().any(|b| b.source == source);
        let of_kind = |kinds: &[MethodKind]| !own && kinds.contains(&method.kind);
        let mixes = has(BranchSource::Mixup)
            || has(BranchSource::Cutmix)
            || of_kind(&[MethodKind::Mixup, MethodKind::Mixprop]);
        if (mixes || of_kind(&[MethodKind::FastAdvprop])) && micro_batch < 2 {
            return fault(
                "run.batch_size",
                format!(
                    "`run.batch_size` / `run.accumulate` is {micro_batch}; this method needs at least 2 images at a time"
                ),
            );
        }
        let policy = [Augmentation::Autoaugment, Augmentation::Randaugment, Augmentation::Cutout];
        let two_views = has(BranchSource::Augmented) || of_kind(&[MethodKind::AdvpropFineGrained]);
        if two_views && !self.data.augment.iter().any(|a| policy.contains(a)) {
            return fault(
                "data.augment",
                "`data.augment` names no policy for the augmented branch; expected autoaugment, randaugment or cutout in it",
            );
        }
        if has(BranchSource::Corrupted) {
            let corrupted = &method.corrupted;
            for (key, is_empty) in [
                ("method.corrupted.corruptions", corrupted.corruptions.is_empty()),
                ("method.corrupted.severity", corrupted.severity.is_empty()),
            ] {
                if is_empty {
                    return fault(key, format!("`{key}` is empty; a corrupted branch expects at least one"));
                }
            }
        }
        self.validate_through(own)?;
        if of_kind(&[MethodKind::FastAdvprop]) { self.validate_recycling() } else { Ok(()) }
    }

    fn validate_branches(&self, micro_batch: usize) -> Result<(), ConfigError> {
        let branches = &self.method.branch;
        if branches.len() > MAX_BRANCHES {
            return fault(
                "method.branch",
                format!("[[method.branch]] stands {} times; expected at most {MAX_BRANCHES}", branches.len()),
            );
        }
        let used = |domain: Domain| branches.iter().any(|b| b.domain == domain);
        if let Some(gap) = Domain::ALL.windows(2).find(|pair| used(pair[1]) && !used(pair[0])) {
            return fault(
                "method.branch",
                format!(
                    "[[method.branch]] uses the domain {} but not {}; expected {} without a gap",
                    gap[1],
                    gap[0],
                    Domain::NAMES.join(", ")
                ),
            );
        }
        if branches.iter().all(|b| b.weight == 0.0) {
            return fault("method.branch", "every `method.branch.weight` is 0; expected one above 0");
        }
        if let Some(small) = branches.iter().find(|b| f64::from(b.share) * (micro_batch as f64) < 0.5) {
            return fault(
                "method.branch",
                format!(
                    "`method.branch.share` = {} of {micro_batch} images is none; expected a larger share or batch",
                    small.share
                ),
            );
        }
        Ok(())
    }

    fn validate_through(&self, own: bool) -> Result<(), ConfigError> {
        let Some(through) = self.method.attack.through else { return Ok(()) };
        let trained = if own {
            self.method.branch.iter().any(|b| b.domain == through)
        } else {
            match self.method.kind {
                MethodKind::Mixprop | MethodKind::Advprop | MethodKind::FastAdvprop => through.index() < 2,
                MethodKind::AdvpropFineGrained => through.index() < 3,
                _ => through == Domain::Main,
            }
        };
        if trained {
            return Ok(());
        }
        fault(
            "method.attack.through",
            "`method.attack.through` names a domain that the method does not train; expected one of its own domains",
        )
    }

    /// One pass both attacks and trains, so it must be a training pass (Fast AdvProp, section 3.3).
    fn validate_recycling(&self) -> Result<(), ConfigError> {
        let attack = &self.method.attack;
        let needs = |key: &str, expected: &str| {
            fault(
                key,
                format!(
                    "`method.kind` = \"fast_advprop\" trains with the attack's own pass; it expects `{key}` = {expected}"
                ),
            )
        };
        if attack.iterations() != 1 {
            return needs("method.attack.iterations", "1");
        }
        if attack.target != AttackTarget::None {
            return needs("method.attack.target", "\"none\"");
        }
        if attack.bn_stats != AttackStatistics::Batch {
            return needs("method.attack.bn_stats", "\"batch\"");
        }
        if attack.loss != AttackLoss::Training && self.loss.label_smoothing > 0.0 {
            return needs("method.attack.loss", "\"training\" with `loss.label_smoothing` above 0");
        }
        if self.method.aux_weight != 1.0 {
            return needs("method.aux_weight", "1");
        }
        if attack.through.is_some_and(|through| through != Domain::Aux) {
            return needs("method.attack.through", "\"aux\"");
        }
        Ok(())
    }
}
