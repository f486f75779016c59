//! Which classes a network takes for which: counts over a set of images, and the images that it gets most
//! wrong.

use super::inference::Outcome;
use super::softmax::top_guesses;
use crate::training::events::Guess;
use std::collections::BTreeMap;

/// Images kept for the gallery of the worst.
pub const WORST: usize = 24;

/// One image as the network saw it.
#[derive(Clone, Debug)]
pub struct Example {
    /// Name of the image in its set.
    pub name: String,
    /// Index in its set.
    pub index: usize,
    /// True class.
    pub label: usize,
    /// Cross-entropy against the label, nats.
    pub loss: f32,
    /// The three most probable classes, best first.
    pub guesses: Vec<Guess>,
    /// `[S, S, 3]`, the image that was classified, attacked perhaps.
    pub pixels: Vec<u8>,
}

/// Counts over a set as one domain saw it, clean or attacked.
#[derive(Clone, Debug, Default)]
pub struct Confusion {
    /// Number of classes, which is the side of the matrix.
    pub classes: usize,
    /// Indices in the set of the images by (true class, predicted class), in the order that they were added.
    /// Most pairs of a thousand classes have none.
    cells: BTreeMap<(usize, usize), Vec<usize>>,
    /// Images of each class.
    of: Vec<u32>,
    /// Images taken for each class.
    taken_for: Vec<u32>,
    /// The images with the highest loss, highest first.
    pub worst: Vec<Example>,
    /// Sum of the losses, nats.
    loss: f64,
}

impl Confusion {
    /// A matrix of `classes` classes without an image.
    pub fn new(classes: usize) -> Self {
        Self { classes, of: vec![0; classes], taken_for: vec![0; classes], ..Self::default() }
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
            let guesses = top_guesses(logits, 3);
            let Some(predicted) = guesses.first().map(|guess| guess.class) else { continue };
            self.cells.entry((label, predicted)).or_default().push(index);
            self.of[label] += 1;
            self.taken_for[predicted] += 1;
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

    /// Images counted so far.
    pub fn images(&self) -> u32 {
        self.of.iter().sum()
    }

    /// Images of class `label` that were taken for `predicted`.
    pub fn count(&self, label: usize, predicted: usize) -> u32 {
        self.cell(label, predicted).len() as u32
    }

    /// Indices in the set of the images of class `label` that were taken for `predicted`.
    pub fn cell(&self, label: usize, predicted: usize) -> &[usize] {
        self.cells.get(&(label, predicted)).map_or(&[], Vec::as_slice)
    }

    /// What the images of a class were taken for, by rising class: (predicted class, images).
    pub fn row(&self, label: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        let cells = self.cells.range((label, 0)..(label + 1, 0));
        cells.map(|((_, predicted), images)| (*predicted, images.len() as u32))
    }

    /// Pairs of classes that were mistaken, (true class, predicted class, images), most images first; of
    /// equal ones the larger share of its class.
    pub fn mistakes(&self) -> Vec<(usize, usize, u32)> {
        let wrong = self.cells.iter().filter(|((label, predicted), _)| label != predicted);
        let mut pairs: Vec<_> =
            wrong.map(|((label, predicted), images)| (*label, *predicted, images.len() as u32)).collect();
        pairs.sort_by_key(|(label, _, count)| (std::cmp::Reverse(*count), self.of[*label]));
        pairs
    }

    /// Share of the images whose most probable class is the true one, 0..1; NaN without images.
    pub fn accuracy(&self) -> f32 {
        let right: u32 = (0..self.classes).map(|class| self.count(class, class)).sum();
        right as f32 / self.images() as f32
    }

    /// Mean cross-entropy, nats; NaN without images.
    pub fn mean_loss(&self) -> f64 {
        self.loss / f64::from(self.images())
    }

    /// Images of a class, and the share of them that is recognised (the class's recall), 0..1.
    pub fn of_class(&self, class: usize) -> (u32, f32) {
        let images = self.of[class];
        (images, self.count(class, class) as f32 / images as f32)
    }

    /// Share of the images taken for a class that are of it (the class's precision), 0..1; NaN where there is
    /// none.
    pub fn precision(&self, class: usize) -> f32 {
        self.count(class, class) as f32 / self.taken_for[class] as f32
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
        let counts = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(row, column)| confusion.count(row, column));
        assert_eq!(counts, [1, 0, 1, 1]);
        assert_eq!(confusion.row(1).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
        assert_eq!(confusion.row(0).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!([confusion.cell(1, 0), confusion.cell(1, 1), confusion.cell(0, 1)], [&[5][..], &[6], &[]]);
        assert_eq!(confusion.mistakes(), [(1, 0, 1)]);
        assert_eq!(confusion.accuracy(), 2.0 / 3.0);
        assert_eq!(confusion.of_class(1), (2, 0.5));
        assert_eq!(confusion.precision(0), 0.5);
        assert!((confusion.mean_loss() - 2.6 / 3.0).abs() < 1e-6);
        let names: Vec<&str> = confusion.worst.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["val/5", "val/6", "val/4"]);
        assert_eq!(confusion.worst[0].pixels, [2, 2, 2]);
    }
}
