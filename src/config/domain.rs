//! Batch-norm domains: how many a configuration may name, and what they are called everywhere.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The word for the choice of a domain by image at test time, in commands, files and the window.
pub const AUTO: &str = "auto";

/// A batch-norm domain: running statistics and affine parameters of its own in every BN layer, beside weights
/// that all domains share (AdvProp, section 4.2). The index is its place in the network's arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// The domain of clean images, with which a model is deployed.
    Main,
    /// The first auxiliary domain: attacked images in AdvProp, mixed ones in MixProp.
    Aux,
    /// The second auxiliary domain: the augmented images of fine-grained AdvProp.
    Aux2,
    /// A third auxiliary domain, for methods of the user's own.
    Aux3,
}

impl Domain {
    /// All domains that a configuration can name, by index.
    pub const ALL: [Self; 4] = [Self::Main, Self::Aux, Self::Aux2, Self::Aux3];
    /// Their names, by index.
    pub const NAMES: [&str; 4] = [Self::Main.name(), Self::Aux.name(), Self::Aux2.name(), Self::Aux3.name()];

    /// The name in files, on the command line and in the window.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Aux => "aux",
            Self::Aux2 => "aux2",
            Self::Aux3 => "aux3",
        }
    }

    /// The place in the network's arrays of domains; 0 is main.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The domain at `index`, where a configuration can name it.
    pub fn of_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// The name of the domain at `index`. An imported network may have more domains than a configuration can
    /// name; they are counted on.
    pub fn name_of(index: usize) -> String {
        Self::of_index(index).map_or_else(|| format!("aux{index}"), |domain| domain.name().to_owned())
    }

    /// The names of the first `count` domains: `main`, `aux`, `aux2`, …
    pub fn names_of(count: usize) -> Vec<String> {
        (0..count).map(Self::name_of).collect()
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Domain {
    type Err = String;

    /// Reads a name; the error says what was expected.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|domain| domain.name() == name);
        found.ok_or_else(|| format!("\"{name}\" is no BN domain; expected one of {}", Self::NAMES.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_indices_lead_to_each_other() {
        for (index, domain) in Domain::ALL.into_iter().enumerate() {
            assert_eq!((domain.index(), Domain::of_index(index)), (index, Some(domain)));
            assert_eq!((domain.name().parse(), Domain::NAMES[index]), (Ok(domain), domain.name()));
            let in_a_file = toml::Value::try_from(domain).expect("a word");
            assert_eq!(in_a_file.as_str(), Some(domain.name()));
        }
        assert_eq!(Domain::names_of(6), ["main", "aux", "aux2", "aux3", "aux4", "aux5"]);
        assert!("aux4".parse::<Domain>().is_err_and(|sentence| sentence.contains("main, aux, aux2, aux3")));
    }
}
