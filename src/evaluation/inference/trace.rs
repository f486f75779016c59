//! An attack that is watched: the loss of each image before the first and after every iteration.

use super::{Images, Inference};
use crate::config::AttackConfig;
use crate::gpu::{Device, GpuError, Player};

impl Inference {
    /// As [`Inference::attack`], to the same bits, with a forward pass in between. Returns the cross-entropy against
    /// the given labels in nats, `[iterations + 1][n]`; the first row is that of the starting point.
    pub fn traced_attack(
        &mut self,
        device: &Device,
        player: &mut Player,
        images: Images<'_>,
        attack: &AttackConfig,
        domain: usize,
        seed: u64,
    ) -> Result<Vec<Vec<f32>>, GpuError> {
        let index = self.begin_attack(device, player, images, attack, domain, seed)?;
        player.submit(device)?;
        let mut losses = vec![self.forward_current(device, player, images.labels, domain)?.loss];
        for _ in 0..attack.iterations() {
            // The forward pass left the true labels where a targeted attack keeps its aims.
            self.write_aims(device, images, attack, seed);
            let (.., iteration) = &self.attacks[index];
            player.play(device, iteration)?;
            player.submit(device)?;
            losses.push(self.forward_current(device, player, images.labels, domain)?.loss);
        }
        Ok(losses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::models::{ModelOptions, build, init::initialize};

    #[test]
    fn watching_an_attack_changes_nothing_and_shows_its_loss_rise() {
        const IMAGES: usize = 3;
        let (config, device) = (Config::default(), Device::for_tests());
        let mut player = Player::new(&device);
        let options = ModelOptions { width: 0.25, depth: 0.3, stem_stride: 1, ..ModelOptions::plain(5, 16) };
        let network = build("resnet18", &options).unwrap();
        let arenas = initialize("resnet18", &network, 1);
        let [weights, running] = [&arenas.params, &arenas.running].map(|values| {
            let buffer = device.storage("arena", values.len() as u64 * 4).unwrap();
            device.write(&buffer, 0, values);
            buffer
        });
        let mut inference =
            Inference::new(&device, &config, &network, IMAGES, &weights, &running, |_, _| {}).unwrap();
        let pixels: Vec<f32> = (0..IMAGES * 16 * 16 * 3).map(|i| (i * i % 251) as f32).collect();
        let images = Images { pixels: &pixels, labels: &[0, 1, 2], ids: &[7, 8, 9] };
        for spec in ["pgd:eps=4,step=1,iters=3", "ifgsm:eps=2,step=1,iters=3,target=random_wrong"] {
            let attack = AttackConfig::parse_spec(spec).unwrap();
            inference.attack(&device, &mut player, images, &attack, 0, 3).unwrap();
            let plain = inference.pixels(&device, IMAGES).unwrap();
            let losses = inference.traced_attack(&device, &mut player, images, &attack, 0, 3).unwrap();
            assert_eq!(inference.pixels(&device, IMAGES).unwrap(), plain, "{spec}");
            assert_eq!(losses.len(), 4, "{spec}");
            let mean = |row: &[f32]| row.iter().sum::<f32>() / row.len() as f32;
            assert!(mean(&losses[3]) > mean(&losses[0]), "{spec}: {losses:?}");
            let end = inference.forward_current(&device, &mut player, images.labels, 0).unwrap().loss;
            assert_eq!(losses[3], end, "{spec}: the last row is the loss of the adversarial images");
        }
    }
}
