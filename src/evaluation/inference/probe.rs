//! What enters a batch norm layer: the values that its running statistics describe, read out of a forward
//! pass.

use super::{ImageBatch, Inference};
use crate::gpu::{Gpu, GpuError, Program, View};
use crate::graph::{Forward, Op, PassSpec, PlanBuilder, pad4};
use crate::training::buffers::{self, ARENA};
use crate::training::plans::pass_buffers;

impl Inference {
    /// The inputs of BN layer `layer` (an index into the network's list) on a batch that goes through
    /// `domain` by running statistics, `[rows, channels]` with a row for each position of each image.
    pub fn bn_input(
        &self,
        gpu: &mut Gpu,
        images: ImageBatch<'_>,
        domain: usize,
        layer: usize,
    ) -> Result<Vec<f32>, GpuError> {
        let (device, network) = (&gpu.device, &self.network);
        let is_layer = |op: &Op| matches!(op, Op::BatchNorm { layer: found, .. } if *found == layer);
        let Some(node) = network.nodes.iter().find(|node| is_layer(&node.op)) else { return Ok(Vec::new()) };
        let (source, shape) = (node.inputs[0], node.shape);
        let count = images.labels.len();
        let elements = count * shape.padded_len();
        let kept = device.storage("BN input", elements as u64 * 4)?;

        let context = Self::context(device, &self.config, network, count, false);
        let mut builder = PlanBuilder::new();
        let input = builder.stored(count * network.image_size.pow(2) * 4, context.storage);
        context.normalize(&mut builder, count, buffers::CURRENT, input, 0);
        let spec = PassSpec::inference(count, domain, self.config.run.fusion);
        // The network ends at the layer's input, and the features' buffer stands for that in this plan.
        let mut beginning = network.clone();
        beginning.nodes.truncate(source.0 + 1);
        let placed = [(source, View::whole(buffers::FEATURES, elements))];
        Forward::build(&mut builder, &beginning, spec, pass_buffers(), context.caps.clone(), input, &placed);
        let plan = builder.finish(ARENA, context.chunk_limit);
        let mut bound = self.buffers.all().to_vec();
        bound[buffers::FEATURES.0 as usize] = kept.clone();
        for (chunk, bytes) in plan.arena.iter().enumerate() {
            let place = ARENA.0 as usize + chunk;
            match bound.get_mut(place) {
                Some(held) if held.size() >= *bytes => {}
                Some(held) => *held = device.storage("activations", *bytes)?,
                None => bound.push(device.storage("activations", *bytes)?),
            }
        }
        let program = Program::new(device, &plan.launches, &bound, &self.step_uniform)?;

        self.upload(device, images);
        gpu.play(&program)?;
        gpu.submit()?;
        let padded = gpu.device.read_f32(&kept, 0, elements)?;
        let rows = padded.chunks_exact(pad4(shape.channels));
        Ok(rows.flat_map(|row| &row[..shape.channels]).copied().collect())
    }
}
