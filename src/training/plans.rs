//! The plans of a training step: prepare the images, make each branch's pixels, train on them, update the weights.

use super::buffers::{self, ARENA};
use super::method::{Branch, Method, Source};
use crate::config::{AttackConfig, AttackLoss, AttackStatistics, AttackTarget, Config};
use crate::gpu::{BufferId, Caps, Launch, View};
use crate::graph::{
    Forward, Gradients, Network, PassBuffers, PassSegment, PassSpec, Plan, PlanBuilder, Statistics, pad4,
};
use crate::kernels::attack::{self, AttackShape, AttackStep};
use crate::kernels::cross_entropy::{self, LossShape};
use crate::kernels::images::{self, Normalization};
use std::ops::Range;

/// Random stream of attack starts. Dropout and drop-path use the numbers of their nodes, which stay far below.
const START_STREAM: u32 = 1 << 20;

/// What every plan of a run has in common.
pub struct PlanContext<'a> {
    pub config: &'a Config,
    pub network: &'a Network,
    pub caps: Caps,
    /// Clean images of a micro-batch.
    pub images: usize,
    /// Largest arena chunk in bytes.
    pub chunk_limit: u64,
}

impl PlanContext<'_> {
    /// Pixels of one image.
    fn area(&self) -> usize {
        self.network.image_size.pow(2)
    }

    /// A buffer of one micro-batch's pixels.
    fn pixels(&self, id: BufferId) -> View {
        View::whole(id, self.images * self.area() * 4)
    }

    fn normalize(&self, builder: &mut PlanBuilder, pixels: View, input: View, first_image: usize) {
        let normalization = Normalization { mean: self.config.data.mean, std: self.config.data.std };
        let (rows, out_row) = (self.images * self.area(), first_image * self.area());
        builder.push(images::normalize(rows, &normalization, pixels, input, out_row));
    }

    /// Uploaded bytes to clean pixels, cropped and flipped; then each mixing branch's pixels.
    pub fn prepare(&self, method: &Method) -> Plan {
        let mut builder = PlanBuilder::new();
        let bytes = View::whole(buffers::BYTES, (self.images * self.area() * 3).div_ceil(4));
        let placements = View::whole(buffers::PLACEMENTS, self.images * 4);
        let clean = self.pixels(buffers::CLEAN);
        builder.push(images::prepare(self.images, self.network.image_size, bytes, placements, clean));
        for (index, branch) in method.branches.iter().enumerate() {
            if let Source::Mixup { .. } = branch.source {
                let table = View::whole(buffers::mix_table(index), self.images * 4);
                let mixed = self.pixels(buffers::branch_pixels(index));
                builder.push(images::mixup(self.images, self.area(), clean, table, mixed));
            }
        }
        builder.finish(ARENA, self.chunk_limit)
    }

    /// Pixels that `branch` trains on.
    fn source_pixels(&self, index: usize, branch: &Branch) -> View {
        self.pixels(match branch.source {
            Source::Clean => buffers::CLEAN,
            _ => buffers::branch_pixels(index),
        })
    }

    /// One pass over a range of branches: forward, loss, metrics' rows, backward with weight gradients.
    pub fn train(&self, method: &Method, branches: Range<usize>, rows_at: &RowLayout) -> Plan {
        let mut builder = PlanBuilder::new();
        let mut segments: Vec<PassSegment> = Vec::new();
        for branch in &method.branches[branches.clone()] {
            match segments.last_mut() {
                Some(last) if last.domain == branch.domain => last.images += self.images,
                _ => segments.push(PassSegment { images: self.images, domain: branch.domain }),
            }
        }
        let spec = PassSpec {
            segments,
            statistics: Statistics::BatchUpdating,
            regularize: true,
            weight_gradients: true,
            input_gradient: false,
            first_image: (branches.start * self.images) as u32,
        };
        let rows = spec.images();
        let input = builder.tensor(rows * self.area() * 4);
        for (position, index) in branches.clone().enumerate() {
            let pixels = self.source_pixels(index, &method.branches[index]);
            self.normalize(&mut builder, pixels, input, position * self.images);
        }
        let forward = Forward::build(&mut builder, self.network, spec, pass_buffers(), self.caps, input, &[]);
        let d_logits = builder.tensor(rows * pad4(self.network.classes));
        let first = rows_at.branch_first[branches.start];
        let shape = LossShape {
            rows,
            classes: self.network.classes,
            smoothing: self.config.loss.label_smoothing,
            negate: false,
        };
        let table = rows_of(buffers::ROWS, first, rows);
        let results = rows_of(buffers::RESULTS, first, rows);
        builder.push(cross_entropy::cross_entropy(&shape, forward.logits(), table, results, Some(d_logits)));
        Gradients::build(&mut builder, &forward, d_logits);
        builder.finish(ARENA, self.chunk_limit)
    }

    /// The starting point of an attack on the clean pixels, for branch `index`.
    pub fn attack_start(&self, config: &AttackConfig, adversarial: BufferId) -> Plan {
        let mut builder = PlanBuilder::new();
        let (shape, clean, pixels) =
            (self.attack_shape(), self.pixels(buffers::CLEAN), self.pixels(adversarial));
        builder.push(if config.starts_from_noise() {
            let ids = View::whole(buffers::IMAGE_IDS, self.images.next_multiple_of(4));
            attack::random_start(&shape, config.epsilon, START_STREAM, clean, ids, pixels)
        } else {
            attack::plain_start(&shape, clean, pixels)
        });
        builder.finish(ARENA, self.chunk_limit)
    }

    fn attack_shape(&self) -> AttackShape {
        AttackShape { images: self.images, rows_per_image: self.area() }
    }

    /// One attack step through `domain`: forward, loss, gradient of the image, step and projection. `weights` and
    /// `statistics` as training or inference wants them.
    pub fn attack_iteration(
        &self,
        config: &AttackConfig,
        domain: usize,
        statistics: Statistics,
        adversarial: BufferId,
    ) -> Plan {
        let mut builder = PlanBuilder::new();
        let pixels = self.pixels(adversarial);
        let input = builder.tensor(self.images * self.area() * 4);
        self.normalize(&mut builder, pixels, input, 0);
        let spec = PassSpec {
            segments: vec![PassSegment { images: self.images, domain }],
            statistics,
            regularize: false,
            weight_gradients: false,
            input_gradient: true,
            first_image: 0,
        };
        let forward = Forward::build(&mut builder, self.network, spec, pass_buffers(), self.caps, input, &[]);
        let d_logits = builder.tensor(self.images * pad4(self.network.classes));
        let results = builder.tensor(self.images * 4);
        let targeted = config.target == AttackTarget::RandomWrong;
        let smoothing = match config.loss {
            AttackLoss::Training => self.config.loss.label_smoothing,
            AttackLoss::CrossEntropy => 0.0,
        };
        let shape = LossShape { rows: self.images, classes: self.network.classes, smoothing, negate: false };
        let table = rows_of(buffers::ATTACK_ROWS, 0, self.images);
        builder.push(cross_entropy::cross_entropy(&shape, forward.logits(), table, results, Some(d_logits)));
        let gradients = Gradients::build(&mut builder, &forward, d_logits);
        let gradient = gradients.input.expect("the pass asked for it");
        // FGSM is one step of the ball's radius; GD walks without the ball. Towards a target the loss goes down.
        let length = config.step_size();
        let step = AttackStep {
            epsilon: config.epsilon,
            size: if targeted { -length } else { length },
            project: config.projects(),
        };
        let clean = self.pixels(buffers::CLEAN);
        builder.push(attack::step(&self.attack_shape(), &step, clean, gradient, 0, pixels));
        builder.finish(ARENA, self.chunk_limit)
    }

    /// Logits, features and per-row results of the pixels in `CURRENT` through `domain`, by running statistics.
    pub fn inference(&self, domain: usize) -> Plan {
        let mut builder = PlanBuilder::new();
        let input = builder.tensor(self.images * self.area() * 4);
        self.normalize(&mut builder, self.pixels(buffers::CURRENT), input, 0);
        let spec = PassSpec {
            segments: vec![PassSegment { images: self.images, domain }],
            statistics: Statistics::Running,
            regularize: false,
            weight_gradients: false,
            input_gradient: false,
            first_image: 0,
        };
        let logits = View::whole(buffers::LOGITS, self.images * pad4(self.network.classes));
        let feature_len = self.network.node(self.network.features).shape.padded_len();
        let features = View::whole(buffers::FEATURES, self.images * feature_len);
        let placed = [(self.network.logits, logits), (self.network.features, features)];
        let forward =
            Forward::build(&mut builder, self.network, spec, pass_buffers(), self.caps, input, &placed);
        let shape =
            LossShape { rows: self.images, classes: self.network.classes, smoothing: 0.0, negate: false };
        let table = rows_of(buffers::ATTACK_ROWS, 0, self.images);
        let results = rows_of(buffers::RESULTS, 0, self.images);
        builder.push(cross_entropy::cross_entropy(&shape, forward.logits(), table, results, None));
        builder.finish(ARENA, self.chunk_limit)
    }

    /// Sums the rows' results by branch.
    pub fn metrics(&self, rows_at: &RowLayout) -> Launch {
        let segments: Vec<(u32, u32)> =
            rows_at.branch_first.iter().map(|first| (*first as u32, self.images as u32)).collect();
        let results = View::whole(buffers::RESULTS, rows_at.total * 4);
        let sums = View::whole(buffers::METRICS, segments.len() * 4);
        cross_entropy::metrics(&segments, results, sums, false)
    }
}

/// Where each branch's rows lie in the row table and the results: passes begin at whole binding alignments (16 rows of
/// 16 bytes), the branches of a pass follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLayout {
    pub branch_first: Vec<usize>,
    pub total: usize,
}

impl RowLayout {
    pub fn new(passes: &[Range<usize>], images: usize) -> Self {
        let mut layout = Self { branch_first: Vec::new(), total: 0 };
        for pass in passes {
            layout.total = layout.total.next_multiple_of(16);
            for _ in pass.clone() {
                layout.branch_first.push(layout.total);
                layout.total += images;
            }
        }
        layout
    }
}

/// What an attack of this configuration normalises by.
pub fn attack_statistics(config: &AttackConfig) -> Statistics {
    match config.bn_stats {
        AttackStatistics::Batch => Statistics::Batch,
        AttackStatistics::Running => Statistics::Running,
    }
}

fn pass_buffers() -> PassBuffers {
    PassBuffers { params: buffers::PARAMS, gradients: buffers::GRADIENTS, running: buffers::RUNNING }
}

/// `count` rows of 16 bytes from row `first`.
fn rows_of(id: BufferId, first: usize, count: usize) -> View {
    View::words(id, first as u64 * 16, count * 4)
}
