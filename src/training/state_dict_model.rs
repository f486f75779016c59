//! Weights of timm and torchvision as models of this program: which tensor is the classifier, what the
//! metadata says that the file does not, and which architecture a bare file is of.

use super::checkpoint::{Checkpoint, FORMAT_VERSION, Meta};
use crate::config::{Config, ConfigError, Domain, Interpolation, MethodKind};
use crate::data::imagenet;
use crate::interop::tensor_file::TensorFile;
use crate::interop::{foreign_names, state_dict};
use crate::models::names::expected;
use crate::models::registry;
use anyhow::{anyhow, bail};
use std::path::Path;

/// Mean of ImageNet's RGB channels, of 1: what timm's and torchvision's networks mostly expect.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Spread of ImageNet's RGB channels, of 1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// What the classifier's weight is called in files.
pub const HEADS: [&str; 3] = ["classifier.weight", "fc.weight", "linear.weight"];

/// Pixels that an image's shorter side has beyond the input before the middle is cut out: EfficientNet's
/// rule, to which timm's `crop_pct` keeps.
const MARGIN: f64 = 32.0;

/// Words in the names of files whose networks expect inputs in -1..1: AdvProp's in timm.
const CENTRED: [&str; 3] = ["ap_in1k", "-ap", "advprop"];

/// What a state dict does not say of its network and its input.
#[derive(Clone, Debug)]
pub struct Facts {
    /// timm's name.
    pub arch: String,
    /// Factors of the numbers of channels and of layers.
    pub width: f64,
    /// See `width`.
    pub depth: f64,
    /// Stride of the first convolution.
    pub stem_stride: usize,
    /// Names of the classes, by index.
    pub classes: Vec<String>,
    /// Number of BN domains, from 1.
    pub domains: usize,
    /// Side of the square input, pixels; `None`: the architecture's own.
    pub image_size: Option<usize>,
    /// Mean and spread of the input's RGB channels, of 1; `None`: ImageNet's, and 0.5 with several domains.
    pub channels: Option<([f32; 3], [f32; 3])>,
    /// Share of the shorter side that the centre square of an image keeps.
    pub crop_ratio: f64,
    /// Filter that resizes images.
    pub interpolation: Interpolation,
}

impl Facts {
    /// The metadata of a checkpoint with these facts. Fails where the configuration would refuse one of them.
    pub fn meta(self) -> anyhow::Result<Result<Meta, ConfigError>> {
        // AdvProp's published nets, the ones with auxiliary domains, expect inputs in -1..1.
        let channels = if self.domains > 1 { ([0.5; 3], [0.5; 3]) } else { (IMAGENET_MEAN, IMAGENET_STD) };
        let (mean, std) = self.channels.unwrap_or(channels);
        let image_size = self.image_size.unwrap_or(registry::find(&self.arch)?.input_size);
        let mut config = Config::default();
        config.run.name = "imported".into();
        config.data.image_size = image_size;
        (config.data.mean, config.data.std) = (mean, std);
        config.data.crop_ratio = self.crop_ratio;
        config.data.interpolation = self.interpolation;
        config.model.arch.clone_from(&self.arch);
        config.model.classes = self.classes.len();
        config.model.stem_stride = self.stem_stride;
        (config.model.width, config.model.depth) = (self.width, self.depth);
        config.method.kind = if self.domains > 1 { MethodKind::Advprop } else { MethodKind::Vanilla };
        Ok(config.validate().map(|()| Meta {
            format_version: FORMAT_VERSION,
            arch: self.arch,
            classes: self.classes,
            domains: Domain::names_of(self.domains),
            image_size,
            mean,
            std,
            config: config.resolved_toml(),
            step: 0,
            epoch: 0.0,
        }))
    }
}

/// The name of the classifier's weight in a state dict, and how many rows it has.
pub fn classifier_rows(source: &TensorFile) -> Option<(&'static str, usize)> {
    let found = HEADS.iter().find_map(|name| Some((*name, source.tensors.get(*name)?)));
    found.and_then(|(name, tensor)| Some((name, *tensor.shape.first()?)))
}

