//! A checkpoint comes back as it was written, byte by byte the same for the same contents; a damaged,
//! truncated or foreign file is an error that names it, never a panic or a large allocation.

use dualprop::config::{Config, Domain};
use dualprop::training::checkpoint::{Checkpoint, FORMAT_VERSION, Meta, Tensor, load_tensors};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn tensor(shape: &[usize], first: f32) -> Tensor {
    let count: usize = shape.iter().product();
    Tensor { shape: shape.to_vec(), data: (0..count).map(|i| first + i as f32 / 7.0).collect() }
}

/// A small network with two domains, optimizer state, moving average and loop state.
fn sample() -> Checkpoint {
    let mut tensors = BTreeMap::new();
    tensors.insert("conv1.weight".to_string(), tensor(&[2, 3, 3, 3], 1.0));
    tensors.insert("fc.bias".to_string(), tensor(&[3], f32::MIN_POSITIVE));
    for (i, value) in ["weight", "bias", "running_mean", "running_var"].into_iter().enumerate() {
        tensors.insert(format!("bn1.{value}"), tensor(&[2], i as f32));
        tensors.insert(format!("bn1.aux_bn.0.{value}"), tensor(&[2], 10.0 + i as f32));
    }
    let network: Vec<_> = tensors.clone().into_iter().collect();
    for (name, tensor) in network {
        let averaged = Tensor { data: tensor.data.iter().map(|v| v / 2.0).collect(), ..tensor.clone() };
        tensors.insert(format!("ema.{name}"), averaged);
        tensors.insert(format!("optimizer.momentum.{name}"), tensor);
    }
    let meta = Meta {
        format_version: FORMAT_VERSION,
        arch: "resnet18".into(),
        classes: vec!["a".into(), "b \"quoted\"".into(), "ç".into()],
        domains: Domain::names_of(2),
        image_size: 33,
        mean: [0.1, 0.485, 0.5],
        std: [0.2, 0.229, 1.0],
        config: Config::default().resolved_toml(),
        step: 1234,
        epoch: 2.0 / 3.0,
    };
    let loop_state = [("seed".to_string(), u64::MAX), ("best".to_string(), 0.7_f64.to_bits())].into();
    Checkpoint { meta, tensors, loop_state }
}

fn saved() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("last.safetensors");
    sample().save_atomic(&path).expect("writable");
    (folder, path)
}

fn sample_bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let (_folder, path) = saved();
        std::fs::read(path).expect("readable")
    })
}

/// Loads bytes from a file, checks that an error is one sentence with the file's name, and gives it back.
fn load_bytes(folder: &Path, bytes: &[u8]) -> Result<Checkpoint, String> {
    let path = folder.join("damaged.safetensors");
    std::fs::write(&path, bytes).expect("writable");
    Checkpoint::load(&path).map_err(|e| {
        let message = format!("{e:#}");
        assert!(message.contains("damaged.safetensors"), "{message}");
        assert!(!message.contains('\n'), "{message}");
        message
    })
}

#[test]
fn a_checkpoint_comes_back_exactly() {
    let (_folder, path) = saved();
    assert_eq!(Checkpoint::load(&path).expect("readable"), sample());
    assert_eq!(sample().config().expect("valid"), Config::default());
}

