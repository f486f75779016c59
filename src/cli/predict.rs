//! `dualprop predict`: classes of image files.

use super::common::{InputFiles, ModelArgs, NamedGuess, named_guesses, pixels, print_json, print_line};
use super::progress::Progress;
use crate::config::Domain;
use crate::evaluation::auto_domain::Through;
use serde::Serialize;
use std::path::PathBuf;

/// Images at a time.
const BATCH: usize = 32;

/// Names the classes of images, with probabilities.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop predict runs/first/best.safetensors cat.jpg dog.png --top 3 --json"
)]
pub(super) struct Predict {
    /// Checkpoint
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// PNG, JPEG or WebP files
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// Classes to show for each image
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    #[command(flatten)]
    options: ModelArgs,
    /// Print one JSON array in the order of the images, without those that cannot be used
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Prediction {
    path: String,
    domain: String,
    logits: Vec<f32>,
    top: Vec<NamedGuess>,
    /// The domain that fits the image, with `--domain auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen_domain: Option<String>,
}

impl Predict {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (mut model, through) = self.options.load(&self.checkpoint, BATCH.min(self.images.len()))?;
        let classes = model.meta().classes.clone();
        let mut progress = Progress::new("predicting", "images");
        let mut files = InputFiles::new(&self.images, BATCH);
        let mut predictions = Vec::new();
        while let Some(pictures) = files.next_batch(&model, &progress) {
            let pixels = pixels(&pictures);
            let logits = model.logits(&pixels, through)?;
            let chosen: Vec<Option<String>> = match through {
                Through::Domain(_) => vec![None; pictures.len()],
                Through::Auto => {
                    let choices = model.choose_domains(&pixels)?.into_iter();
                    choices.map(|domain| Some(Domain::name_of(domain))).collect()
                }
            };
            for ((picture, logits), chosen_domain) in
                pictures.iter().zip(logits.chunks_exact(classes.len())).zip(chosen)
            {
                let prediction = Prediction {
                    path: picture.path.display().to_string(),
                    domain: through.name(),
                    top: named_guesses(logits, &classes, self.top as usize),
                    logits: logits.to_vec(),
                    chosen_domain,
                };
                if self.json {
                    predictions.push(prediction);
                } else {
                    progress.aside(|| prediction.print())?;
                }
            }
            progress.update(files.done(), self.images.len());
        }
        drop(progress);
        if self.json {
            print_json(&predictions)?;
        }
        files.finish()
    }
}

impl Prediction {
    fn print(&self) -> anyhow::Result<()> {
        let chosen = self.chosen_domain.as_ref().map(|domain| format!(" (through {domain})"));
        print_line(&format!("{}{}", self.path, chosen.unwrap_or_default()))?;
        for guess in &self.top {
            print_line(&format!("  {:6.2}%  {} ({})", 100.0 * guess.p, guess.class, guess.index))?;
        }
        Ok(())
    }
}
