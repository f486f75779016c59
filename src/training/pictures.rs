//! The pictures of a run's last validation and its BN statistics as a file of its folder, so that they can be
//! looked at without a GPU, after the run and beside one that another program trains.
//!
//! `pictures.safetensors` holds `clean` (U8 `[n, S, S, 3]`), `perturbation` (F16 `[n, S, S, 3]`, 1/255),
//! `cam` (F16 `[n, domains, 2, S, S]`: clean before attacked) and `bn` (F32 `[v]`: layer by layer and in it
//! domain by domain running mean, running variance, γ and β, each of the layer's channels; absent in files of
//! versions before). The words beside them are one JSON object in the metadata.

use super::events::{BnDomain, BnLayer, DomainView, GalleryItem, Guess, Snapshot};
use crate::config::path_faults::unreadable_file;
use crate::config::reading;
use crate::interop::atomic::write_atomic;
use anyhow::{Context as _, anyhow, ensure};
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

const FORMAT_VERSION: u32 = 1;
/// Name of the metadata's only entry.
const WORDS: &str = "dualprop";
/// Largest file that is read: six pictures of B8's 672 pixels take 70 MB.
const MAX_BYTES: u64 = 512 << 20;

/// What is said of the pictures.
#[derive(Serialize, Deserialize)]
struct Words {
    format_version: u32,
    step: u64,
    attack: String,
    attack_domain: String,
    classes: Vec<String>,
    images: Vec<ImageWords>,
    #[serde(default)]
    bn_layers: Vec<LayerWords>,
}

#[derive(Serialize, Deserialize)]
struct LayerWords {
    name: String,
    domains: usize,
    channels: usize,
}

#[derive(Serialize, Deserialize)]
struct ImageWords {
    name: String,
    label: usize,
    /// By domain: of the clean and of the attacked image, each (class, probability), best first.
    guesses: Vec<[Vec<(usize, f32)>; 2]>,
}

/// Writes the gallery and the BN layers of `snapshot` whole or not at all; equal ones give equal bytes. All
/// of its images have one size.
pub fn save(path: &Path, snapshot: &Snapshot) -> anyhow::Result<()> {
    let images = &snapshot.gallery;
    let size = images.first().map_or(0, |item| item.size);
    let domains = images.first().map_or(0, |item| item.views.len());
    let words = Words {
        format_version: FORMAT_VERSION,
        step: snapshot.step,
        attack: snapshot.attack.clone(),
        attack_domain: snapshot.attack_domain.clone(),
        classes: snapshot.classes.clone(),
        images: images.iter().map(ImageWords::of).collect(),
        bn_layers: snapshot.bn_layers.iter().map(LayerWords::of).collect(),
    };
    let clean: Vec<u8> = images.iter().flat_map(|item| item.clean.iter().copied()).collect();
    let perturbation = halves(images.iter().flat_map(|item| &item.perturbation));
    let views = images.iter().flat_map(|item| &item.views);
    let cam = halves(views.flat_map(|view| view.cam.iter().chain(&view.cam_adversarial)));
    let pictures = [images.len(), size, size, 3];
    let statistics = snapshot.bn_layers.iter().flat_map(|layer| &layer.domains).flat_map(vectors);
    let bn: Vec<u8> = statistics.flatten().flat_map(|value| value.to_le_bytes()).collect();
    let tensors = [
        ("bn", TensorView::new(Dtype::F32, vec![bn.len() / 4], &bn)?),
        ("clean", TensorView::new(Dtype::U8, pictures.to_vec(), &clean)?),
        ("perturbation", TensorView::new(Dtype::F16, pictures.to_vec(), &perturbation)?),
        ("cam", TensorView::new(Dtype::F16, vec![images.len(), domains, 2, size, size], &cam)?),
    ];
    let metadata = HashMap::from([(WORDS.to_owned(), serde_json::to_string(&words)?)]);
    let bytes = safetensors::serialize(tensors, Some(metadata))?;
    write_atomic(path, |out| out.write_all(&bytes))
}

