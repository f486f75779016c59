//! Packs tensors that live at different times into the same bytes: greedy by size, each at the lowest free
//! offset among the tensors that live at the same time. Exact, known before the first step, and within a few
//! percent of the lower bound for these networks.

use crate::gpu::VIEW_ALIGNMENT;

/// A tensor's size and the first and last launch that touch it.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// Bytes of the tensor.
    pub bytes: u64,
    /// The first launch that touches it.
    pub first: usize,
    /// The last launch that touches it.
    pub last: usize,
}

/// Where a tensor lies: chunk number and byte offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ArenaPlace {
    /// Number of the chunk.
    pub chunk: usize,
    /// Bytes from the start of the chunk.
    pub offset: u64,
}

/// Places all intervals in chunks of at most `chunk_limit` bytes (one larger tensor gets a chunk of its own
/// size, for the device to refuse in words). Returns the places and the chunks' sizes.
pub fn pack(intervals: &[Interval], chunk_limit: u64) -> (Vec<ArenaPlace>, Vec<u64>) {
    let mut order: Vec<usize> = (0..intervals.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(intervals[i].bytes), intervals[i].first));
    let mut places = vec![ArenaPlace::default(); intervals.len()];
    let mut chunks: Vec<u64> = Vec::new();
    let mut placed: Vec<Vec<usize>> = Vec::new();
    for index in order {
        let wanted = intervals[index];
        let size = wanted.bytes.next_multiple_of(VIEW_ALIGNMENT);
        let mut chunk = 0;
        let offset = loop {
            if chunk == chunks.len() {
                chunks.push(0);
                placed.push(Vec::new());
            }
            let mut busy: Vec<(u64, u64)> = placed[chunk]
                .iter()
                .filter(|&&other| {
                    intervals[other].first <= wanted.last && wanted.first <= intervals[other].last
                })
                .map(|&other| {
                    let start = places[other].offset;
                    (start, start + intervals[other].bytes.next_multiple_of(VIEW_ALIGNMENT))
                })
                .collect();
            busy.sort_unstable();
            let mut offset = 0;
            for (start, end) in busy {
                if start >= offset + size {
                    break;
                }
                offset = offset.max(end);
            }
            if offset + size <= chunk_limit || (offset == 0 && chunks[chunk] == 0) {
                break offset;
            }
            chunk += 1;
        };
        places[index] = ArenaPlace { chunk, offset };
        chunks[chunk] = chunks[chunk].max(offset + size);
        placed[chunk].push(index);
    }
    (places, chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tensors_that_live_together_never_overlap(
            raw in prop::collection::vec((1_u64..5000, 0_usize..40, 0_usize..10), 1..60),
            limit in 4096_u64..20000,
        ) {
            let intervals: Vec<Interval> = raw
                .iter()
                .map(|&(bytes, first, length)| Interval { bytes, first, last: first + length })
                .collect();
            let (places, chunks) = pack(&intervals, limit);
            for (i, a) in intervals.iter().enumerate() {
                prop_assert_eq!(places[i].offset % VIEW_ALIGNMENT, 0);
                prop_assert!(places[i].offset + a.bytes <= chunks[places[i].chunk]);
                for (j, b) in intervals.iter().enumerate().skip(i + 1) {
                    let together = a.first <= b.last && b.first <= a.last;
                    if together && places[i].chunk == places[j].chunk {
                        let (p, q) = (places[i].offset, places[j].offset);
                        prop_assert!(p + a.bytes <= q || q + b.bytes <= p);
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_are_reused_over_time() {
        let at = |first, last| Interval { bytes: 1024, first, last };
        let (_, chunks) = pack(&[at(0, 1), at(1, 2), at(2, 3), at(3, 4)], 1 << 20);
        assert_eq!(chunks, [2048]);
    }
}
