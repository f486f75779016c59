//! The plans of an attack: its start, one iteration, and Fast AdvProp's iteration that trains too.

use super::buffers::{self, ARENA, AttackPlace};
use super::plans::{PlanContext, pass_buffers, rows_of};
use crate::config::{AttackConfig, AttackLoss, AttackStatistics, AttackTarget};
use crate::gpu::{Launch, View};
use crate::graph::{
    Forward, Gradients, PassBuffers, PassSpec, Plan, PlanBuilder, Statistics, fold_weights, pad4,
};
use crate::kernels::attack::{self, AttackShape, AttackStep, Momentum, RandomStart};
use crate::kernels::optimizer;

/// Random streams of attack starts. Dropout and drop-path use the numbers of their nodes, which stay far
/// below.
const START_STREAM: u32 = 1 << 20;

/// How an attacking pass works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttackPass {
    /// BN domain of the attacked network.
    pub through: usize,
    /// What the pass normalises by, and whether it moves the running statistics.
    pub statistics: Statistics,
    /// Keep the weights' gradients (Fast AdvProp).
    pub weight_gradients: bool,
}

/// What a loss at the end of an attacking pass reads and writes.
#[derive(Clone, Copy, Debug)]
pub struct LossViews {
    /// `[images, classes]` with the classes padded to four.
    pub logits: View,
    /// A label row an image.
    pub table: View,
    /// Loss and hits of each image, `[images, 4]`, written.
    pub results: View,
    /// The gradient at the logits, written.
    pub d_logits: View,
}

impl PlanContext<'_> {
    /// The starting point of an attack on the clean pixels, a momentum of zero where it has one, and with
    /// fixed statistics the weights that its iterations share.
    pub fn attack_start(&self, config: &AttackConfig, pass: AttackPass, place: &AttackPlace) -> Plan {
        let mut builder = PlanBuilder::new();
        let spec = self.attack_spec(pass, place);
        fold_weights(&mut builder, self.network, &spec, pass_buffers(), buffers::FOLDED);
        let clean = self.pixels(place.clean, place.images);
        let pixels = self.pixels(place.adversarial, place.images);
        let shape = self.attack_shape(place);
        if config.has_momentum() {
            let momentum = Momentum::new(&shape, buffers::ATTACK_STATE).gradient;
            builder.push(optimizer::zero(shape.images * shape.rows_per_image * 4, momentum));
        }
        builder.push(if config.starts_from_noise() {
            let ids = View::whole(place.ids, place.images.next_multiple_of(4));
            let start = RandomStart {
                epsilon: config.epsilon,
                probability: config.start_probability,
                stream: START_STREAM,
            };
            attack::random_start(&shape, &start, clean, ids, pixels)
        } else {
            attack::plain_start(&shape, clean, pixels)
        });
        builder.finish(ARENA, self.chunk_limit)
    }

    fn attack_spec(&self, pass: AttackPass, place: &AttackPlace) -> PassSpec {
        PassSpec {
            statistics: pass.statistics,
            weight_gradients: pass.weight_gradients,
            input_gradient: true,
            recompute: self.recompute,
            ..PassSpec::inference(place.images, pass.through, self.config.run.fusion)
        }
    }

    /// The pixels that an attack at `place` moves.
    pub fn attack_shape(&self, place: &AttackPlace) -> AttackShape {
        AttackShape { images: place.images, rows_per_image: self.area() }
    }

    /// Bytes of [`buffers::ATTACK_STATE`] for an attack on all images of the context.
    pub fn attack_momentum_bytes(&self) -> u64 {
        Momentum::bytes(&self.attack_shape(&self.inference_attack_place()))
    }

    /// Forward, the loss that `loss` launches, and backward to the pixels of `place`: the gradient there,
    /// `[images, S, S, 4]` with a fourth channel that counts for nothing. The weights are those that
    /// [`Self::attack_start`] folded. Loss and hits of each image go to `results`, where someone reads them
    /// behind the loss: a tensor of the arena that lives so long would not fit the probe's.
    pub fn image_gradient(
        &self,
        builder: &mut PlanBuilder,
        pass: AttackPass,
        place: &AttackPlace,
        results: Option<View>,
        loss: impl FnOnce(LossViews) -> Launch,
    ) -> View {
        let input = builder.stored(place.images * self.area() * 4, self.storage);
        self.normalize(builder, place.images, place.adversarial, input, 0);
        let spec = self.attack_spec(pass, place);
        let arenas = PassBuffers { folded: Some(buffers::FOLDED), ..pass_buffers() };
        let logits = place.images * pad4(self.network.classes);
        let placed = place.logits.map(|id| (self.network.logits, View::whole(id, logits)));
        let mut forward =
            Forward::build(builder, self.network, spec, arenas, self.caps.clone(), input, placed.as_slice());
        let d_logits = builder.tensor(logits);
        let results = results.unwrap_or_else(|| builder.tensor(place.images * 4));
        let table = rows_of(place.rows, 0, place.images);
        builder.push(loss(LossViews { logits: forward.logits(), table, results, d_logits }));
        let gradients = Gradients::build(builder, &mut forward, d_logits);
        gradients.input.expect("the pass asked for it")
    }

    /// One attack step: forward, loss, gradient of the image, step and projection.
    pub fn attack_iteration(&self, config: &AttackConfig, pass: AttackPass, place: &AttackPlace) -> Plan {
        let mut builder = PlanBuilder::new();
        let smoothing = match config.loss {
            AttackLoss::Training => self.config.loss.label_smoothing,
            AttackLoss::CrossEntropy => 0.0,
        };
        let shape = self.loss_shape(place.images, smoothing);
        let gradient = self.image_gradient(&mut builder, pass, place, None, |views| {
            self.loss(&shape, views.logits, views.table, views.results, views.d_logits)
        });
        // FGSM is one step of the ball's radius; GD walks without the ball. Towards a target the loss goes
        // down.
        let length = config.step_size();
        let step = AttackStep {
            epsilon: config.epsilon,
            size: if config.target == AttackTarget::RandomWrong { -length } else { length },
            project: config.projects(),
        };
        let shape = self.attack_shape(place);
        let direction = if config.has_momentum() {
            let momentum = Momentum::new(&shape, buffers::ATTACK_STATE);
            builder.extend(attack::accumulate(&shape, config.decay, gradient, 0, &momentum));
            momentum.gradient
        } else {
            gradient
        };
        let clean = self.pixels(place.clean, place.images);
        let pixels = self.pixels(place.adversarial, place.images);
        builder.push(attack::step(&shape, &step, clean, direction, 0, pixels));
        builder.finish(ARENA, self.chunk_limit)
    }
}

/// What an attack of this configuration normalises by while it trains.
pub fn attack_statistics(config: &AttackConfig) -> Statistics {
    match config.bn_stats {
        AttackStatistics::Batch => Statistics::Batch,
        AttackStatistics::Running => Statistics::Running,
    }
}
