//! The distances between BN domains over training time, read from a run folder's `bn_stats.jsonl`, of a run
//! at work as of a finished one.

use crate::training::run_folder::{BnLine, Follower, RunFiles};
use std::path::Path;

/// A layer's distance from `main` at one step, nats: whole, of the means, of the variances. NaN where
/// unknown.
pub type DistanceParts = [f32; 3];

/// Distances by step, domain and layer.
#[derive(Debug, Default)]
pub struct BnHistory {
    /// BN layers from input to output.
    pub layers: Vec<String>,
    /// Domains; `main`, whose distance is 0, is the first.
    pub domains: Vec<String>,
    /// Steps at which the run validated, rising.
    pub steps: Vec<u64>,
    /// `[step][domain][layer]`
    pub distances: Vec<Vec<Vec<DistanceParts>>>,
    /// Grows with each change.
    pub generation: u64,
}

/// Reads what a run appends to its `bn_stats.jsonl`.
#[derive(Debug)]
pub struct BnFollower(Follower<BnLine>);

/// What one look at the file found, for [`BnHistory::add`].
#[derive(Debug, Default)]
pub struct NewDistances {
    /// A resumed run cut the lines past its checkpoint; these lines are the first of the file.
    was_cut: bool,
    lines: Vec<BnLine>,
    more: bool,
}

impl BnFollower {
    /// A follower of the run in `dir`, at the beginning of its file.
    pub fn of_run(dir: &Path) -> Self {
        Self(Follower::new(RunFiles::of(dir).bn_stats()))
    }

    /// Reads some of what has come since; a file that cannot be read has nothing new.
    pub fn read(&mut self) -> NewDistances {
        let was_cut = self.0.was_cut();
        if was_cut {
            self.0.restart();
        }
        let (lines, more) = self.0.read().unwrap_or_default();
        NewDistances { was_cut, lines, more }
    }
}

impl BnHistory {
    /// Takes in what a follower of the same file found; true while there is more to read at once.
    pub fn add(&mut self, new: NewDistances) -> bool {
        if new.was_cut {
            *self = Self { generation: self.generation + 1, ..Self::default() };
        }
        if !new.lines.is_empty() {
            self.generation += 1;
        }
        for line in new.lines {
            self.add_line(line);
        }
        new.more
    }

    fn add_line(&mut self, line: BnLine) {
        let index = |list: &mut Vec<String>, name: String| {
            list.iter().position(|known| *known == name).unwrap_or_else(|| {
                list.push(name);
                list.len() - 1
            })
        };
        let layer = index(&mut self.layers, line.layer);
        let domain = index(&mut self.domains, line.domain);
        if self.steps.last() != Some(&line.step) {
            self.steps.push(line.step);
            self.distances.push(Vec::new());
        }
        let Some(domains) = self.distances.last_mut() else { return };
        if domains.len() <= domain {
            domains.resize(domain + 1, Vec::new());
        }
        let layers = &mut domains[domain];
        if layers.len() <= layer {
            layers.resize(layer + 1, [f32::NAN; 3]);
        }
        let parts = [line.distance, line.distance_of_means, line.distance_of_variances];
        layers[layer] = parts.map(|part| part as f32);
    }

    /// The distance of a domain's layer at the `step`th validation; NaN where unknown.
    pub fn distance(&self, step: usize, domain: usize, layer: usize, part: usize) -> f32 {
        let layers = self.distances.get(step).and_then(|domains| domains.get(domain));
        layers.and_then(|layers| layers.get(layer)).map_or(f32::NAN, |parts| parts[part])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u64, layer: &str, domain: &str, distance: f64) -> String {
        format!(
            "{{\"step\":{step},\"layer\":{layer:?},\"domain\":{domain:?},\"distance\":{distance},\"distance_of_means\":0.25}}\n"
        )
    }

    #[test]
    fn a_file_that_grows_is_read_on_and_one_that_was_cut_afresh() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (mut history, mut follower) = (BnHistory::default(), BnFollower::of_run(dir.path()));
        assert!(!history.add(follower.read()), "there is no file yet");
        let path = RunFiles::of(dir.path()).bn_stats();
        let first =
            line(10, "bn1", "main", 0.0) + &line(10, "bn1", "aux", 0.5) + &line(10, "bn2", "aux", 1.0);
        std::fs::write(&path, format!("{first}{{\"step\":2")).expect("writable");
        assert!(!history.add(follower.read()));
        assert_eq!((history.steps.as_slice(), history.layers.len()), (&[10][..], 2));
        assert_eq!(history.distance(0, 1, 1, 0), 1.0);
        assert_eq!(history.distance(0, 1, 0, 1), 0.25);
        assert!(history.distance(0, 1, 0, 2).is_nan(), "a part that the file does not know");
        std::fs::write(&path, first.clone() + &line(20, "bn1", "aux", 2.0)).expect("writable");
        history.add(follower.read());
        assert_eq!(history.steps, [10, 20]);
        assert_eq!(history.distance(1, 1, 0, 0), 2.0);
        std::fs::write(&path, first).expect("writable");
        history.add(follower.read());
        assert_eq!(history.steps, [10]);
    }
}