#[test]
fn equal_contents_give_equal_bytes_and_the_order_of_timm_readers() {
    let (_a, first) = saved();
    let (_b, second) = saved();
    let bytes = std::fs::read(first).expect("readable");
    assert_eq!(bytes, std::fs::read(second).expect("readable"));
    // The reference reader accepts the file, names and metadata included.
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("a valid file");
    let view = file.tensor("conv1.weight").expect("there");
    assert_eq!((view.dtype(), view.shape()), (safetensors::Dtype::F32, &[2, 3, 3, 3][..]));
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a valid header");
    let metadata = header.metadata().clone().expect("there");
    assert_eq!(metadata["classes"], r#"["a","b \"quoted\"","ç"]"#);
    assert_eq!(metadata["domains"], r#"["main","aux"]"#);
    assert_eq!((metadata["step"].as_str(), metadata["image_size"].as_str()), ("1234", "33"));
    assert_eq!(metadata["mean"], "[0.1,0.485,0.5]");
    let keys = [
        "format_version",
        "arch",
        "classes",
        "domains",
        "image_size",
        "mean",
        "std",
        "config",
        "step",
        "epoch",
    ];
    assert!(keys.iter().all(|k| metadata.contains_key(*k)) && metadata.len() == keys.len());
}

#[test]
fn saving_replaces_the_old_file_and_leaves_no_other() {
    let (folder, path) = saved();
    let mut newer = sample();
    newer.meta.step = 5000;
    newer.save_atomic(&path).expect("writable");
    assert_eq!(Checkpoint::load(&path).expect("readable").meta.step, 5000);
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
    let missing = folder.path().join("no such folder").join("last.safetensors");
    let message = newer.save_atomic(&missing).expect_err("no folder").to_string();
    assert!(message.contains("no such folder") && message.contains("does not exist"), "{message}");
    let message = newer.save_atomic(folder.path()).expect_err("a folder").to_string();
    assert!(message.contains("is a folder"), "{message}");
}

#[test]
fn one_domain_is_exported_under_the_main_names_without_training_state() {
    let checkpoint = sample();
    let main = checkpoint.with_one_domain(0, false).expect("there");
    let names: Vec<&str> = main.tensors.keys().map(String::as_str).collect();
    let expected =
        ["bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.weight", "conv1.weight", "fc.bias"];
    assert_eq!(names, expected);
    assert_eq!(main.tensors["bn1.bias"], checkpoint.tensors["bn1.bias"]);
    assert_eq!(main.meta.domains, ["main"]);
    assert!(main.loop_state.is_empty());
    let aux = checkpoint.with_one_domain(1, false).expect("there");
    assert_eq!(aux.tensors["bn1.running_var"], checkpoint.tensors["bn1.aux_bn.0.running_var"]);
    assert_eq!(aux.tensors["conv1.weight"], checkpoint.tensors["conv1.weight"]);
    let both = checkpoint.without_training_state(false).expect("there");
    assert_eq!(both.meta, checkpoint.meta);
    assert_eq!(both.tensors, checkpoint.network(false).expect("there"), "every domain, nothing of training");
    assert!(both.loop_state.is_empty());
    let averaged = checkpoint.with_one_domain(1, true).expect("there");
    assert_eq!(averaged.tensors["bn1.bias"], checkpoint.tensors["ema.bn1.aux_bn.0.bias"]);
    let mut without = checkpoint;
    without.tensors.remove("ema.fc.bias");
    let message = without.network(true).expect_err("incomplete").to_string();
    assert!(message.contains("fc.bias"), "{message}");
}

#[test]
fn plain_weights_load_without_metadata_but_are_no_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("timm.safetensors");
    let data: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &data).expect("fits");
    safetensors::serialize_to_file([("fc.bias", view)], None, &path).expect("writable");
    assert_eq!(load_tensors(&path).expect("readable")["fc.bias"].data, [1.0, 2.0]);
    let message = Checkpoint::load(&path).expect_err("no metadata").to_string();
    assert!(message.contains("timm.safetensors") && message.contains("dualprop import"), "{message}");
}

#[test]
fn metadata_out_of_range_is_an_error_that_names_the_entry() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    type Change = fn(&mut Meta);
    let cases: [(&str, Change); 7] = [
        ("format version is 2", |m| m.format_version = 2),
        ("image_size", |m| m.image_size = 0),
        ("image_size", |m| m.image_size = usize::MAX),
        ("std", |m| m.std[1] = 0.0),
        ("mean", |m| m.mean[0] = f32::NAN),
        ("classes", |m| m.classes.clear()),
        ("epoch", |m| m.epoch = f64::INFINITY),
    ];
    for (part, change) in cases {
        let path = folder.path().join("odd.safetensors");
        let mut odd = sample();
        change(&mut odd.meta);
        odd.save_atomic(&path).expect("writable");
        let message = Checkpoint::load(&path).expect_err("out of range").to_string();
        assert!(message.contains(part) && message.contains("odd.safetensors"), "{message}");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = sample_bytes();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let regions = [0..9, header - 40..header + 40, bytes.len() - 9..bytes.len()];
    for length in regions.into_iter().flatten().chain((0..bytes.len()).step_by(97)) {
        assert!(load_bytes(folder.path(), &bytes[..length]).is_err(), "cut to {length} bytes");
    }
    let longer = [bytes, &[0]].concat();
    assert!(load_bytes(folder.path(), &longer).is_err(), "one byte too many");
    load_bytes(folder.path(), bytes).expect("the whole file is fine");
}

#[test]
fn what_is_no_file_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for path in [folder.path().to_path_buf(), folder.path().join("missing.safetensors")] {
        let message = Checkpoint::load(&path).expect_err("nothing to read").to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
    let lying = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    assert!(load_bytes(folder.path(), &lying).expect_err("no such header").contains("no safetensors file"));
    let cut = [&1000_u64.to_le_bytes()[..], b"{}"].concat();
    assert!(load_bytes(folder.path(), &cut).expect_err("half a header").contains("truncated"));
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = sample_bytes().to_vec();
        for (index, value) in changes {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Values may change without a trace; lengths, names and structure may not.
        let _ = load_bytes(folder.path(), &bytes);
    }

    #[test]
    fn changed_header_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = sample_bytes().to_vec();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
        for (index, value) in changes {
            bytes[index.index(header)] = value;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _ = load_bytes(folder.path(), &bytes);
    }

    #[test]
    fn arbitrary_bytes_are_no_checkpoint(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        prop_assert!(load_bytes(folder.path(), &bytes).is_err());
    }
}
