//! Weights of other tools: a state dict's names and shapes held against those of an architecture.

use super::tensor_file::Tensor;
use anyhow::{anyhow, bail};
use std::collections::{BTreeMap, BTreeSet};

/// Names listed in one message; the rest is counted.
const LISTED: usize = 8;

/// BN domains in a state dict: one for the main names, and one for each `X.aux_bn.K`.
pub fn domains(tensors: &BTreeMap<String, Tensor>) -> anyhow::Result<usize> {
    let mut numbers = BTreeSet::new();
    for name in tensors.keys() {
        if let Some((_, rest)) = name.split_once(".aux_bn.") {
            let number = rest.split('.').next().and_then(|n| n.parse::<usize>().ok());
            numbers.insert(number.ok_or_else(|| anyhow!("tensor \"{name}\" has no number after aux_bn"))?);
        }
    }
    if numbers.iter().copied().ne(0..numbers.len()) {
        bail!("auxiliary BN domains {numbers:?} have gaps; expected aux_bn.0, aux_bn.1 and so on");
    }
    Ok(1 + numbers.len())
}

/// Holds every tensor against the expected names and shapes; the error lists what is unknown, missing or of
/// another shape.
pub fn check(
    tensors: &BTreeMap<String, Tensor>,
    expected: &[(String, Vec<usize>)],
    arch: &str,
) -> anyhow::Result<()> {
    let expected: BTreeMap<&str, &[usize]> =
        expected.iter().map(|(n, s)| (n.as_str(), s.as_slice())).collect();
    let unknown: Vec<String> =
        tensors.keys().filter(|n| !expected.contains_key(n.as_str())).map(|n| format!("\"{n}\"")).collect();
    let missing: Vec<String> =
        expected.keys().filter(|n| !tensors.contains_key(**n)).map(|n| format!("\"{n}\"")).collect();
    let wrong: Vec<String> = tensors
        .iter()
        .filter_map(|(name, tensor)| {
            let shape = *expected.get(name.as_str())?;
            (shape != tensor.shape).then(|| format!("\"{name}\" is {:?} instead of {shape:?}", tensor.shape))
        })
        .collect();
    if unknown.is_empty() && missing.is_empty() && wrong.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> = [("missing", missing), ("unknown", unknown), ("wrong shape", wrong)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{} {what}: {}", names.len(), listed(&names)))
        .collect();
    Err(anyhow!("the tensors are not those of {arch} ({})", parts.join("; ")))
}

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(LISTED)].join(", ");
    if names.len() > LISTED { format!("{shown} and {} more", names.len() - LISTED) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors(names: &[(&str, &[usize])]) -> BTreeMap<String, Tensor> {
        let tensor =
            |shape: &[usize]| Tensor { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] };
        names.iter().map(|(name, shape)| (name.to_string(), tensor(shape))).collect()
    }

    #[test]
    fn unknown_missing_and_misshapen_tensors_are_all_named() {
        let expected = [("fc.bias".to_string(), vec![10]), ("fc.weight".to_string(), vec![10, 4])];
        let given = tensors(&[("fc.weight", &[10, 5]), ("classifier.bias", &[10])]);
        let message = check(&given, &expected, "resnet18").expect_err("all wrong").to_string();
        for part in ["\"fc.bias\"", "\"classifier.bias\"", "[10, 5] instead of [10, 4]", "resnet18"] {
            assert!(message.contains(part), "{part} in {message}");
        }
        let right = tensors(&[("fc.weight", &[10, 4]), ("fc.bias", &[10])]);
        check(&right, &expected, "resnet18").expect("all right");
    }

    #[test]
    fn domains_are_counted_without_gaps() {
        assert_eq!(domains(&tensors(&[("bn1.weight", &[4])])).expect("one"), 1);
        assert_eq!(
            domains(&tensors(&[("bn1.aux_bn.0.bias", &[4]), ("bn1.aux_bn.1.bias", &[4])])).expect("three"),
            3
        );
        assert!(domains(&tensors(&[("bn1.aux_bn.1.bias", &[4])])).is_err());
        assert!(domains(&tensors(&[("bn1.aux_bn.x.bias", &[4])])).is_err());
    }
}
