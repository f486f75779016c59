//! `dualprop attack`: adversarial images of image files.

use super::common::{
    InputFiles, ModelArgs, NamedGuess, UsageError, check_class, evaluation_attack, named_guesses, note,
    pixels, print_json, print_line, whole,
};
use super::files::{unique_stems, write_png};
use super::progress::Progress;
use crate::config::EvaluationAttack;
use crate::evaluation::perturbation::{magnify, rounded_towards};
use crate::interop::atomic::create_folder;
use serde::Serialize;
use std::path::PathBuf;

/// Images at a time.
const BATCH: usize = 16;

/// Classes listed before and after.
const TOP: usize = 3;

/// Makes adversarial images, pictures of the perturbation, and predictions before and after.
///
/// DIR/STEM.adv.png is the adversarial image at the network's input size, each value rounded towards the
/// clean one, so that it keeps the epsilon limit exactly. DIR/STEM.perturbation.png is the difference around
/// mid-grey, magnified as far as it fits.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: dualprop attack runs/first/best.safetensors cat.jpg --out adversarial --attack pgd:eps=4,step=1,iters=5"
)]
pub(super) struct Attack {
    /// Checkpoint
    #[arg(value_name = "CKPT")]
    checkpoint: PathBuf,
    /// PNG, JPEG or WebP files
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Attack: pgd, ifgsm, mifgsm, gd, fgsm, apgd, apgd-t or square; eps and step in 1/255; restarts=R takes
    /// the worst of R random starts
    #[arg(long, value_name = "SPEC", default_value = "pgd:eps=4,step=1,iters=5", value_parser = evaluation_attack)]
    attack: EvaluationAttack,
    /// Class to attack; by default the one predicted for the clean image
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    label: Option<usize>,
    /// Seed of the random start
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    options: ModelArgs,
    /// Print one JSON array in the order of the images, without those that cannot be used
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Outcome {
    path: String,
    domain: String,
    attack: String,
    label: usize,
    /// Of the clean image, best first.
    clean: Vec<NamedGuess>,
    /// Of the adversarial PNG.
    adversarial: Vec<NamedGuess>,
    /// Largest change of a pixel value in the PNG, 1/255.
    max_change: u8,
    /// Magnification of the perturbation picture.
    gain: u8,
    adversarial_file: String,
    perturbation_file: String,
}

impl Attack {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (mut model, through) = self.options.load(&self.checkpoint, BATCH.min(self.images.len()))?;
        let (size, classes) = (model.meta().image_size, model.meta().classes.clone());
        if let Some(label) = self.label {
            check_class("--label", label, &classes)?;
        }
        if let Some(caution) = self.attack.unit_caution() {
            note(&format!("note: {caution}"));
        }
        if let Some(fault) = self.attack.fault(classes.len()) {
            return Err(UsageError(format!("--attack: {fault}")).into());
        }
        create_folder(&self.out)?;
        let (stems, notes) = unique_stems(&self.images);
        notes.iter().for_each(|text| note(&format!("note: {text}")));
        let mut progress = Progress::new("attacking", "images");
        let mut files = InputFiles::new(&self.images, BATCH);
        let mut outcomes: Vec<Outcome> = Vec::new();
        while let Some(pictures) = files.next_batch(&model, &progress) {
            let clean = pixels(&pictures);
            let guesses = |logits: &[f32]| -> Vec<Vec<NamedGuess>> {
                logits.chunks_exact(classes.len()).map(|l| named_guesses(l, &classes, TOP)).collect()
            };
            let before = guesses(&model.logits(&clean, through)?);
            let labels: Vec<usize> = before.iter().map(|g| self.label.unwrap_or(g[0].index)).collect();
            let ids: Vec<u32> = pictures.iter().map(|picture| picture.index as u32).collect();
            let adversarial =
                model.strongest(&clean, &labels, &self.attack, through, self.seed, &ids)?.pixels;
            let limit = if self.attack.projects() { self.attack.epsilon().floor() } else { 255.0 };
            let rounded = rounded_towards(&clean, &adversarial, limit);
            let seen: Vec<f32> = rounded.iter().map(|b| f32::from(*b)).collect();
            let after = guesses(&model.logits(&seen, through)?);
            let images = pictures.iter().zip(rounded.chunks_exact(3 * size * size));
            for (((picture, bytes), label), (clean, adversarial)) in
                images.zip(labels).zip(before.into_iter().zip(after))
            {
                let stem = &stems[picture.index];
                let adversarial_file = self.out.join(format!("{stem}.adv.png"));
                let perturbation_file = self.out.join(format!("{stem}.perturbation.png"));
                let (magnified, gain, max_change) = magnify(&picture.bytes, bytes);
                write_png(&adversarial_file, size, bytes)?;
                write_png(&perturbation_file, size, &magnified)?;
                let outcome = Outcome {
                    path: picture.path.display().to_string(),
                    domain: through.name(),
                    attack: self.attack.spec(),
                    label,
                    clean,
                    adversarial,
                    max_change,
                    gain,
                    adversarial_file: adversarial_file.display().to_string(),
                    perturbation_file: perturbation_file.display().to_string(),
                };
                if self.json {
                    outcomes.push(outcome);
                } else {
                    progress.aside(|| outcome.print())?;
                }
            }
            progress.update(files.done(), self.images.len());
        }
        drop(progress);
        if self.json {
            print_json(&outcomes)?;
        } else {
            print_line(&format!("files in {}", self.out.display()))?;
        }
        files.finish()
    }
}

impl Outcome {
    fn print(&self) -> anyhow::Result<()> {
        print_line(&format!(
            "{}: {} -> {} (changed by at most {}/255, perturbation shown {}-fold)",
            self.path,
            in_words(&self.clean),
            in_words(&self.adversarial),
            self.max_change,
            self.gain
        ))
    }
}

fn in_words(guesses: &[NamedGuess]) -> String {
    guesses.first().map_or(String::new(), |g| format!("{} {:.1}%", g.class, 100.0 * g.p))
}