/// Reads what [`save`] wrote; every fault is one sentence that names the file.
pub fn load(path: &Path) -> anyhow::Result<Snapshot> {
    let unreadable = |error| anyhow!(unreadable_file(path, &error));
    let bytes = reading::read(path, MAX_BYTES).map_err(unreadable)?;
    parse(&bytes).map_err(|e| anyhow!("{} holds no pictures of a run: {e:#}", path.display()))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Snapshot> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    let words = metadata.metadata().as_ref().and_then(|entries| entries.get(WORDS));
    let words: Words = serde_json::from_str(words.context("its description is missing")?)?;
    let version = words.format_version;
    ensure!(version == FORMAT_VERSION, "it is of format {version}; expected {FORMAT_VERSION}");
    let file = SafeTensors::deserialize(bytes)?;
    let tensor = |name: &str, dtype: Dtype, shape: &[usize]| {
        let found = file.tensor(name)?;
        let fits = found.dtype() == dtype && found.shape() == shape;
        ensure!(fits, "`{name}` is {:?} {:?}; expected {dtype:?} {shape:?}", found.dtype(), found.shape());
        Ok(found.data())
    };
    let size = file.tensor("clean")?.shape().get(1).copied().unwrap_or(0);
    let count = words.images.len();
    // Without pictures any side would fit.
    ensure!((size == 0) == (count == 0), "its pictures have a side of {size} pixels");
    let domains = words.images.first().map_or(0, |image| image.guesses.len());
    ensure!(words.images.iter().all(|image| image.guesses.len() == domains), "its images differ in domains");
    let known = |guess: &(usize, f32)| guess.0 < words.classes.len();
    let guesses = words.images.iter().flat_map(|image| image.guesses.iter().flatten().flatten());
    let labels = words.images.iter().map(|image| image.label);
    ensure!(
        guesses.into_iter().all(known) && labels.into_iter().all(|label| label < words.classes.len()),
        "it tells of a class that it has no name for"
    );
    let pictures = [count, size, size, 3];
    let clean = tensor("clean", Dtype::U8, &pictures)?;
    let perturbation = floats(tensor("perturbation", Dtype::F16, &pictures)?);
    let cam = floats(tensor("cam", Dtype::F16, &[count, domains, 2, size, size])?);

    // Layers of no channels would take no bytes of the file, and memory for each domain that they claim.
    ensure!(
        words.bn_layers.iter().all(|layer| layer.domains > 0 && layer.channels > 0),
        "it tells of a BN layer without domains or channels"
    );
    let lengths = words.bn_layers.iter().map(LayerWords::values);
    let length = lengths.sum::<Option<usize>>().context("its BN layers are too large")?;
    let bn_layers = match length {
        0 => Vec::new(),
        length => layers(&words.bn_layers, tensor("bn", Dtype::F32, &[length])?),
    };

    let (values, area) = (size * size * 3, size * size);
    let items = words.images.into_iter().enumerate().map(|(index, image)| {
        let place = index * values..(index + 1) * values;
        let (clean, perturbation) = (clean[place.clone()].to_vec(), perturbation[place].to_vec());
        let moved = clean.iter().zip(&perturbation).map(|(byte, change)| f32::from(*byte) + change);
        let adversarial = moved.map(|value| value.round().clamp(0.0, 255.0) as u8).collect();
        let views = image.guesses.into_iter().enumerate().map(|(domain, guesses)| {
            let map = |attacked: usize| {
                let first = ((index * domains + domain) * 2 + attacked) * area;
                cam[first..first + area].to_vec()
            };
            let [clean, adversarial] =
                guesses.map(|list| list.into_iter().map(|(class, p)| Guess { class, p }).collect());
            DomainView { clean, adversarial, cam: map(0), cam_adversarial: map(1) }
        });
        let views = views.collect();
        GalleryItem { name: image.name, label: image.label, size, clean, adversarial, perturbation, views }
    });
    Ok(Snapshot {
        step: words.step,
        gallery: items.collect(),
        bn_layers,
        attack: words.attack,
        attack_domain: words.attack_domain,
        classes: words.classes,
    })
}

impl ImageWords {
    fn of(item: &GalleryItem) -> Self {
        let pairs = |guesses: &[Guess]| guesses.iter().map(|guess| (guess.class, guess.p)).collect();
        let views = item.views.iter().map(|view| [pairs(&view.clean), pairs(&view.adversarial)]);
        Self { name: item.name.clone(), label: item.label, guesses: views.collect() }
    }
}

impl LayerWords {
    fn of(layer: &BnLayer) -> Self {
        let channels = layer.domains.first().map_or(0, |domain| domain.gamma.len());
        Self { name: layer.name.clone(), domains: layer.domains.len(), channels }
    }

    /// Numbers of the layer; `None` where no memory has room for so many.
    fn values(&self) -> Option<usize> {
        self.domains.checked_mul(self.channels)?.checked_mul(4)
    }
}

/// The four vectors of a domain in the order of the file.
fn vectors(domain: &BnDomain) -> [&Vec<f32>; 4] {
    [&domain.running_mean, &domain.running_var, &domain.gamma, &domain.beta]
}