/// The class names that a file of this program carries, where they are as many as its classifier's `rows`.
pub fn own_classes(source: &TensorFile, rows: usize) -> Option<Vec<String>> {
    let named = source.metadata.get("classes").and_then(|c| serde_json::from_str::<Vec<String>>(c).ok());
    named.filter(|names| names.len() == rows)
}

/// Reads a checkpoint, or a bare state dict of timm or torchvision whose architecture its tensors tell; the
/// sentence says what such a file was taken for. Fails with one sentence that names the file.
pub fn load_any(path: &Path) -> anyhow::Result<(Checkpoint, Option<String>)> {
    let file = TensorFile::read(path)?;
    if Checkpoint::is_one(&file) {
        return Ok((Checkpoint::of_file(file, path)?, None));
    }
    let (checkpoint, sentence) = recognise(file, path)?;
    Ok((checkpoint, Some(sentence)))
}

fn recognise(mut file: TensorFile, path: &Path) -> anyhow::Result<(Checkpoint, String)> {
    let shown = path.display();
    let fault = |e: anyhow::Error| anyhow!("{shown}: {e:#}");
    file.check_values().map_err(fault)?;
    foreign_names::to_timm(&mut file.tensors);
    let domains = state_dict::domains(&file.tensors).map_err(fault)?;
    let Some((_, rows)) = classifier_rows(&file) else {
        bail!(
            "{shown} is no checkpoint of DualProp and has no {}; expected a checkpoint, or weights of timm or \
             torchvision with their classifier",
            HEADS.join(", ")
        );
    };
    let Some((arch, others)) = architecture(&file, path, [1.0, 1.0])? else {
        bail!(
            "{shown} is no checkpoint of DualProp, and its tensors are those of no network that it has; \
             `dualprop import --arch NAME` says what differs from one of them"
        );
    };
    let numbered = |rows: usize| (0..rows).map(|i| i.to_string()).collect();
    let imagenet: Vec<String> = imagenet::names().map(str::to_owned).collect();
    let is_imagenet = rows == imagenet.len();
    let classes = own_classes(&file, rows).unwrap_or(if is_imagenet { imagenet } else { numbered(rows) });
    let size = registry::find(arch)?.input_size as f64;
    let crop_ratio = (1000.0 * size / (size + MARGIN)).round() / 1000.0;
    let facts = Facts {
        arch: arch.into(),
        width: 1.0,
        depth: 1.0,
        stem_stride: 2,
        classes,
        domains,
        image_size: None,
        channels: expects_centred(arch, path).then_some(([0.5; 3], [0.5; 3])),
        crop_ratio,
        interpolation: Interpolation::Bicubic,
    };
    let meta = facts.meta()?.map_err(|e| anyhow!("{shown}: {}", e.message))?;
    let sentence = format!(
        "{shown} has no metadata and was taken for {arch}{}: {} pixels, bicubic, the middle {crop_ratio} of each \
         side, mean {:?}, std {:?}, {}; `dualprop import` takes other facts",
        if others.is_empty() {
            String::new()
        } else {
            format!(" (the tensors are {}'s too)", others.join(" and "))
        },
        meta.image_size,
        meta.mean,
        meta.std,
        if is_imagenet { "ImageNet's 1,000 classes".to_owned() } else { format!("{rows} classes") },
    );
    Ok((Checkpoint { meta, tensors: file.tensors, loop_state: Default::default() }, sentence))
}

/// The architecture whose tensors a state dict has, with these factors of width and depth, and the others
/// that have the same; `None` where there is none. Networks that differ in their padding alone have the same
/// tensors: the file's name may tell, otherwise it is the first of the registry.
pub fn architecture(
    file: &TensorFile,
    path: &Path,
    [width, depth]: [f64; 2],
) -> anyhow::Result<Option<(&'static str, Vec<&'static str>)>> {
    let domains = state_dict::domains(&file.tensors)?;
    let Some((_, rows)) = classifier_rows(file) else { return Ok(None) };
    let mut fitting = Vec::new();
    for arch in registry::names() {
        let names = expected(arch, rows, width, depth, domains)?;
        if state_dict::check(&file.tensors, &names, arch).is_ok() {
            fitting.push(arch);
        }
    }
    let stem = stem(path);
    let named = fitting.iter().copied().filter(|arch| stem.contains(*arch)).max_by_key(|arch| arch.len());
    let Some(arch) = named.or(fitting.first().copied()) else { return Ok(None) };
    Ok(Some((arch, fitting.into_iter().filter(|other| *other != arch).collect())))
}

