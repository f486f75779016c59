//! The plans of training and inference passes: prepare the images, make each branch's pixels, train on them,
//! look at them. Attacks have a file of their own.

use super::branch_buffers::{BranchBuffers, ExtraView};
use super::buffers::{self, ARENA, AttackPlace};
use super::method::Method;
use super::precision;
use crate::config::Config;
use crate::gpu::{BufferId, Caps, Element, Launch, View};
use crate::graph::{
    BnConstants, Forward, Gradients, Network, PassBuffers, PassSegment, PassSpec, Plan, PlanBuilder,
    Statistics, pad4,
};
use crate::kernels::cross_entropy::{self, LossShape};
use crate::kernels::images::{self, Normalization};
use std::ops::Range;

/// What every plan of a run has in common.
pub struct PlanContext<'a> {
    /// The configuration of the run.
    pub config: &'a Config,
    /// The network that the passes go through.
    pub network: &'a Network,
    /// What kernels may use on this adapter.
    pub caps: Caps,
    /// Images of a micro-batch.
    pub images: usize,
    /// Largest arena chunk in bytes.
    pub chunk_limit: u64,
    /// Recompute the activations inside a block during the backward pass instead of keeping them.
    pub recompute: bool,
    /// How activations and their gradients are stored; with [`Element::F16`] losses are scaled.
    pub storage: Element,
}