/// The layers that `words` tell of, from all of their little-endian f32.
fn layers(words: &[LayerWords], bytes: &[u8]) -> Vec<BnLayer> {
    let mut values = bytes.as_chunks().0.iter().map(|chunk| f32::from_le_bytes(*chunk));
    let mut layer = |words: &LayerWords| {
        let mut vector = || values.by_ref().take(words.channels).collect::<Vec<f32>>();
        let mut domain =
            || BnDomain { running_mean: vector(), running_var: vector(), gamma: vector(), beta: vector() };
        BnLayer { name: words.name.clone(), domains: (0..words.domains).map(|_| domain()).collect() }
    };
    words.iter().map(&mut layer).collect()
}

/// Little-endian f16; what is too large becomes the largest number, so that scales stay finite.
fn halves<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<u8> {
    let largest = f16::MAX.to_f32();
    values.flat_map(|value| f16::from_f32(value.clamp(-largest, largest)).to_le_bytes()).collect()
}

/// The numbers of little-endian f16, as [`halves`] would have written them.
fn floats(bytes: &[u8]) -> Vec<f32> {
    let largest = f16::MAX.to_f32();
    let value = |chunk: &[u8; 2]| f16::from_le_bytes(*chunk).to_f32().clamp(-largest, largest);
    bytes.as_chunks().0.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        const SIZE: usize = 3;
        let item = |index: usize| {
            let clean: Vec<u8> = (0..SIZE * SIZE * 3).map(|i| (i * 9 + index) as u8).collect();
            let perturbation: Vec<f32> = (0..clean.len()).map(|i| (i % 3) as f32 * 0.75 - 0.75).collect();
            let moved = clean.iter().zip(&perturbation).map(|(byte, change)| f32::from(*byte) + change);
            let adversarial = moved.map(|v| v.round().clamp(0.0, 255.0) as u8).collect();
            let view = |domain: usize| DomainView {
                clean: vec![Guess { class: domain, p: 0.75 }, Guess { class: 2, p: 0.125 }],
                adversarial: vec![Guess { class: 2, p: 0.5 }],
                cam: vec![index as f32 + 0.5 * domain as f32; SIZE * SIZE],
                cam_adversarial: vec![-1.5; SIZE * SIZE],
            };
            let (name, views) = (format!("val/{index}"), vec![view(0), view(1)]);
            GalleryItem { name, label: index, size: SIZE, clean, adversarial, perturbation, views }
        };
        let domain = |of: f32| BnDomain {
            running_mean: vec![of, -1e-9],
            running_var: vec![1e-12, 3e38],
            gamma: vec![1.0, of],
            beta: vec![0.0, 0.1],
        };
        let layer = |name: &str| BnLayer { name: name.into(), domains: vec![domain(0.5), domain(0.3)] };
        Snapshot {
            step: 70,
            gallery: vec![item(0), item(1)],
            bn_layers: vec![layer("bn1"), layer("layer1.0.bn1")],
            attack: "pgd:eps=4,step=1,iters=5".into(),
            attack_domain: "main".into(),
            classes: ["cat", "dog", "cow"].map(String::from).to_vec(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pictures.safetensors");
        let made = snapshot();
        save(&path, &made).expect("writable");
        let read = load(&path).expect("a valid file");
        assert_eq!(format!("{read:?}"), format!("{made:?}"));
        let first = std::fs::read(&path).expect("readable");
        save(&path, &made).expect("writable");
        assert_eq!(std::fs::read(&path).expect("readable"), first, "equal pictures, equal bytes");

        let none = Snapshot { gallery: Vec::new(), bn_layers: Vec::new(), ..made };
        save(&path, &none).expect("writable");
        assert!(load(&path).expect("a valid file").gallery.is_empty());
    }

    #[test]
    fn damaged_files_are_one_sentence() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pictures.safetensors");
        let mut strange = snapshot();
        strange.gallery[1].label = 3;
        save(&path, &strange).expect("writable");
        assert!(load(&path).expect_err("a class too many").to_string().contains("no name"));

        save(&path, &snapshot()).expect("writable");
        let whole = std::fs::read(&path).expect("readable");
        let text = String::from_utf8_lossy(&whole).into_owned();
        let others = [
            (whole[..whole.len() - 7].to_vec(), ""),
            (b"no safetensors".to_vec(), ""),
            (Vec::new(), ""),
            (text.replacen("format_version\\\":1", "format_version\\\":2", 1).into_bytes(), ""),
        ];
        for (bytes, expected) in others {
            std::fs::write(&path, &bytes).expect("writable");
            let error = load(&path).expect_err("a damaged file").to_string();
            assert!(error.contains("pictures.safetensors") && error.contains(expected), "{error}");
        }
        let mut cut = snapshot();
        cut.gallery[1].views.pop();
        save(&path, &cut).expect_err("shapes that do not fit their data");
    }
}
