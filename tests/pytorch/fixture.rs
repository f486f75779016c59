//! Reads the fixture files and compares tensors. All tolerances of these tests stand here.

use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Relative L2 differences that a test accepts. The files record how far PyTorch's float32 is from its
/// float64; these are at least ten times that, since another order of sums moves results as far as another
/// precision does.
pub(crate) struct Tolerance {
    pub(crate) logits: f64,
    pub(crate) loss: f64,
    pub(crate) gradient: f64,
    pub(crate) running: f64,
}

pub(crate) const NETS: Tolerance = Tolerance {
    // float32 PyTorch: up to 2e-6.
    logits: 5e-5,
    loss: 1e-5,
    // float32 PyTorch: up to 4e-5, where batch norm over few rows cancels.
    gradient: 1e-3,
    // float32 PyTorch: up to 1e-6.
    running: 2e-5,
};

/// Ten steps: every file records differences of float32 PyTorch, and of starts moved by rounding, below 1e-5
/// (losses) and 1e-3 (changes); single tensors lie up to 5e-3 off there. Ten times that, capped by the
/// contract's 1e-3 and 2%.
pub(crate) const TRAINING: Tolerance = Tolerance { logits: 0.0, loss: 1e-4, gradient: 2e-2, running: 1e-2 };

/// One tensor of a file.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<f32>,
}

pub(crate) struct Fixture {
    pub(crate) tensors: BTreeMap<String, Values>,
    pub(crate) metadata: BTreeMap<String, String>,
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

impl Fixture {
    pub(crate) fn read(path: &str) -> Self {
        let bytes = std::fs::read(folder().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(name, view)| {
                let raw = view.data();
                let data = match view.dtype() {
                    Dtype::F32 => {
                        raw.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
                    }
                    Dtype::U8 => raw.iter().map(|b| f32::from(*b)).collect(),
                    Dtype::I8 => raw.iter().map(|b| f32::from(*b as i8)).collect(),
                    Dtype::I32 => raw
                        .chunks_exact(4)
                        .map(|b| i32::from_le_bytes(b.try_into().unwrap()) as f32)
                        .collect(),
                    other => panic!("{path}: {name} has dtype {other:?}"),
                };
                (name, Values { shape: view.shape().to_vec(), data })
            })
            .collect();
        Self { tensors, metadata }
    }

    pub(crate) fn get(&self, name: &str) -> &Values {
        self.tensors.get(name).unwrap_or_else(|| panic!("the fixture has no tensor {name}"))
    }

    pub(crate) fn json(&self, key: &str) -> serde_json::Value {
        let text = self.metadata.get(key).unwrap_or_else(|| panic!("the fixture has no metadata {key}"));
        serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.clone()))
    }

    pub(crate) fn number(&self, key: &str) -> f64 {
        self.json(key).as_f64().unwrap_or_else(|| panic!("{key} is not a number"))
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.metadata[key].clone()
    }
}

/// Relative L2 difference of `found` from `expected`.
pub(crate) fn relative(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |a: f64| a * a;
    let difference: f64 =
        found.iter().zip(expected).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    let size: f64 = expected.iter().map(|b| square(f64::from(*b))).sum();
    if difference.is_nan() { f64::INFINITY } else { (difference / size.max(1e-30)).sqrt() }
}

/// Gathers every difference above its limit, so that one run shows them all.
#[derive(Default)]
pub(crate) struct Report {
    problems: Vec<String>,
    worst: BTreeMap<&'static str, f64>,
}

impl Report {
    pub(crate) fn check(
        &mut self,
        kind: &'static str,
        name: &str,
        found: &[f32],
        expected: &[f32],
        limit: f64,
    ) {
        let difference = relative(found, expected);
        let worst = self.worst.entry(kind).or_default();
        *worst = worst.max(difference);
        if difference > limit {
            self.problems
                .push(format!("{kind} {name}: relative difference {difference:.2e}, limit {limit:.0e}"));
        }
    }

    pub(crate) fn finish(self, case: &str) {
        println!("{case}: worst {:?}", self.worst);
        assert!(!self.worst.is_empty(), "{case}: nothing was compared");
        assert!(self.problems.is_empty(), "{case}:\n{}", self.problems.join("\n"));
    }
}
