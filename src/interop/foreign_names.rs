//! Names of other public code for the networks that this program has, as timm has them: wrappers around a
//! whole network, lukemelas' EfficientNet-PyTorch, and the auxiliary batch norm of Fast AdvProp's code.

use super::state_dict::take_off_prefix;
use super::tensor_file::Tensor;
use std::collections::BTreeMap;

/// Tensors by name.
type Tensors = BTreeMap<String, Tensor>;

/// Gives tensors timm's names where a table has them, and says what it did, a clause each that follows the
/// file's name. What is in no table keeps its name, for the check of all names to find.
pub fn to_timm(tensors: &mut Tensors) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(prefix) = take_off_prefix(tensors) {
        said.push(format!("\"{prefix}\" is taken off all names of"));
    }
    if let Some(names) = of_efficientnet_pytorch(tensors) {
        rename(tensors, |name| names.get(name).cloned());
        said.push("names of EfficientNet-PyTorch are taken for timm's in".to_owned());
    }
    if rename(tensors, numbered_domain) {
        said.push(
            "X.aux_bn, as Fast AdvProp's code calls its auxiliary batch norm, is taken for X.aux_bn.0 in"
                .to_owned(),
        );
    }
    said
}

/// Whether some name became another.
fn rename(tensors: &mut Tensors, new: impl Fn(&str) -> Option<String>) -> bool {
    let old: Vec<(String, String)> =
        tensors.keys().filter_map(|name| Some((name.clone(), new(name)?))).collect();
    for (from, to) in &old {
        if let Some(tensor) = tensors.remove(from) {
            tensors.insert(to.clone(), tensor);
        }
    }
    !old.is_empty()
}

/// `bn1.aux_bn.weight` → `bn1.aux_bn.0.weight`.
fn numbered_domain(name: &str) -> Option<String> {
    let (layer, tensor) = name.split_once(".aux_bn.")?;
    (!tensor.contains('.')).then(|| format!("{layer}.aux_bn.0.{tensor}"))
}

/// timm's name of each tensor of an EfficientNet of efficientnet_pytorch, which numbers the blocks of all
/// stages through; `None` where the tensors are not those of one.
fn of_efficientnet_pytorch(tensors: &Tensors) -> Option<BTreeMap<String, String>> {
    let last = tensors.keys().filter_map(|name| block_of(name)).map(|(block, _)| block).max()?;
    let mut places = Vec::new();
    let (mut stage, mut within, mut width) = (0, 0, None);
    for block in 0..=last {
        // Stages differ in the channels that leave their blocks.
        let out = *tensors.get(&format!("_blocks.{block}._project_conv.weight"))?.shape.first()?;
        (stage, within) = match width {
            None => (0, 0),
            Some(before) if before == out => (stage, within + 1),
            Some(_) => (stage + 1, 0),
        };
        width = Some(out);
        let expands = tensors.contains_key(&format!("_blocks.{block}._expand_conv.weight"));
        places.push((format!("blocks.{stage}.{within}"), expands));
    }
    let named = |name: &str| -> Option<String> {
        if let Some((block, rest)) = block_of(name) {
            let (place, expands) = places.get(block)?;
            let (module, tensor) = rest.split_once('.')?;
            return Some(format!("{place}.{}.{tensor}", module_of(module, *expands)?));
        }
        let (module, tensor) = name.split_once('.')?;
        let module = match module {
            "_conv_stem" => "conv_stem",
            "_bn0" => "bn1",
            "_conv_head" => "conv_head",
            "_bn1" => "bn2",
            "_fc" => "classifier",
            _ => return None,
        };
        Some(format!("{module}.{tensor}"))
    };
    Some(tensors.keys().filter_map(|name| Some((name.clone(), named(name)?))).collect())
}

/// `_blocks.12._bn0.weight` → 12 and `_bn0.weight`.
fn block_of(name: &str) -> Option<(usize, &str)> {
    let (block, rest) = name.strip_prefix("_blocks.")?.split_once('.')?;
    Some((block.parse().ok()?, rest))
}

