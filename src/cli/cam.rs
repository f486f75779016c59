//! `dualprop cam`: where the network looks.

use super::common::{InputFiles, ModelArgs, check_class, note, pixels, print_line, whole};
use super::files::{unique_stems, write_png};
use super::progress::Progress;
use crate::evaluation::activation_map::{self, CamMethod};
use crate::evaluation::cam::{heatmap, min_max, overlay, resize_bilinear};
use crate::evaluation::softmax::top_classes;
use crate::interop::atomic::{create_folder, write_atomic};
use crate::interop::npy;
use std::path::PathBuf;

/// Images at a time.
const BATCH: usize = 16;

/// Draws class activation maps.
///
/// DIR/STEM.cam.npy (or STEM.gradcam.npy) is the map at the network's input size, 0..1; DIR/STEM.heatmap.png
/// shows it in colour and DIR/STEM.overlay.png over the image.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop cam runs/first/best.safetensors cat.jpg --out maps --method gradcam --domain aux"
)]
pub(super) struct Cam {
    /// Checkpoint
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// PNG, JPEG or WebP files
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Class activation map (Zhou et al. 2016) or Grad-CAM. MobileNetV3 has a layer between pooling and
    /// classifier, so its class activation map takes the gradient of the class's logit in place of the
    /// classifier's weights
    #[arg(long, value_enum, default_value_t = Method::Cam)]
    method: Method,
    /// Class to explain; by default the one predicted in the chosen domain
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    class: Option<usize>,
    #[command(flatten)]
    options: ModelArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    Cam,
    Gradcam,
}

impl Method {
    pub(super) fn engine(self) -> CamMethod {
        match self {
            Self::Cam => CamMethod::Cam,
            Self::Gradcam => CamMethod::GradCam,
        }
    }
}

impl Cam {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (mut model, through) = self.options.load(&self.checkpoint, BATCH.min(self.images.len()))?;
        let (size, names) = (model.meta().image_size, model.meta().classes.clone());
        if let Some(class) = self.class {
            check_class("--class", class, &names)?;
        }
        if self.method == Method::Cam && model.network().hidden.is_some() {
            let arch = &model.meta().arch;
            note(&format!(
                "note: {arch} has a layer between pooling and classifier, so each map takes the gradient of the class's logit in place of the classifier's weights"
            ));
        }
        if let Some(caution) = activation_map::caution(model.network()) {
            note(&format!("note: {caution}"));
        }
        create_folder(&self.out)?;
        let (stems, notes) = unique_stems(&self.images);
        notes.iter().for_each(|text| note(&format!("note: {text}")));
        let mut progress = Progress::new("explaining", "images");
        let mut files = InputFiles::new(&self.images, BATCH);
        while let Some(pictures) = files.next_batch(&model, &progress) {
            let pixels = pixels(&pictures);
            let seen = model.see(&pixels, through)?;
            let guesses = seen.logits.chunks_exact(names.len()).map(|l| top_classes(l, 1)[0].0);
            let classes: Vec<usize> = guesses.map(|predicted| self.class.unwrap_or(predicted)).collect();
            let maps = model.maps(&seen, &classes, self.method.engine());
            for ((picture, class), map) in pictures.iter().zip(classes).zip(maps) {
                let stem = &stems[picture.index];
                let map = self.scaled(&map, size);
                let file = |ending: &str| self.out.join(format!("{stem}.{ending}"));
                let array = file(&format!("{}.npy", self.method.engine().name()));
                write_atomic(&array, |out| npy::write_f32(out, &[size, size], &map))?;
                write_png(&file("heatmap.png"), size, &heatmap(&map))?;
                write_png(&file("overlay.png"), size, &overlay(&picture.bytes, &map))?;
                let (path, name) = (picture.path.display(), &names[class]);
                let line = format!("{path}: {name} ({class}), {}", array.display());
                progress.aside(|| print_line(&line))?;
            }
            progress.update(files.done(), self.images.len());
        }
        drop(progress);
        files.finish()
    }

    /// A raw square map at the features' resolution, as it is shown: Grad-CAM without its negative part, at
    /// the input size, 0..1.
    fn scaled(&self, map: &[f32], size: usize) -> Vec<f32> {
        let raw: Vec<f32> = match self.method {
            Method::Cam => map.to_vec(),
            Method::Gradcam => map.iter().map(|v| v.max(0.0)).collect(),
        };
        min_max(&resize_bilinear(&raw, raw.len().isqrt(), size))
    }
}