impl PlanContext<'_> {
    /// Pixels of one image.
    pub(super) fn area(&self) -> usize {
        self.network.image_size.pow(2)
    }

    /// A buffer of `images` images' pixels.
    pub(super) fn pixels(&self, id: BufferId, images: usize) -> View {
        View::whole(id, images * self.area() * 4)
    }

    /// Normalises `images` images of the buffer `pixels` into the network's input, from image `first_image`
    /// of it on.
    pub fn normalize(
        &self,
        builder: &mut PlanBuilder,
        images: usize,
        pixels: BufferId,
        input: View,
        first_image: usize,
    ) {
        let normalization = Normalization { mean: self.config.data.mean, std: self.config.data.std };
        let (rows, out_row) = (images * self.area(), first_image * self.area());
        let pixels = self.pixels(pixels, images);
        builder.push(images::normalize(rows, &normalization, pixels, input, out_row));
    }

    /// Bytes to pixels, cropped and flipped; then the pixels of each branch that needs its own. The GPU has
    /// the bytes of `stored` images.
    pub fn prepare(&self, method: &Method, stored: usize) -> Plan {
        let mut builder = PlanBuilder::new();
        let size = self.network.image_size;
        let mut unpack = |bytes, placements, pixels| {
            let bytes = View::whole(bytes, (stored * self.area() * 3).div_ceil(4));
            let placements = View::whole(placements, self.images * 4);
            let pixels = self.pixels(pixels, self.images);
            builder.push(images::prepare(self.images, size, bytes, placements, pixels));
        };
        unpack(buffers::BYTES, buffers::PLACEMENTS, buffers::CLEAN);
        for view in ExtraView::wanted(&method.branches) {
            unpack(view.bytes, view.placements, view.pixels);
        }
        for branch in BranchBuffers::of(method, self.images) {
            let Some(own) = branch.own_pixels() else { continue };
            let (from, to) = (self.pixels(own.from, self.images), self.pixels(own.to, branch.images()));
            let table = View::whole(own.table, branch.images() * own.table_rows() * 4);
            builder.push(if own.cutmix {
                images::cutmix(branch.images(), size, from, table, to)
            } else {
                images::mixup(branch.images(), self.area(), from, table, to)
            });
        }
        builder.finish(ARENA, self.chunk_limit)
    }

    /// One pass over a range of branches: forward, loss, metrics' rows, backward with weight gradients.
    pub fn train(&self, method: &Method, branches: Range<usize>, rows_at: &RowLayout) -> Plan {
        let mut builder = PlanBuilder::new();
        let mut segments: Vec<PassSegment> = Vec::new();
        for branch in &method.branches[branches.clone()] {
            let images = branch.images.len();
            match segments.last_mut() {
                Some(last) if last.domain == branch.domain => last.images += images,
                _ => segments.push(PassSegment { images, domain: branch.domain }),
            }
        }
        let before: usize = method.branches[..branches.start].iter().map(|b| b.images.len()).sum();
        let spec = PassSpec {
            segments,
            statistics: Statistics::BatchUpdating,
            regularize: true,
            weight_gradients: true,
            input_gradient: false,
            recompute: self.recompute,
            fusion: self.config.run.fusion,
            first_image: before as u32,
        };
        let rows = spec.images();
        let input = builder.stored(rows * self.area() * 4, self.storage);
        let mut first = 0;
        for branch in BranchBuffers::of(method, self.images).take(branches.end).skip(branches.start) {
            self.normalize(&mut builder, branch.images(), branch.trained(), input, first);
            first += branch.images();
        }
        let mut forward =
            Forward::build(&mut builder, self.network, spec, pass_buffers(), self.caps.clone(), input, &[]);
        let d_logits = builder.tensor(rows * pad4(self.network.classes));
        let first = rows_at.branch_first[branches.start];
        let table = rows_of(buffers::ROWS, first, rows);
        let results = rows_of(buffers::RESULTS, first, rows);
        let shape = self.loss_shape(rows, self.config.loss.label_smoothing);
        builder.push(self.loss(&shape, forward.logits(), table, results, d_logits));
        builder.begin_backward();
        Gradients::build(&mut builder, &mut forward, d_logits);
        builder.finish(ARENA, self.chunk_limit)
    }

    /// Forward passes over a range of branches that leave each domain's statistics of the batch in place of
    /// its running ones: one pass for neighbours of one domain, which share statistics as in training.
    /// Dropout and drop-path are off, as when the statistics are used.
    pub fn statistics(&self, method: &Method, branches: Range<usize>) -> Vec<(usize, Plan)> {
        let bn = BnConstants { momentum: 1.0, ..self.network.bn };
        let network = Network { bn, ..self.network.clone() };
        let mut plans = Vec::new();
        let mut rest = branches;
        while let Some(domain) = method.branches[rest.clone()].first().map(|b| b.domain) {
            let neighbours = method.branches[rest.clone()].iter().take_while(|b| b.domain == domain).count();
            let of_domain = rest.start..rest.start + neighbours;
            rest.start = of_domain.end;
            let images = method.branches[of_domain.clone()].iter().map(|b| b.images.len()).sum();
            let spec = PassSpec {
                statistics: Statistics::BatchUpdating,
                ..PassSpec::inference(images, domain, self.config.run.fusion)
            };
            let mut builder = PlanBuilder::new();
            let input = builder.stored(images * self.area() * 4, self.storage);
            let mut first = 0;
            for branch in BranchBuffers::of(method, self.images).take(of_domain.end).skip(of_domain.start) {
                self.normalize(&mut builder, branch.images(), branch.trained(), input, first);
                first += branch.images();
            }
            Forward::build(&mut builder, &network, spec, pass_buffers(), self.caps.clone(), input, &[]);
            plans.push((domain, builder.finish(ARENA, self.chunk_limit)));
        }
        plans
    }

    /// The loss with its gradient, scaled where the gradients behind it are stored in f16.
    pub(super) fn loss(
        &self,
        shape: &LossShape,
        logits: View,
        table: View,
        results: View,
        d_logits: View,
    ) -> Launch {
        match self.storage {
            Element::F32 => cross_entropy::cross_entropy(shape, logits, table, results, Some(d_logits)),
            Element::F16 => {
                let scale = precision::loss_scale();
                cross_entropy::scaled_cross_entropy(shape, logits, table, results, d_logits, scale)
            }
        }
    }

    pub(super) fn loss_shape(&self, rows: usize, smoothing: f32) -> LossShape {
        LossShape { rows, classes: self.network.classes, smoothing, negate: false }
    }

    /// Logits, features and per-row results of the pixels in `CURRENT` through `domain`, by running
    /// statistics.
    pub fn inference(&self, domain: usize) -> Plan {
        let mut builder = PlanBuilder::new();
        let input = builder.stored(self.images * self.area() * 4, self.storage);
        self.normalize(&mut builder, self.images, buffers::CURRENT, input, 0);
        let spec = PassSpec::inference(self.images, domain, self.config.run.fusion);
        let logits = View::whole(buffers::LOGITS, self.images * pad4(self.network.classes));
        let feature_len = self.network.node(self.network.features).shape.padded_len();
        let features = View::whole(buffers::FEATURES, self.images * feature_len);
        let placed = [(self.network.logits, logits), (self.network.features, features)];
        let forward = Forward::build(
            &mut builder,
            self.network,
            spec,
            pass_buffers(),
            self.caps.clone(),
            input,
            &placed,
        );
        let table = rows_of(buffers::ATTACK_ROWS, 0, self.images);
        let results = rows_of(buffers::RESULTS, 0, self.images);
        let shape = self.loss_shape(self.images, 0.0);
        builder.push(cross_entropy::cross_entropy(&shape, forward.logits(), table, results, None));
        builder.finish(ARENA, self.chunk_limit)
    }

    /// Where inference attacks find their images.
    pub fn inference_attack_place(&self) -> AttackPlace {
        AttackPlace {
            images: self.images,
            clean: buffers::CLEAN,
            adversarial: buffers::CURRENT,
            rows: buffers::ATTACK_ROWS,
            ids: buffers::IMAGE_IDS,
            logits: Some(buffers::LOGITS),
        }
    }

    /// The pixels that an inference attack leaves as they are, and those that it moves.
    pub fn attack_pixels(&self) -> [View; 2] {
        [buffers::CLEAN, buffers::CURRENT].map(|id| self.pixels(id, self.images))
    }

    /// Sums the rows' results by branch.
    pub fn metrics(&self, method: &Method, rows_at: &RowLayout) -> Launch {
        let rows = rows_at.branch_first.iter().zip(&method.branches);
        let segments: Vec<(u32, u32)> =
            rows.map(|(first, branch)| (*first as u32, branch.images.len() as u32)).collect();
        let results = View::whole(buffers::RESULTS, rows_at.total * 4);
        let sums = View::whole(buffers::METRICS, segments.len() * 4);
        cross_entropy::metrics(&segments, results, sums, false)
    }
}

/// Where each branch's rows lie in the row table and the results: passes begin at whole binding alignments
/// (16 rows of 16 bytes), the branches of a pass follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLayout {
    /// The first row of each branch.
    pub branch_first: Vec<usize>,
    /// Rows in all, with the gaps between passes.
    pub total: usize,
}

impl RowLayout {
    /// Lays out the rows of a method whose branches go through the network in these passes.
    pub fn new(method: &Method, passes: &[Range<usize>]) -> Self {
        let mut layout = Self { branch_first: Vec::new(), total: 0 };
        for pass in passes {
            layout.total = layout.total.next_multiple_of(16);
            for branch in &method.branches[pass.clone()] {
                layout.branch_first.push(layout.total);
                layout.total += branch.images.len();
            }
        }
        layout
    }
}

/// The arenas that every pass of a run works on.
pub fn pass_buffers() -> PassBuffers {
    PassBuffers {
        params: buffers::PARAMS,
        gradients: buffers::GRADIENTS,
        running: buffers::RUNNING,
        folded: None,
    }
}

/// `count` rows of 16 bytes from row `first`.
pub(super) fn rows_of(id: BufferId, first: usize, count: usize) -> View {
    View::words(id, first as u64 * 16, count * 4)
}
