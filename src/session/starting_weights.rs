//! What a run starts with: weights drawn by the seed, or those of `run.init`, whose classifier is taken over
//! where it is for the same classes and starts anew where it is not.

use crate::config::Config;
use crate::data::{are_numbers, same_classes};
use crate::graph::Network;
use crate::interop::foreign_names;
use crate::interop::tensor_file::{Tensor, TensorFile};
use crate::models::head::{self, Head};
use crate::models::init::{Arenas, initialize};
use crate::models::names;
use anyhow::{Context as _, anyhow};
use std::path::Path;

/// The weights that a run starts with.
pub(super) struct StartingWeights {
    pub(super) arenas: Arenas,
    /// Sentences on what was not taken over as it was.
    pub(super) notes: Vec<String>,
}

/// The weights that a fresh run of these `classes` starts with.
pub(super) fn starting_weights(
    config: &Config,
    network: &Network,
    classes: &[String],
) -> anyhow::Result<StartingWeights> {
    let mut arenas = initialize(&config.model.arch, network, config.run.seed);
    let mut notes = Vec::new();
    if config.run.init.is_empty() {
        return Ok(StartingWeights { arenas, notes });
    }
    let path = Path::new(&config.run.init);
    let mut file = TensorFile::read(path).context("run.init")?;
    file.check_values().map_err(|e| anyhow!("run.init: {} cannot be used: {e}", path.display()))?;
    let renamed = foreign_names::to_timm(&mut file.tensors);
    notes.extend(renamed.into_iter().map(|said| format!("run.init: {said} {}", path.display())));
    if let Some(fact) = other_inputs(&file, config) {
        notes.push(format!("run.init: {} {fact}", path.display()));
    }
    let head = Head::zeros(network);
    if let Some(fact) = take_classifier(&mut file, network, head, classes) {
        notes.push(format!("run.init: {} {fact}", path.display()));
    }
    names::import(&network.layout, &mut arenas, |name| {
        file.tensors.get(name).map(|t| (t.shape.as_slice(), t.data.as_slice()))
    })
    .with_context(|| format!("run.init = \"{}\" does not fit {}", path.display(), config.model.arch))?;
    Ok(StartingWeights { arenas, notes })
}

/// What the file's network was given as input, where it tells and this run gives another, as it follows the
/// file's name.
fn other_inputs(file: &TensorFile, config: &Config) -> Option<String> {
    let told = |key: &str| -> Option<[f32; 3]> { serde_json::from_str(file.metadata.get(key)?).ok() };
    let (mean, std) = (told("mean")?, told("std")?);
    let (ours, our_std) = (config.data.mean, config.data.std);
    ((mean, std) != (ours, our_std)).then(|| {
        format!(
            "was trained with data.mean = {mean:?} and data.std = {std:?}; this run gives it {ours:?} and {our_std:?}"
        )
    })
}

/// Gives the file a classifier for `classes`: its own rows where it has them by name, else `head`. Returns
/// what was done to it, as it follows the file's name; nothing where it is for these classes in this order,
/// or is left as it is because it does not fit this network at all.
fn take_classifier(
    file: &mut TensorFile,
    network: &Network,
    mut head: Head,
    classes: &[String],
) -> Option<String> {
    let named: Option<Vec<String>> =
        file.metadata.get("classes").and_then(|list| serde_json::from_str(list).ok());
    let Some(own) = classifier(file, network) else {
        put_classifier(file, network, head);
        return Some("has no classifier: it starts anew".into());
    };
    if own.features != head.features {
        return None;
    }
    let anew = |why: String| Some(format!("{why}: the classifier starts anew"));
    // Numbers are no names, unless the data has the same ones.
    let names = |named: &Vec<String>| !are_numbers(named) || same_classes(classes, named).is_ok();
    let Some(named) = named.filter(|named| named.len() == own.classes() && names(named)) else {
        if own.classes() == head.classes() {
            return Some("does not name its classes: they are taken to be the data's, in that order".into());
        }
        let (rows, wanted) = (own.classes(), head.classes());
        put_classifier(file, network, head);
        return anew(format!("has {rows} classes and this run {wanted}"));
    };
    if named == classes {
        return None;
    }
    match same_classes(classes, &named) {
        Ok(rows) => {
            let moved = rows.iter().enumerate().any(|(to, from)| from.is_some_and(|from| from != to));
            for (to, from) in rows.iter().enumerate() {
                if let Some(from) = *from {
                    head.copy_row(to, &own, from);
                }
            }
            put_classifier(file, network, head);
            moved
                .then(|| "has the classes in another order: its classifier's rows are matched by name".into())
        }
        Err(difference) => {
            put_classifier(file, network, head);
            anew(format!("is for other classes ({difference})"))
        }
    }
}

/// The file's classifier, where it has one whose bias goes with its weight.
fn classifier(file: &TensorFile, network: &Network) -> Option<Head> {
    let [weight, bias] = head::tensor_names(network).map(|name| file.tensors.get(&name));
    let (weight, bias) = (weight?, bias?);
    let features = weight.data.len() / bias.data.len().max(1);
    let fits = weight.shape == [bias.data.len(), features];
    fits.then(|| Head { features, weight: weight.data.clone(), bias: bias.data.clone() })
}

