//! Which classes a network takes for which: counts over a set of images, and the images that it gets most wrong.

use super::inference::Outcome;
use super::snapshot::best;
use crate::training::events::Guess;

/// Images kept for the gallery of the worst.
pub const WORST: usize = 24;

/// One image as the network saw it.
#[derive(Clone, Debug)]
pub struct Example {
    pub name: String,
    /// Index in its set.
    pub index: usize,
    pub label: usize,
    /// Cross-entropy against the label, nats.
    pub loss: f32,
    /// Best first, three of them.
    pub guesses: Vec<Guess>,
    /// `[S, S, 3]`, the image that was classified, attacked perhaps.
    pub pixels: Vec<u8>,
}

/// Counts of one (domain, clean or attacked) view of a set.
#[derive(Clone, Debug, Default)]
pub struct Confusion {
    pub classes: usize,
    /// `[true class, predicted class]`.
    pub counts: Vec<u32>,
    /// The images with the highest loss, highest first.
    pub worst: Vec<Example>,
    /// Sum of the losses, nats.
    loss: f64,
}

impl Confusion {
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes], ..Self::default() }
    }

    /// Adds a batch. `names` and `indices` are the images', `pixels` `[n, S, S, 3]` in 0..255.
    pub fn add(
        &mut self,
        outcome: &Outcome,
        labels: &[u32],
        indices: &[usize],
        pixels: &[f32],
        name: impl Fn(usize) -> String,
    ) {
        let each = pixels.len() / labels.len().max(1);
        for (place, (&label, &index)) in labels.iter().zip(indices).enumerate() {
            let label = label as usize;
            let logits = &outcome.logits[place * self.classes..(place + 1) * self.classes];
            let guesses = best(logits, 3);
            let Some(predicted) = guesses.first().map(|guess| guess.class) else { continue };
            self.counts[label * self.classes + predicted] += 1;
            let loss = outcome.loss[place];
            self.loss += f64::from(loss);
            // Equal losses stay in the set's order, so that the same images are shown each time.
            let after = self.worst.partition_point(|kept| kept.loss >= loss);
            if after < WORST {
                let shown = &pixels[place * each..(place + 1) * each];
                let pixels = shown.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect();
                let example = Example { name: name(index), index, label, loss, guesses, pixels };
                self.worst.insert(after, example);
                self.worst.truncate(WORST);
            }
        }
    }

    pub fn images(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Share of the images whose most probable class is the true one, 0..1; NaN without images.
    pub fn accuracy(&self) -> f32 {
        let right: u32 = (0..self.classes).map(|class| self.counts[class * (self.classes + 1)]).sum();
        right as f32 / self.images() as f32
    }

    /// Mean cross-entropy, nats; NaN without images.
    pub fn mean_loss(&self) -> f64 {
        self.loss / f64::from(self.images())
    }

    /// Images of a class, and the share of them that is recognised (the class's recall), 0..1.
    pub fn of_class(&self, class: usize) -> (u32, f32) {
        let row = &self.counts[class * self.classes..(class + 1) * self.classes];
        let images: u32 = row.iter().sum();
        (images, row[class] as f32 / images as f32)
    }

    /// Share of the images taken for a class that are of it (the class's precision), 0..1; NaN where there is none.
    pub fn precision(&self, class: usize) -> f32 {
        let taken: u32 = (0..self.classes).map(|row| self.counts[row * self.classes + class]).sum();
        self.counts[class * (self.classes + 1)] as f32 / taken as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_shares_and_the_worst() {
        let mut confusion = Confusion::new(2);
        let outcome = Outcome {
            loss: vec![0.1, 2.0, 0.5],
            top1: vec![true, false, true],
            top5: vec![true; 3],
            logits: vec![2.0, 0.0, 1.0, -1.0, -1.0, 1.0],
        };
        let pixels = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0];
        confusion.add(&outcome, &[0, 1, 1], &[4, 5, 6], &pixels, |i| format!("val/{i}"));
        assert_eq!(confusion.counts, [1, 0, 1, 1]);
        assert_eq!(confusion.accuracy(), 2.0 / 3.0);
        assert_eq!(confusion.of_class(1), (2, 0.5));
        assert_eq!(confusion.precision(0), 0.5);
        assert!((confusion.mean_loss() - 2.6 / 3.0).abs() < 1e-6);
        let names: Vec<&str> = confusion.worst.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["val/5", "val/6", "val/4"]);
        assert_eq!(confusion.worst[0].pixels, [2, 2, 2]);
    }
}
