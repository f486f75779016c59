//! Attacks one picture through each BN domain of a checkpoint and says which class the network sees before
//! and after.
//!
//! `cargo run --release --example attack_a_picture -- CHECKPOINT PICTURE [SPEC]` writes
//! `adversarial-DOMAIN.png`. SPEC is that of `dualprop attack`, by default `pgd:eps=4,step=1,iters=5`.

use anyhow::Context as _;
use dualprop::config::AttackConfig;
use dualprop::data::{Framing, load_image_file};
use dualprop::evaluation::perturbation::rounded_towards;
use dualprop::evaluation::{Model, Weights};
use dualprop::gpu::DeviceChoice;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, picture, rest @ ..] = &args[..] else {
        println!("two arguments are missing: attack_a_picture CHECKPOINT PICTURE [SPEC]");
        return Ok(());
    };
    let spec = rest.first().map_or("pgd:eps=4,step=1,iters=5", String::as_str);
    let attack = AttackConfig::parse_spec(spec).map_err(anyhow::Error::msg)?;

    let device = DeviceChoice::Auto;
    let mut model = Model::load(Path::new(checkpoint), Weights::Auto, &device, 1, |_, _| {})?;
    let (size, domains) = (model.meta().image_size, model.meta().domains.clone());
    let framing = Framing::of(&model.config().data);
    let bytes = load_image_file(Path::new(picture), size, framing)?;
    let clean: Vec<f32> = bytes.into_iter().map(f32::from).collect();
    for (domain, name) in domains.iter().enumerate() {
        let before = best(&model.logits(&clean, domain)?);
        // Away from the class that the clean picture is taken for. The seed and the picture's number decide
        // the random start.
        let adversarial = model.attack(&clean, &[before], &attack, domain, 0, &[0])?;
        // Whole numbers, as an image file holds them, that do not leave the ε-ball.
        let bytes = rounded_towards(&clean, &adversarial, attack.epsilon.floor());
        let pixels: Vec<f32> = bytes.iter().copied().map(f32::from).collect();
        let after = best(&model.logits(&pixels, domain)?);
        let classes = &model.meta().classes;
        println!("{name}: {} becomes {} under {}", classes[before], classes[after], attack.spec());
        let image = image::RgbImage::from_raw(size as u32, size as u32, bytes).context("the model's size")?;
        image.save(format!("adversarial-{name}.png"))?;
    }
    Ok(())
}

/// The class with the largest of the logits `[classes]`.
fn best(logits: &[f32]) -> usize {
    (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0)
}
