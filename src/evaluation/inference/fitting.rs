//! How many images inference takes at a time: as many as asked for where an attack on them fits the memory
//! that inference may take and the adapter's limits.

use super::attack_pass;
use crate::config::AttackConfig;
use crate::graph::Plan;
use crate::training::plans::PlanContext;

/// Activations that inference may take, beside a training run too.
const MOST_ARENA_BYTES: u64 = 2 << 30;

/// Smaller batches leave a GPU idle; rather than going below, activations are recomputed.
const FEW_IMAGES: usize = 8;

/// An attack's iteration holds the largest arena and has the largest tensors of all that inference does.
pub(super) fn probe_attack(context: &PlanContext<'_>) -> Plan {
    let place = context.inference_attack_place();
    context.attack_iteration(&AttackConfig::default(), attack_pass(0), &place)
}

/// `context` with the most images, up to its own, whose attack fits [`MOST_ARENA_BYTES`] with no tensor above
/// `largest_binding` bytes; a single image is planned however large it is. Recomputation changes no result,
/// and the size of the batch none beyond the rounding of what [`crate::graph`] fuses for it.
pub(super) fn fitting<'a>(context: &PlanContext<'a>, largest_binding: u64) -> PlanContext<'a> {
    let probe = |images, recompute| {
        let tried = PlanContext { images, recompute, caps: context.caps.clone(), ..*context };
        let plan = probe_attack(&tried);
        (tried, plan)
    };
    let mut most = context.images;
    while most > 1 && probe(most, false).1.largest_view() > largest_binding {
        most = most.div_ceil(2);
    }
    for (recompute, least) in [(false, FEW_IMAGES), (true, 1)] {
        let mut images = most;
        loop {
            let (tried, plan) = probe(images, recompute);
            if plan.arena_bytes() <= MOST_ARENA_BYTES {
                return tried;
            }
            if images <= least {
                break;
            }
            images = images.div_ceil(2);
        }
    }
    PlanContext { images: 1, recompute: true, caps: context.caps.clone(), ..*context }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::gpu::{Caps, Element, Form};
    use crate::models::{ModelOptions, build};

    #[test]
    fn large_images_go_in_smaller_batches_and_small_ones_as_asked() {
        const NO_LIMIT: u64 = u64::MAX;
        /// What WebGPU promises and software adapters have.
        const LEAST_LIMIT: u64 = 128 << 20;
        let config = Config::default();
        for (arch, size, limit, batch, recompute) in [
            ("tf_efficientnet_b0", 32, NO_LIMIT, 64, false),
            ("tf_efficientnet_b0", 224, NO_LIMIT, 64, false),
            ("tf_efficientnet_b0", 224, LEAST_LIMIT, 16, false),
            ("tf_efficientnet_b3", 300, NO_LIMIT, 16, false),
            ("tf_efficientnet_b4", 380, LEAST_LIMIT, 4, false),
            ("tf_efficientnet_b8", 672, NO_LIMIT, 8, true),
            ("tf_efficientnet_b8", 672, LEAST_LIMIT, 1, false),
        ] {
            let network = build(arch, &ModelOptions::plain(1000, size)).unwrap();
            let context = PlanContext {
                config: &config,
                network: &network,
                caps: Caps::plain(Form::Tiles),
                images: 64,
                chunk_limit: u64::MAX,
                recompute: false,
                storage: Element::F32,
            };
            let found = fitting(&context, limit);
            assert_eq!((found.images, found.recompute), (batch, recompute), "{arch} at {size} pixels");
            let plan = probe_attack(&found);
            assert!(plan.arena_bytes() <= MOST_ARENA_BYTES && plan.largest_view() <= limit);
        }
    }
}
