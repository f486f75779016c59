//! A model in several safetensors files beside an index, as Hugging Face's tools write large ones:
//! `{"weight_map": {"TENSOR": "FILE"}}`.

use super::tensor_file::TensorFile;
use crate::config::reading;
use anyhow::{Context as _, anyhow, bail, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

/// Largest index that is read. That of a network of a thousand tensors has some 100 kB.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Reads all files that the index at `path` names, which lie beside it, by `read`, as one. Fails with a
/// clause that follows the index's name.
pub(super) fn read(
    path: &Path,
    read: impl Fn(&Path) -> anyhow::Result<TensorFile>,
) -> anyhow::Result<TensorFile> {
    let size = path.metadata()?.len();
    ensure!(size <= MAX_BYTES, "it is an index of {size} bytes; expected at most {MAX_BYTES}");
    let text = reading::read_text(path, MAX_BYTES)?;
    let index: Index = serde_json::from_str(&text).map_err(|e| {
        anyhow!("it is no index of tensors ({e}); expected {{\"weight_map\": {{\"TENSOR\": \"FILE\"}}}}")
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut whole = TensorFile::default();
    for name in index.weight_map.values().collect::<BTreeSet<_>>() {
        let mut parts = Path::new(name).components();
        let is_beside = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        ensure!(is_beside, "it names the file \"{name}\"; expected the name of a file beside it");
        let part = read(&folder.join(name)).context("one of its files cannot be read")?;
        whole.metadata.extend(part.metadata);
        whole.integers.extend(part.integers);
        for (tensor, values) in part.tensors {
            let place = index.weight_map.get(&tensor);
            ensure!(
                place == Some(name),
                "\"{tensor}\" is in {name}, where it does not expect it; fetch the files again"
            );
            whole.tensors.insert(tensor, values);
        }
    }
    let is_there = |tensor: &str| {
        whole.tensors.contains_key(tensor)
            || whole.integers.contains_key(tensor)
            || tensor.ends_with("num_batches_tracked")
    };
    if let Some((tensor, file)) = index.weight_map.iter().find(|(tensor, _)| !is_there(tensor)) {
        bail!("\"{tensor}\" is missing in {file}; fetch the files again");
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::tensor_file::{self, Tensor};

    fn write(folder: &Path, file: &str, tensors: &[&str]) {
        let tensor = Tensor { shape: vec![2], data: vec![1.0, 2.0] };
        let tensors = tensors.iter().map(|name| ((*name).to_owned(), tensor.clone())).collect();
        tensor_file::write(&folder.join(file), &BTreeMap::new(), &tensors, &BTreeMap::new()).unwrap();
    }

    fn open(folder: &Path, weight_map: &str) -> Result<Vec<String>, String> {
        let path = folder.join("model.safetensors.index.json");
        std::fs::write(&path, format!(r#"{{"metadata": {{"total_size": 16}}, "weight_map": {weight_map}}}"#))
            .unwrap();
        let file = TensorFile::read(&path).map_err(|e| format!("{e:#}"))?;
        Ok(file.tensors.into_keys().collect())
    }

    #[test]
    fn the_files_of_an_index_are_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "one.safetensors", &["a", "b"]);
        write(folder.path(), "two.safetensors", &["c"]);
        let all = r#"{"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"}"#;
        assert_eq!(open(folder.path(), all).unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn an_index_that_its_files_do_not_keep_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "one.safetensors", &["a", "b"]);
        for (map, part) in [
            (r#"{"a": "one.safetensors"}"#, "\"b\" is in one.safetensors"),
            (
                r#"{"a": "one.safetensors", "b": "one.safetensors", "c": "one.safetensors"}"#,
                "\"c\" is missing",
            ),
            (r#"{"a": "two.safetensors"}"#, "two.safetensors"),
            (r#"{"a": "../one.safetensors"}"#, "a file beside it"),
            (r#"{"a": "model.safetensors.index.json"}"#, "the index of a model in several files"),
            (r#"["a"]"#, "weight_map"),
        ] {
            let error = open(folder.path(), map).unwrap_err();
            assert!(error.contains("model.safetensors.index.json") && error.contains(part), "{error}");
        }
    }
}
