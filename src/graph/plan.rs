//! Collects launches over tensors that have no memory yet, then gives them memory.

use super::memory::{self, Interval};
use crate::gpu::{BufferId, Cost, Element, Launch, View};

/// Buffer numbers from here on name tensors of the builder, not buffers.
const VIRTUAL: u32 = 1 << 31;

/// Launches in order, over the caller's buffers and over tensors made here.
#[derive(Default)]
pub struct PlanBuilder {
    launches: Vec<Launch>,
    tensor_bytes: Vec<u64>,
    backward_from: Option<usize>,
}

impl PlanBuilder {
    /// A builder without launches.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tensor of `elements` floats that lives from the first launch that uses it to the last.
    pub fn tensor(&mut self, elements: usize) -> View {
        self.stored(elements, Element::F32)
    }

    /// As [`Self::tensor`], stored as `element` says.
    pub fn stored(&mut self, elements: usize, element: Element) -> View {
        let id = VIRTUAL + self.tensor_bytes.len() as u32;
        let view = View::stored(BufferId(id), elements.max(4), element);
        self.tensor_bytes.push(view.size);
        view
    }

    /// Appends a launch.
    pub fn push(&mut self, launch: Launch) {
        self.launches.push(launch);
    }

    /// Appends launches in order.
    pub fn extend(&mut self, launches: impl IntoIterator<Item = Launch>) {
        self.launches.extend(launches);
    }

    /// Marks where the backward pass begins: with the next launch.
    pub fn begin_backward(&mut self) {
        self.backward_from = Some(self.launches.len());
    }

    /// Packs the tensors into arena chunks of at most `chunk_limit` bytes; chunk `i` becomes `BufferId(first
    /// + i)`.
    pub fn finish(mut self, first: BufferId, chunk_limit: u64) -> Plan {
        let mut intervals: Vec<Option<Interval>> = vec![None; self.tensor_bytes.len()];
        for (index, launch) in self.launches.iter().enumerate() {
            for view in launch.views.iter().filter(|v| v.buffer.0 >= VIRTUAL) {
                let tensor = (view.buffer.0 - VIRTUAL) as usize;
                let bytes = self.tensor_bytes[tensor];
                intervals[tensor].get_or_insert(Interval { bytes, first: index, last: index }).last = index;
            }
        }
        // A tensor that no launch uses takes no room.
        let used: Vec<Interval> = intervals.iter().flatten().copied().collect();
        let (packed, chunks) = memory::pack(&used, chunk_limit);
        let mut packed = packed.into_iter();
        let places: Vec<_> =
            intervals.iter().map(|i| i.and_then(|_| packed.next()).unwrap_or_default()).collect();
        for launch in &mut self.launches {
            for view in launch.views.iter_mut().filter(|v| v.buffer.0 >= VIRTUAL) {
                let place = places[(view.buffer.0 - VIRTUAL) as usize];
                view.buffer = BufferId(first.0 + place.chunk as u32);
                view.offset += place.offset;
            }
        }
        let backward_from = self.backward_from.unwrap_or(self.launches.len());
        Plan { launches: self.launches, arena: chunks, backward_from }
    }
}

/// Launches with final places, and the arena that they need.
pub struct Plan {
    /// All launches in order.
    pub launches: Vec<Launch>,
    /// Bytes of each arena chunk.
    pub arena: Vec<u64>,
    /// The first launch of the backward pass; all of them come before it in a plan without one.
    pub backward_from: usize,
}

impl Plan {
    /// The work of all launches together.
    pub fn cost(&self) -> Cost {
        self.launches.iter().fold(Cost::default(), |sum, launch| Cost {
            flops: sum.flops + launch.cost.flops,
            bytes: sum.bytes + launch.cost.bytes,
        })
    }

    /// Bytes of all arena chunks together.
    pub fn arena_bytes(&self) -> u64 {
        self.arena.iter().sum()
    }

    /// Bytes of the largest tensor that a launch binds.
    pub fn largest_view(&self) -> u64 {
        self.launches.iter().flat_map(|launch| &launch.views).map(|view| view.size).max().unwrap_or(0)
    }
}