/// Whether the network of a file expects inputs in -1..1, by its name: AdvProp's weights of timm, and the
/// published Lite networks.
pub fn expects_centred(arch: &str, path: &Path) -> bool {
    let stem = stem(path);
    arch.contains("lite") || CENTRED.iter().any(|word| stem.contains(word))
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::tensor_file::{self, Tensor};
    use std::collections::BTreeMap;

    /// A state dict of `arch` as another tool would write it, without the tensors called `without`.
    fn write(path: &Path, arch: &str, classes: usize, without: &str) {
        let names = expected(arch, classes, 1.0, 1.0, 1).expect("an architecture");
        let tensors = names.into_iter().filter(|(name, _)| name != without).map(|(name, shape)| {
            let data = vec![0.5; shape.iter().product()];
            (name, Tensor { shape, data })
        });
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        tensor_file::write(path, &metadata, &tensors.collect(), &BTreeMap::new()).expect("writable");
    }

    #[test]
    fn a_bare_file_is_the_network_whose_tensors_it_has() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("model.safetensors");
        write(&path, "mobilenetv3_small_100", 1000, "");
        let (model, sentence) = load_any(&path).expect("recognised");
        assert_eq!((model.meta.arch.as_str(), model.meta.image_size), ("mobilenetv3_small_100", 224));
        assert_eq!(model.meta.classes[1], "goldfish");
        let unique: std::collections::BTreeSet<&String> = model.meta.classes.iter().collect();
        assert_eq!(unique.len(), 1000, "no two classes share a name");
        let sentence = sentence.expect("what it was taken for");
        assert!(sentence.contains("mobilenetv3_small_100") && sentence.contains("ImageNet"), "{sentence}");
        assert_eq!(model.config().expect("a configuration").data.crop_ratio, 0.875);

        // Nothing is known of other numbers of classes.
        write(&path, "mobilenetv3_small_100", 7, "");
        let (model, _) = load_any(&path).expect("recognised");
        assert_eq!(model.meta.classes, ["0", "1", "2", "3", "4", "5", "6"]);
        // What it was written as afterwards is a checkpoint like any other.
        model.save_atomic(&path).expect("writable");
        assert_eq!(load_any(&path).expect("a checkpoint").1, None);
    }

    #[test]
    fn a_files_name_tells_networks_with_the_same_tensors_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("efficientnet_b0.ra_in1k.safetensors");
        write(&path, "tf_efficientnet_b0", 10, "");
        let (model, sentence) = load_any(&path).expect("recognised");
        assert_eq!(model.meta.arch, "efficientnet_b0");
        let sentence = sentence.expect("what it was taken for");
        assert!(sentence.contains("tf_efficientnet_b0's too"), "{sentence}");
        let other = folder.path().join("model.safetensors");
        std::fs::rename(&path, &other).expect("renamed");
        let (model, _) = load_any(&other).expect("recognised");
        assert_eq!((model.meta.arch.as_str(), model.meta.mean), ("tf_efficientnet_b0", IMAGENET_MEAN));
        let advprop = folder.path().join("tf_efficientnet_b0.ap_in1k.safetensors");
        std::fs::rename(&other, &advprop).expect("renamed");
        assert_eq!(load_any(&advprop).expect("recognised").0.meta.mean, [0.5; 3]);
    }

    #[test]
    fn a_file_of_no_known_network_is_refused_with_the_next_step() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("model.safetensors");
        write(&path, "mobilenetv3_small_100", 10, "conv_head.weight");
        let error = load_any(&path).expect_err("a tensor is missing").to_string();
        assert!(error.contains("model.safetensors") && error.contains("import --arch"), "{error}");
        write(&path, "mobilenetv3_small_100", 10, "classifier.weight");
        let error = load_any(&path).expect_err("no classifier").to_string();
        assert!(error.contains("classifier.weight") && error.contains("timm"), "{error}");
    }
}