/// timm numbers a block's batch norms in the order of their appearance, and calls the last convolution of a
/// block that does not expand `conv_pw`.
fn module_of(module: &str, expands: bool) -> Option<&'static str> {
    Some(match (module, expands) {
        ("_expand_conv", true) => "conv_pw",
        ("_bn0", true) => "bn1",
        ("_depthwise_conv", _) => "conv_dw",
        ("_bn1", true) => "bn2",
        ("_bn1", false) => "bn1",
        ("_se_reduce", _) => "se.conv_reduce",
        ("_se_expand", _) => "se.conv_expand",
        ("_project_conv", true) => "conv_pwl",
        ("_project_conv", false) => "conv_pw",
        ("_bn2", true) => "bn3",
        ("_bn2", false) => "bn2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::state_dict;
    use crate::models::names::expected;

    /// The names that efficientnet_pytorch gives to the tensors of timm's network `arch`.
    fn efficientnet_pytorch(arch: &str) -> Tensors {
        let names = expected(arch, 10, 1.0, 1.0, 1).unwrap();
        let mut blocks: Vec<(usize, usize)> = Vec::new();
        for (name, _) in &names {
            let mut words = name.split('.');
            if words.next() == Some("blocks") {
                let mut number = || words.next().unwrap().parse().unwrap();
                blocks.push((number(), number()));
            }
        }
        blocks.sort_unstable();
        blocks.dedup();
        let tensors = names.into_iter().map(|(name, shape)| {
            let data = vec![0.5; shape.iter().product()];
            let words: Vec<&str> = name.split('.').collect();
            let theirs = if words[0] == "blocks" {
                let place = (words[1].parse().unwrap(), words[2].parse().unwrap());
                let block = blocks.iter().position(|b| *b == place).unwrap();
                // Stage 0 does not expand.
                let module = match (words[3], words[4], place.0 > 0) {
                    ("conv_pw", _, true) => "_expand_conv",
                    ("bn1", _, true) => "_bn0",
                    ("conv_dw", ..) => "_depthwise_conv",
                    ("bn2", _, true) | ("bn1", _, false) => "_bn1",
                    ("se", "conv_reduce", _) => "_se_reduce",
                    ("se", "conv_expand", _) => "_se_expand",
                    ("conv_pwl", ..) | ("conv_pw", _, false) => "_project_conv",
                    ("bn3", ..) | ("bn2", _, false) => "_bn2",
                    other => panic!("{other:?}"),
                };
                format!("_blocks.{block}.{module}.{}", words.last().unwrap())
            } else {
                let module = match words[0] {
                    "conv_stem" => "_conv_stem",
                    "bn1" => "_bn0",
                    "conv_head" => "_conv_head",
                    "bn2" => "_bn1",
                    "classifier" => "_fc",
                    other => panic!("{other}"),
                };
                format!("{module}.{}", words[1])
            };
            (theirs, Tensor { shape, data })
        });
        tensors.collect()
    }

    #[test]
    fn every_efficientnet_of_efficientnet_pytorch_gets_timms_names() {
        for size in 0..=8 {
            let arch = format!("tf_efficientnet_b{size}");
            let mut tensors = efficientnet_pytorch(&arch);
            let said = to_timm(&mut tensors);
            assert_eq!(said, ["names of EfficientNet-PyTorch are taken for timm's in"], "{arch}");
            state_dict::check(&tensors, &expected(&arch, 10, 1.0, 1.0, 1).unwrap(), &arch).unwrap();
        }
    }

    #[test]
    fn a_lone_auxiliary_batch_norm_is_the_first_domain() {
        let names = expected("resnet18", 10, 0.125, 1.0, 2).unwrap();
        let tensor =
            |shape: &Vec<usize>| Tensor { shape: shape.clone(), data: vec![0.5; shape.iter().product()] };
        let mut tensors: Tensors = names
            .iter()
            .map(|(name, shape)| {
                (format!("module.{}", name.replace(".aux_bn.0.", ".aux_bn.")), tensor(shape))
            })
            .collect();
        let said = to_timm(&mut tensors);
        assert!(
            said.len() == 2 && said[0].contains("\"module.\"") && said[1].contains("Fast AdvProp"),
            "{said:?}"
        );
        state_dict::check(&tensors, &names, "resnet18").unwrap();
        // Names that are timm's already are left alone.
        assert!(to_timm(&mut tensors).is_empty());
    }

    #[test]
    fn what_is_in_no_table_is_left_for_the_check_of_names() {
        let mut tensors = efficientnet_pytorch("tf_efficientnet_b0");
        let shape = vec![1];
        tensors.insert("_blocks.3._other.weight".into(), Tensor { shape, data: vec![0.0] });
        to_timm(&mut tensors);
        assert!(tensors.contains_key("_blocks.3._other.weight"));
    }
}
