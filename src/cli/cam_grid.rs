//! `dualprop cam-grid`: where several networks look, side by side, as one picture.

use super::cam::Method;
use super::common::{DeviceOption, WeightsChoice, evaluation_attack, load_model, note, print_line};
use super::eval::{Domains, domains_parser};
use super::files::write_picture;
use super::progress::Progress;
use crate::config::{Corruption, Domain, EvaluationAttack, ParameterSet};
use crate::data::corruptions::{Corruptor, SEVERITIES};
use crate::data::{Framing, comparable, load_image_file};
use crate::evaluation::Model;
use crate::evaluation::activation_map;
use crate::evaluation::auto_domain::Through;
use crate::evaluation::cam_tile::{CamTile, cam_tiles};
use crate::evaluation::sheet::{Mark, SheetCell, SheetRow, draw};
use std::path::{Path, PathBuf};

/// Images at a time.
const BATCH: usize = 16;

/// Draws where several models look, as one picture: a row for each model, a column for each image.
///
/// Each image stands clean, then corrupted and attacked where that is asked for. Below it are the class that
/// the model takes it for, which the heatmap explains, and its probability. Where an image lies in a folder
/// that is called like one of the model's classes, a closed frame and the word correct, or a broken frame and
/// the right class, say how it turned out. Attacks go through the row's own model and domain, away from the
/// true class where it is known, else from the one predicted.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop cam-grid runs/vanilla/best.safetensors runs/mixprop/best.safetensors --images photos/tench/1.jpg photos/wombat/7.jpg --out maps.png --corruption fog:3"
)]
pub(super) struct CamGrid {
    /// Checkpoints
    #[arg(value_name = "CKPT", required = true)]
    checkpoints: Vec<PathBuf>,
    /// PNG, JPEG or WebP files
    #[arg(long, value_name = "IMAGE", required = true, num_args = 1..)]
    images: Vec<PathBuf>,
    /// PNG to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Show the images attacked too, such as pgd:eps=4,step=1,iters=5
    #[arg(long, value_name = "SPEC", value_parser = evaluation_attack)]
    attack: Option<EvaluationAttack>,
    /// Show the images corrupted too: a corruption of ImageNet-C and its severity, such as fog:3
    #[arg(long, value_name = "NAME:SEVERITY", value_parser = corruption)]
    corruption: Option<(Corruption, u8)>,
    /// Class activation map (Zhou et al. 2016) or Grad-CAM
    #[arg(long, value_enum, default_value_t = Method::Cam)]
    method: Method,
    /// BN domain of the rows; auto: the one that fits each image; all: a row for each that a model has,
    /// and auto where there are several
    #[arg(long, value_parser = domains_parser(), default_value = Domain::Main.name())]
    domain: Domains,
    /// Last weights, or their moving average; by default the average where there is one
    #[arg(long, value_enum)]
    weights: Option<WeightsChoice>,
    #[command(flatten)]
    device: DeviceOption,
}

fn corruption(text: &str) -> Result<(Corruption, u8), String> {
    let expected = || "expected NAME:SEVERITY with a severity of 1 to 5, such as fog:3".to_owned();
    let (name, severity) = text.split_once(':').ok_or_else(expected)?;
    let severity = severity.parse().ok().filter(|severity| SEVERITIES.contains(severity));
    Ok((name.parse()?, severity.ok_or_else(expected)?))
}

/// One version of an image for one model.
struct Column {
    image: usize,
    words: String,
    /// `[S, S, 3]`, 0..255.
    pixels: Vec<f32>,
}

