//! How a BN layer's inputs are distributed once they are normalised: by each domain's running statistics, for
//! clean and attacked images. Around 0 with a spread of 1 where the statistics describe the data, elsewhere
//! where they do not.

use super::opened::{ImageChoice, Opened, Pixels};
use crate::config::AttackConfig;

/// Bins of a histogram. What lies outside [`RANGE`] falls into the outermost bins.
pub const BINS: usize = 60;
/// Standard deviations that a histogram spans on each side of 0.
pub const RANGE: f32 = 6.0;

/// Which BN layer to take histograms of, on which images.
#[derive(Clone, Debug, PartialEq)]
pub struct DistributionRequest {
    /// Index of the BN layer, from the input.
    pub layer: usize,
    /// The channel; `None` takes all channels together.
    pub channel: Option<usize>,
    /// The images that enter the network.
    pub images: ImageChoice,
    /// Makes the attacked images, through each domain for itself.
    pub attack: AttackConfig,
    /// Draws random starts and targets of the attack.
    pub seed: u64,
}

/// The answer to a [`DistributionRequest`]: two histograms a domain, clean before attacked.
#[derive(Clone, Debug)]
pub struct Distributions {
    /// Finished steps of the model.
    pub step: u64,
    /// What was asked.
    pub request: DistributionRequest,
    /// The histograms, domain by domain.
    pub lines: Vec<Distribution>,
}

/// The histogram of one domain, of clean or of attacked images.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// Index of the domain.
    pub domain: usize,
    /// Whether the images were attacked.
    pub attacked: bool,
    /// Share of the values in each of [`BINS`] equal bins over ±[`RANGE`], 0..1; they sum to 1.
    pub shares: Vec<f32>,
    /// Mean of the normalised values.
    pub mean: f32,
    /// Standard deviation of the normalised values.
    pub deviation: f32,
}

/// Sends the images through every domain, clean and attacked, and takes the histograms of what enters the
/// layer.
pub(super) fn distributions(
    opened: &mut Opened,
    request: &DistributionRequest,
) -> anyhow::Result<Distributions> {
    let images = Pixels::load(&opened.model, &opened.sets, &request.images)?;
    let model = &mut opened.model;
    let layers = model.bn_layers();
    let Some(layer) = layers.get(request.layer) else {
        anyhow::bail!("the model has {} BN layers", layers.len());
    };
    let eps = model.network().bn.eps;
    let clean = images.floats();
    let mut lines = Vec::new();
    for (domain, statistics) in layer.domains.iter().enumerate() {
        let classes = model.meta().classes.len();
        let logits = model.logits(&clean, domain)?;
        let guesses = logits.chunks_exact(classes).map(|row| crate::evaluation::softmax::top_guesses(row, 1));
        let predicted: Vec<usize> = guesses.map(|g| g.first().map_or(0, |guess| guess.class)).collect();
        let labels: Vec<usize> =
            images.labels.iter().zip(predicted).map(|(known, guess)| known.unwrap_or(guess)).collect();
        let adversarial =
            model.attack(&clean, &labels, &request.attack, domain, request.seed, &images.ids)?;
        for (attacked, pixels) in [(false, &clean), (true, &adversarial)] {
            let rows = model.bn_input(pixels, domain, request.layer)?;
            let (mean, var) = (&statistics.running_mean, &statistics.running_var);
            lines.push(histogram(domain, attacked, &rows, mean, var, eps, request.channel));
        }
    }
    Ok(Distributions { step: model.meta().step, request: request.clone(), lines })
}

/// The histogram of `rows` `[positions, channels]`, normalised by the layer's running mean and variance.
fn histogram(
    domain: usize,
    attacked: bool,
    rows: &[f32],
    mean: &[f32],
    var: &[f32],
    eps: f32,
    channel: Option<usize>,
) -> Distribution {
    let rstd: Vec<f32> = var.iter().map(|var| (var + eps).sqrt().recip()).collect();
    let mut counts = vec![0_u64; BINS];
    let (mut sum, mut squares, mut count) = (0.0_f64, 0.0_f64, 0_u64);
    for row in rows.chunks_exact(mean.len().max(1)) {
        for (index, value) in row.iter().enumerate() {
            if channel.is_some_and(|wanted| wanted != index) {
                continue;
            }
            let z = (value - mean[index]) * rstd[index];
            // NaN falls into the first bin, where it shows.
            let place = ((z + RANGE) / (2.0 * RANGE) * BINS as f32).clamp(0.0, BINS as f32 - 1.0);
            counts[place as usize] += 1;
            sum += f64::from(z);
            squares += f64::from(z).powi(2);
            count += 1;
        }
    }
    let total = count.max(1) as f64;
    let mean = sum / total;
    Distribution {
        domain,
        attacked,
        shares: counts.iter().map(|n| (*n as f64 / total) as f32).collect(),
        mean: mean as f32,
        deviation: (squares / total - mean * mean).max(0.0).sqrt() as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_fit_the_statistics_lie_around_zero() {
        // Two channels with means 10 and −4 and deviations 2 and 1.
        let rows = [8.0, -5.0, 12.0, -3.0];
        let made = histogram(0, false, &rows, &[10.0, -4.0], &[4.0, 1.0], 0.0, None);
        assert!(made.mean.abs() < 1e-6 && (made.deviation - 1.0).abs() < 1e-6, "{made:?}");
        assert!((made.shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        let one = histogram(0, false, &rows, &[10.0, -9.0], &[4.0, 1.0], 0.0, Some(1));
        assert!((one.mean - 5.0).abs() < 1e-6, "only the chosen channel counts: {one:?}");
        let outside = histogram(0, false, &[99.0, f32::NAN], &[0.0], &[1.0], 0.0, None);
        assert_eq!((outside.shares[0], outside.shares[BINS - 1]), (0.5, 0.5));
    }
}
