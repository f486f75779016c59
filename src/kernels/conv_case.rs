//! A dense convolution in one direction as timed trials see it: which class of work it is, in which variants
//! it could run, and which it runs in: the one that a trial found best on this adapter, else the rule's.

use super::conv::{ConvShape, Product, WeightGradient};
use super::conv_variants::Variant;
use super::fusion::Fusion;
use crate::gpu::{BufferId, Caps, Element, Launch, View};
pub use crate::gpu::{ConvCase, Direction};

/// A case in one variant.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The variant's word in kept choices.
    pub variant: String,
    /// The case as it is, to be timed, without what a fused batch norm adds.
    pub timed: Work,
    /// On so few images that its results can be compared with another variant's.
    pub compared: Work,
}

/// Launches over buffers of their own: buffer `i` holds `parts[i].0` numbers stored as `parts[i].1`.
#[derive(Clone, Debug)]
pub struct Work {
    /// The launches in their order.
    pub launches: Vec<Launch>,
    /// Numbers of each buffer and how they are stored.
    pub parts: Vec<(usize, Element)>,
    /// Which buffer gets the result. A weight gradient adds to what is there.
    pub result: usize,
}

/// Most activations of [`Trial::compared`], unless a single image has more.
const COMPARED: usize = 1 << 21;

impl ConvCase {
    /// What a choice is kept for. Convolutions of a class are the same matrix product, read alike; whether
    /// activations are f32 or f16 enters only where it changes the variants.
    pub fn class(&self, caps: &Caps) -> String {
        let ConvShape { in_c, out_c, kernel, stride, .. } = self.shape;
        let (direction, pixels) = match self.direction {
            Direction::Forward => ("forward", self.shape.out_pixels()),
            Direction::DataGradient => ("data gradient", self.shape.in_pixels()),
            Direction::WeightGradient => ("weight gradient", self.shape.out_pixels()),
        };
        let by = if caps.matrices.is_some() { " by matrices" } else { "" };
        format!("{direction} {kernel}x{kernel}/{stride} {pixels} pixels {in_c} to {out_c}{by}")
    }

    /// The variants that make sense for the case, best estimate first: the first one is the rule's.
    fn ranked(&self, caps: &Caps) -> Vec<Variant> {
        let s = &self.shape;
        match self.direction {
            Direction::Forward => Product::forward(s).ranked(caps),
            Direction::DataGradient => Product::data_gradient(s).ranked(caps),
            Direction::WeightGradient => {
                Variant::ranked_weights(caps, s.pointwise(), s.inputs(), s.out_c, s.most_slices())
            }
        }
    }

    /// What the case runs in on this adapter.
    pub(super) fn variant(&self, caps: &Caps) -> Variant {
        let ranked = self.ranked(caps);
        let kept = caps.tuned.as_ref().and_then(|tuned| tuned.get(&self.class(caps)));
        kept.and_then(|name| ranked.iter().find(|v| v.to_string() == name)).copied().unwrap_or(ranked[0])
    }

    /// The kept choice that the case runs by, if there is one that is known here.
    pub fn kept_choice(&self, caps: &Caps) -> Option<String> {
        let kept = caps.tuned.as_ref()?.get(&self.class(caps))?;
        let used = self.variant(caps).to_string();
        (used == kept).then_some(used)
    }

    /// The case in the `count` most promising variants, the rule's first.
    pub fn trials(&self, caps: &Caps, element: Element, count: usize) -> Vec<Trial> {
        let s = &self.shape;
        let each = (s.in_pixels() * s.in_c + s.out_pixels() * s.out_c) / s.images;
        let few = ConvShape { images: (COMPARED / each).clamp(1, s.images), ..*s };
        let trial = |variant: Variant| Trial {
            variant: variant.to_string(),
            timed: self.work(s, variant, element),
            compared: self.work(&few, variant, element),
        };
        self.ranked(caps).into_iter().take(count).map(trial).collect()
    }

    fn work(&self, s: &ConvShape, variant: Variant, element: Element) -> Work {
        let (x, y) = ((s.in_pixels() * s.in_c, element), (s.out_pixels() * s.out_c, element));
        let w = (s.weights(), Element::F32);
        let parts = match self.direction {
            Direction::Forward => vec![x, w, y],
            Direction::DataGradient => vec![y, w, x],
            Direction::WeightGradient => {
                vec![
                    x,
                    y,
                    (WeightGradient::new(s, variant, vec![s.images]).partials().max(4), Element::F32),
                    w,
                ]
            }
        };
        let views: Vec<View> =
            (0..).zip(&parts).map(|(id, (n, e))| View::stored(BufferId(id), *n, *e)).collect();
        let result = parts.len() - 1;
        let launches = match self.direction {
            Direction::Forward => vec![Product::forward(s).launch(variant, views, false, &Fusion::NONE)],
            Direction::DataGradient => {
                vec![Product::data_gradient(s).launch(variant, views, false, &Fusion::NONE)]
            }
            Direction::WeightGradient => WeightGradient::new(s, variant, vec![s.images])
                .launches([views[0], views[1], views[2], views[3]], &Fusion::NONE),
        };
        Work { launches, parts, result }
    }
}