impl CamGrid {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let inputs = self.checkpoints.iter().chain(&self.images);
        for input in inputs {
            super::common::check_other_file(input, &self.out)?;
        }
        if let Some(caution) = self.attack.as_ref().and_then(EvaluationAttack::unit_caution) {
            note(&format!("note: {caution}"));
        }
        let mut progress = Progress::new("explaining", "models");
        let mut rows = Vec::new();
        for (number, checkpoint) in self.checkpoints.iter().enumerate() {
            let batch = BATCH.min(self.images.len());
            let mut model = load_model(checkpoint, self.weights, &self.device, batch)?;
            if let Some(caution) = activation_map::caution(model.network()) {
                progress.aside(|| note(&format!("note: {}: {caution}", checkpoint.display())));
            }
            for through in self.domain.of(&model)? {
                rows.push(self.row(&mut model, checkpoint, through)?);
            }
            progress.update(number + 1, self.checkpoints.len());
        }
        drop(progress);
        let title = match self.method {
            Method::Cam => "Class activation maps of the predicted class",
            Method::Gradcam => "Grad-CAM of the predicted class",
        };
        let picture = draw(title, &rows);
        write_picture(&self.out, picture.width, picture.height, &picture.rgb)?;
        print_line(&format!(
            "{}: {} rows, {} x {} pixels",
            self.out.display(),
            rows.len(),
            picture.width,
            picture.height
        ))
    }

    fn row(&self, model: &mut Model, checkpoint: &Path, through: Through) -> anyhow::Result<SheetRow> {
        let classes = model.meta().classes.clone();
        let labels: Vec<Option<usize>> = self.images.iter().map(|path| label(path, &classes)).collect();
        let columns = self.columns(model, through, &labels)?;
        let pixels: Vec<f32> = columns.iter().flat_map(|column| column.pixels.iter().copied()).collect();
        let tiles = cam_tiles(model, &pixels, through, self.method.engine())?;
        let cells = columns.iter().zip(tiles).map(|(column, tile)| {
            let name = self.images[column.image].file_name().unwrap_or_default().to_string_lossy();
            cell(tile, &classes, labels[column.image], [&name, &column.words])
        });
        let label =
            vec![run_name(checkpoint), format!("domain {}", through.name()), model.meta().arch.clone()];
        Ok(SheetRow { label, cells: cells.collect() })
    }

    /// The images as a model sees them, each clean and then as it was asked for.
    fn columns(
        &self,
        model: &mut Model,
        through: Through,
        labels: &[Option<usize>],
    ) -> anyhow::Result<Vec<Column>> {
        let (size, framing) = (model.meta().image_size, Framing::of(&model.config().data));
        let classes = model.network().classes;
        let mut columns = Vec::new();
        for (image, path) in self.images.iter().enumerate() {
            let bytes = load_image_file(path, size, framing)?;
            let floats = |bytes: &[u8]| bytes.iter().map(|byte| f32::from(*byte)).collect::<Vec<f32>>();
            let clean = floats(&bytes);
            columns.push(Column { image, words: "clean".to_owned(), pixels: clean.clone() });
            if let Some((corruption, severity)) = self.corruption {
                let corruptor = Corruptor::new(ParameterSet::of_size(size), model.config().run.seed);
                let made = corruptor.apply(corruption, severity, &bytes, size, size, image as u64);
                let words = format!("{} {severity}", corruption.name());
                columns.push(Column { image, words, pixels: floats(&made) });
            }
            if let Some(attack) = &self.attack {
                let predicted = |model: &mut Model| -> anyhow::Result<usize> {
                    let logits = model.logits(&clean, through)?;
                    Ok((1..classes)
                        .fold(0, |best, class| if logits[class] > logits[best] { class } else { best }))
                };
                let label = labels[image].map_or_else(|| predicted(model), Ok)?;
                let seed = model.config().run.seed;
                let pixels =
                    model.strongest(&clean, &[label], attack, through, seed, &[image as u32])?.pixels;
                columns.push(Column { image, words: attack.spec(), pixels });
            }
        }
        Ok(columns)
    }
}

/// The class that an image's folder is called like.
fn label(path: &Path, classes: &[String]) -> Option<usize> {
    let folder = path.parent()?.file_name()?.to_str()?;
    classes.iter().position(|class| comparable(class) == comparable(folder))
}

/// The folder of a run, or what the file is called that lies in none.
fn run_name(checkpoint: &Path) -> String {
    let folder = checkpoint.parent().and_then(Path::file_name);
    folder.or(checkpoint.file_stem()).unwrap_or_default().to_string_lossy().into_owned()
}

fn cell(tile: CamTile, classes: &[String], label: Option<usize>, names: [&str; 2]) -> SheetCell {
    let mut lines: Vec<String> = names.map(str::to_owned).into();
    lines.push(format!("{} {:.1}%", classes[tile.class], 100.0 * tile.p));
    let mark = match label {
        None => Mark::None,
        Some(label) if label == tile.class => Mark::Correct,
        Some(_) => Mark::Wrong,
    };
    lines.extend(label.map(|label| match mark {
        Mark::Correct => "correct".to_owned(),
        _ => format!("wrong: {}", classes[label]),
    }));
    SheetCell { side: tile.side, rgb: tile.overlay, lines, mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_image_tells_its_class() {
        let classes = ["tench".to_owned(), "wombat".to_owned()];
        assert_eq!(label(Path::new("photos/wombat/1.jpg"), &classes), Some(1));
        assert_eq!(label(Path::new("photos/1.jpg"), &classes), None);
        assert_eq!(label(Path::new("1.jpg"), &classes), None);
    }

    #[test]
    fn corruptions_are_read_with_their_severity() {
        assert_eq!(corruption("fog:3"), Ok((Corruption::Fog, 3)));
        for wrong in ["fog", "fog:6", "fog:"] {
            assert!(corruption(wrong).unwrap_err().contains("NAME:SEVERITY"), "{wrong}");
        }
        assert!(corruption("frog:3").unwrap_err().contains("did you mean fog"));
    }
}