fn put_classifier(file: &mut TensorFile, network: &Network, head: Head) {
    let tensors = head.into_tensors(network);
    file.tensors.extend(tensors.map(|(name, shape, data)| (name, Tensor { shape, data })));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::tensor_file;
    use crate::models::{ModelOptions, build};
    use std::collections::BTreeMap;

    const ARCH: &str = "resnet18";

    fn network(classes: usize) -> Network {
        build(ARCH, &ModelOptions { width: 0.125, ..ModelOptions::plain(classes, 32) }).unwrap()
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    /// A file of weights whose classifier has the row `[k; features]` and the bias k for class k, under names
    /// with `prefix`; `None`: without a classifier. `named` goes into its metadata where it is not empty.
    fn file(classes: Option<usize>, named: &str, prefix: &str) -> tempfile::NamedTempFile {
        let network = network(classes.unwrap_or(2));
        let [weight, bias] = head::tensor_names(&network);
        let all = names::export(&network.layout, &initialize(ARCH, &network, 7)).into_iter();
        let tensors = all.filter(|(name, ..)| classes.is_some() || (*name != weight && *name != bias));
        let tensors: BTreeMap<String, Tensor> = tensors
            .map(|(name, shape, mut data)| {
                if name == weight || name == bias {
                    let row = data.len() / shape[0];
                    data.iter_mut().enumerate().for_each(|(at, value)| *value = (at / row) as f32);
                }
                (format!("{prefix}{name}"), Tensor { shape, data })
            })
            .collect();
        let metadata = serde_json::to_string(&words(named)).unwrap();
        let metadata = BTreeMap::from([("classes".to_owned(), metadata)]);
        let metadata = if named.is_empty() { BTreeMap::new() } else { metadata };
        let file = tempfile::NamedTempFile::new().unwrap();
        tensor_file::write(file.path(), &metadata, &tensors, &BTreeMap::new()).unwrap();
        file
    }

    /// The biases of the classifier that a run of `classes` starts with, and what it says.
    fn begin(file: &tempfile::NamedTempFile, classes: &str) -> (Vec<f32>, String) {
        let mut config = Config::default();
        config.model.arch = ARCH.into();
        config.model.width = 0.125;
        config.run.init = file.path().display().to_string();
        let classes = words(classes);
        let network = network(classes.len());
        let begun = starting_weights(&config, &network, &classes).unwrap();
        let [weight, bias] = head::tensor_names(&network);
        let tensors = names::export(&network.layout, &begun.arenas);
        let find = |name: &str| tensors.iter().find(|(n, ..)| n == name).unwrap().2.clone();
        let (weight, bias) = (find(&weight), find(&bias));
        let features = weight.len() / bias.len();
        let kept = begun.notes.iter().all(|note| !note.contains("anew"));
        assert!(
            !kept || weight.iter().enumerate().all(|(at, w)| *w == bias[at / features]),
            "rows moved apart"
        );
        // Whatever becomes of the classifier, the rest is the file's.
        let other = names::export(&network.layout, &initialize(ARCH, &network, config.run.seed));
        let stem = |of: &[(String, Vec<usize>, Vec<f32>)]| {
            of.iter().find(|t| t.0 == "conv1.weight").unwrap().2.clone()
        };
        assert_ne!(stem(&tensors), stem(&other));
        (bias, begun.notes.join("; "))
    }

    #[test]
    fn a_classifier_is_taken_over_by_the_names_of_its_classes() {
        assert_eq!(begin(&file(Some(3), "a b c", ""), "a b c"), (vec![0.0, 1.0, 2.0], String::new()));
        let (bias, said) = begin(&file(Some(3), "c a b", ""), "a b c");
        assert_eq!(bias, [1.0, 2.0, 0.0]);
        assert!(said.contains("another order"), "{said}");
        // Numbers are names where the data has the same ones.
        let (bias, _) = begin(&file(Some(12), "0 1 2 3 4 5 6 7 8 9 10 11", ""), "0 1 10 11 2 3 4 5 6 7 8 9");
        assert_eq!(bias[..5], [0.0, 1.0, 10.0, 11.0, 2.0]);
        for named in ["", "0 1 2"] {
            let (bias, said) = begin(&file(Some(3), named, ""), "a b c");
            assert_eq!(bias, [0.0, 1.0, 2.0]);
            assert!(said.contains("does not name its classes"), "{said}");
        }
    }

    #[test]
    fn a_classifier_for_other_classes_starts_anew_and_that_is_said() {
        for (made, named, classes, part) in [
            (Some(3), "", "a b", "has 3 classes and this run 2"),
            (None, "", "a b", "has no classifier"),
            (Some(3), "a b c", "b c d", "only the checkpoint has a; only the data set has d"),
            (Some(2), "a b", "a b c", "only the data set has c"),
        ] {
            let (bias, said) = begin(&file(made, named, ""), classes);
            assert!(said.contains(part) && said.contains("starts anew"), "{said}");
            assert!(bias.iter().all(|value| *value == 0.0), "nothing of the file's: {bias:?}");
        }
    }

    #[test]
    fn weights_that_saw_other_inputs_are_said() {
        let config = Config::default();
        let said = |mean: &str| {
            let metadata =
                [("mean", mean), ("std", "[0.5,0.5,0.5]")].map(|(k, v)| (k.to_owned(), v.to_owned()));
            other_inputs(&TensorFile { metadata: metadata.into(), ..TensorFile::default() }, &config)
        };
        assert_eq!(said("[0.5,0.5,0.5]"), None);
        let text = said("[0.485,0.456,0.406]").expect("another mean");
        assert!(
            text.contains("data.mean = [0.485, 0.456, 0.406]") && text.contains("[0.5, 0.5, 0.5]"),
            "{text}"
        );
        assert_eq!(other_inputs(&TensorFile::default(), &config), None);
    }

    #[test]
    fn what_wraps_all_names_is_taken_off() {
        let (bias, said) = begin(&file(Some(3), "a b c", "module.model."), "a b c");
        assert_eq!(bias, [0.0, 1.0, 2.0]);
        assert!(said.contains("\"module.model.\" is taken off"), "{said}");
    }
}
