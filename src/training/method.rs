//! A training method as data: a list of branches. Each takes images from a source through shared weights and its own
//! BN domain, and adds a weighted loss. The trainer knows branches only, never a method's name.

use crate::config::{AttackConfig, MethodConfig, MethodKind};

/// Where a branch's images come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Clean,
    /// The clean images, attacked through the branch's own domain.
    Attack(AttackConfig),
    /// Images 0..`mixed` of the batch mixed with their partners, the rest as they are.
    Mixup {
        mixed: Share,
    },
}

/// How much of a batch is mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The first half, rounded down (the mixup baseline of the MixProp paper).
    Half,
    All,
}

impl Share {
    pub fn of(self, images: usize) -> usize {
        match self {
            Self::Half => images / 2,
            Self::All => images,
        }
    }
}

/// One term of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    pub source: Source,
    /// Index of the BN domain.
    pub domain: usize,
    /// Weight of the mean loss over the branch's images.
    pub weight: f32,
}

/// Branches in order of domain, those of one domain side by side: they share one batch and its statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    pub branches: Vec<Branch>,
    pub domains: usize,
}

/// `main`, `aux`, `aux2`, `aux3`, …
pub fn domain_name(domain: usize) -> String {
    match domain {
        0 => "main".to_owned(),
        1 => "aux".to_owned(),
        n => format!("aux{n}"),
    }
}

impl Method {
    /// The branches of a configured method; config validation has refused those of later versions.
    pub fn from_config(config: &MethodConfig) -> anyhow::Result<Self> {
        let clean = |domain, weight| Branch { source: Source::Clean, domain, weight };
        let attack = |domain, weight| {
            let source = Source::Attack(config.attack.clone());
            Branch { source, domain, weight }
        };
        let mixup = |mixed, domain, weight| Branch { source: Source::Mixup { mixed }, domain, weight };
        let aux = config.aux_weight;
        let branches = match config.kind {
            MethodKind::Vanilla => vec![clean(0, 1.0)],
            MethodKind::Adversarial => vec![attack(0, 1.0)],
            MethodKind::AdversarialMix => vec![clean(0, 1.0), attack(0, aux)],
            MethodKind::Mixup => vec![mixup(Share::Half, 0, 1.0)],
            MethodKind::Mixprop => vec![clean(0, 1.0), mixup(Share::All, 1, aux)],
            MethodKind::Advprop => vec![clean(0, 1.0), attack(1, aux)],
            MethodKind::AdversarialFinetune | MethodKind::AdvpropFineGrained | MethodKind::FastAdvprop => {
                anyhow::bail!("method.kind: this method is not in this version yet")
            }
        };
        let domains = branches.iter().map(|b| b.domain + 1).max().unwrap_or(1);
        Ok(Self { branches, domains })
    }

    pub fn domain_names(&self) -> Vec<String> {
        (0..self.domains).map(domain_name).collect()
    }

    /// Branch indices of each pass when every domain goes alone.
    pub fn by_domain(&self) -> Vec<std::ops::Range<usize>> {
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, branch) in self.branches.iter().enumerate() {
            match ranges.last_mut() {
                Some(last) if self.branches[last.start].domain == branch.domain => last.end = index + 1,
                _ => ranges.push(index..index + 1),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_of_one_domain_share_a_pass() {
        let method = |kind| Method::from_config(&MethodConfig { kind, ..MethodConfig::default() }).unwrap();
        assert_eq!(method(MethodKind::AdversarialMix).by_domain(), vec![0..2]);
        assert_eq!(method(MethodKind::Advprop).by_domain(), vec![0..1, 1..2]);
        assert_eq!(method(MethodKind::Mixprop).domain_names(), ["main", "aux"]);
        assert_eq!(method(MethodKind::Mixup).domains, 1);
    }
}
