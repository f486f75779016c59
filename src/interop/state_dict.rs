//! Weights of other tools: a state dict's names and shapes held against those of an architecture.

use super::tensor_file::Tensor;
use anyhow::{anyhow, bail};
use std::collections::{BTreeMap, BTreeSet};

/// Names listed in one message; the rest is counted.
const LISTED: usize = 8;

/// Takes off what stands before all names up to a dot, such as `module.` of PyTorch's data parallel wrapper,
/// `model.` of training frameworks or `_orig_mod.` of its compiler, and returns it. No network has one module
/// around all others.
pub fn take_off_prefix(tensors: &mut BTreeMap<String, Tensor>) -> Option<String> {
    let mut prefix = String::new();
    loop {
        let first = tensors.keys().next()?.get(prefix.len()..)?.to_owned();
        let Some((word, _)) = first.split_once('.') else { break };
        let longer = format!("{prefix}{word}.");
        if !tensors.keys().all(|name| name.starts_with(&longer) && name.len() > longer.len()) {
            break;
        }
        prefix = longer;
    }
    // A lone layer is no prefix: its tensors would be called `weight` and `bias`.
    if prefix.is_empty() || tensors.keys().any(|name| !name[prefix.len()..].contains('.')) {
        return None;
    }
    *tensors = std::mem::take(tensors)
        .into_iter()
        .map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor))
        .collect();
    Some(prefix)
}

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
    fn what_wraps_a_whole_network_is_taken_off() {
        let mut wrapped =
            tensors(&[("module._orig_mod.fc.bias", &[1]), ("module._orig_mod.bn1.weight", &[1])]);
        assert_eq!(take_off_prefix(&mut wrapped).as_deref(), Some("module._orig_mod."));
        assert_eq!(wrapped.keys().collect::<Vec<_>>(), ["bn1.weight", "fc.bias"]);
        for names in [["fc.bias", "fc.weight"], ["module.fc.bias", "bn1.weight"], ["a", "b"]] {
            let mut plain = tensors(&names.map(|name| (name, [1].as_slice())));
            assert_eq!(take_off_prefix(&mut plain), None, "{names:?}");
            assert_eq!(plain.len(), 2);
        }
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
