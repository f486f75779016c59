//! An attack that is watched: the loss of each image before every iteration.

use super::{Draws, ImageBatch, Inference};
use crate::config::AttackConfig;
use crate::evaluation::softmax::cross_entropy;
use crate::gpu::{Gpu, GpuError};
use crate::graph::pad4;
use crate::training::buffers;

impl Inference {
    /// As [`Inference::attack`], to the same bits. Returns the cross-entropy against the given labels in
    /// nats, `[iterations][n]`, before each iteration; its passes have the logits anyway, which are read back
    /// in one piece.
    pub fn traced_attack(
        &mut self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        attack: &AttackConfig,
        domain: usize,
        seed: u64,
    ) -> Result<Vec<Vec<f32>>, GpuError> {
        let (size, index) = self.begin_attack(gpu, images, attack, domain, Draws { seed, start: 0 })?;
        let (classes, iterations) = (self.network.classes, attack.iterations() as usize);
        let row = pad4(classes);
        let floats = images.labels.len() * row;
        let bytes = floats as u64 * 4;
        let traced = gpu.device.storage("traced logits", bytes * iterations as u64)?;
        for iteration in 0..iterations as u64 {
            gpu.play(&self.sizes[size].attacks[index].iteration)?;
            let logits = self.buffers.get(buffers::LOGITS);
            gpu.player.copy(&gpu.device, (logits, 0), (&traced, iteration * bytes), bytes);
        }
        gpu.submit()?;
        let logits = gpu.device.read_f32(&traced, 0, floats * iterations)?;
        let of_images = |logits: &[f32]| -> Vec<f32> {
            let rows = logits.chunks_exact(row).zip(images.labels);
            rows.map(|(row, label)| cross_entropy(&row[..classes], *label as usize)).collect()
        };
        Ok(logits.chunks_exact(floats).map(of_images).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::gpu::Device;
    use crate::models::{ModelOptions, build, init::initialize};
    use std::sync::Arc;

    #[test]
    fn watching_an_attack_changes_nothing_and_shows_its_loss_rise() {
        const IMAGES: usize = 3;
        let (config, device) = (Config::default(), Device::for_tests());
        let mut gpu = Gpu::new(Arc::clone(&device));
        let options = ModelOptions { width: 0.25, depth: 0.3, stem_stride: 1, ..ModelOptions::plain(5, 16) };
        let network = build("resnet18", &options).unwrap();
        let arenas = initialize("resnet18", &network, 1);
        let [weights, running] = [&arenas.params, &arenas.running].map(|values| {
            let buffer = gpu.device.storage("arena", values.len() as u64 * 4).unwrap();
            gpu.device.write(&buffer, 0, values);
            buffer
        });
        let mut inference =
            Inference::new(&gpu.device, &config, &network, IMAGES, &weights, &running, |_, _| {}).unwrap();
        let pixels: Vec<f32> = (0..IMAGES * 16 * 16 * 3).map(|i| (i * i % 251) as f32).collect();
        let images = ImageBatch { pixels: &pixels, labels: &[0, 1, 2], ids: &[7, 8, 9] };
        for spec in [
            "pgd:eps=4,step=1,iters=3",
            "ifgsm:eps=2,step=1,iters=3,target=random_wrong",
            "mifgsm:eps=4,step=1,iters=3",
        ] {
            let attack = AttackConfig::parse_spec(spec).unwrap();
            inference.attack(&mut gpu, images, &attack, 0, 3).unwrap();
            let plain = inference.pixels(&gpu.device, IMAGES).unwrap();
            let losses = inference.traced_attack(&mut gpu, images, &attack, 0, 3).unwrap();
            assert_eq!(inference.pixels(&gpu.device, IMAGES).unwrap(), plain, "{spec}");
            assert_eq!(losses.len(), 3, "{spec}");
            let end = inference.forward_current(&mut gpu, images.labels, 0).unwrap().loss;
            let mean = |row: &[f32]| row.iter().sum::<f32>() / row.len() as f32;
            assert!(mean(&end) > mean(&losses[0]), "{spec}: {losses:?}");
            // One iteration less ends where the last one began.
            let shorter = AttackConfig { iterations: Some(2), ..attack };
            inference.attack(&mut gpu, images, &shorter, 0, 3).unwrap();
            let before = inference.forward_current(&mut gpu, images.labels, 0).unwrap().loss;
            for (traced, found) in losses[2].iter().zip(&before) {
                assert!((traced - found).abs() < 1e-4, "{spec}: {traced} against {found}");
            }
        }
    }
}
